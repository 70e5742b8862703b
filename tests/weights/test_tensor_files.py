"""Weights and graphs lie in folders of any name; a library that cannot is gone around."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from extractors.openvino_graphs import load_graph
from extractors.trunk_weights import read_tensors
from weights.tensor_files import load_tensors, read_metadata, save_arrays, save_tensors

NAMES = [b"plain", b"lat\xefn", "na\u00efve".encode(), b"10:20 %20\n"]


@pytest.fixture(params=NAMES, ids=repr)
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    made = tmp_path / os.fsdecode(request.param)
    made.mkdir()
    return made


def test_tensors_are_written_and_read_in_a_folder_of_any_name(folder: Path) -> None:
    values = np.arange(6, dtype=np.float32).reshape(2, 3)

    save_tensors({"a": torch.from_numpy(values)}, folder / "t.safetensors")
    save_arrays({"a": values}, folder / "n.safetensors")

    for name in ("t.safetensors", "n.safetensors"):
        np.testing.assert_array_equal(load_tensors(folder / name)["a"].numpy(), values)
        np.testing.assert_array_equal(read_tensors(folder / name)["a"].numpy(), values)


def test_graph_is_made_where_its_store_has_any_name(folder: Path) -> None:
    pytest.importorskip("openvino")

    graph = load_graph("linear", "0" * 64, (3,), lambda: nn.Linear(3, 2).eval(), folder)

    assert list(graph.inputs[0].get_partial_shape())[1].get_length() == 3


def test_same_tensors_and_texts_give_the_same_bytes(tmp_path: Path) -> None:
    """The library keeps texts in a map that is ordered anew in each process, and each time."""
    texts = {f"key {number}": str(number) for number in range(8)}
    tensors = {"a": torch.arange(5.0), "b": torch.ones(3, 2)}
    written = set()
    for number in range(8):
        path = tmp_path / f"{number}.safetensors"
        save_tensors(tensors, path, texts)
        written.add(path.read_bytes())
    assert len(written) == 1
    assert read_metadata(path) == texts
    assert torch.equal(load_tensors(path)["b"], tensors["b"])
