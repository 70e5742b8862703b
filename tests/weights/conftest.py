"""Writes TensorFlow checkpoints, so that the reader is tried on any variables and any fault."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import tf_checkpoints

Arrays = Mapping[str, NDArray[np.float32]]


@pytest.fixture
def write_checkpoint() -> Callable[..., Path]:
    return tf_checkpoints.write_checkpoint


@pytest.fixture
def vggish_arrays() -> dict[str, NDArray[np.float32]]:
    """Small random VGGish weights under Keras's names, without the ``:0``."""
    generator = np.random.default_rng(0)
    channels = (1, 64, 128, 256, 256, 512, 512)
    layers = ("conv1", "conv2", "conv3/conv3_1", "conv3/conv3_2", "conv4/conv4_1", "conv4/conv4_2")
    arrays: dict[str, NDArray[np.float32]] = {}
    for layer, n_in, n_out in zip(layers, channels[:-1], channels[1:], strict=True):
        kernel = generator.normal(size=(3, 3, n_in, n_out), scale=0.01)
        arrays[f"{layer}/kernel"] = kernel.astype(np.float32)
        arrays[f"{layer}/bias"] = generator.normal(size=n_out).astype(np.float32)
    return arrays


@pytest.fixture
def torch_file(tmp_path: Path, vggish_arrays: Arrays) -> Path:
    state = {}
    for name, array in vggish_arrays.items():
        layer, leaf = name.split("/")[-2:]
        tensor = torch.from_numpy(array)
        if leaf == "kernel":
            tensor = tensor.permute(3, 2, 0, 1).contiguous()
        state[f"{layer}.{'weight' if leaf == 'kernel' else 'bias'}"] = tensor
    torch.save(state, tmp_path / "vggish.pth")
    return tmp_path / "vggish.pth"
