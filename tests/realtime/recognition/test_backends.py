"""Which backend is taken, and what is kept of it: graphs and timings in the store."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from extractors import openvino_graphs
from extractors.backend_times import Candidate, timed
from extractors.backends import choose_trunks
from extractors.errors import BackendError, OpenVinoError, OpenVinoMissingError
from extractors.openvino_graphs import load_graph
from extractors.trunks import Distance, Inputs
from realtime.errors import UsageError
from realtime.recognition.models import load_models
from weights.bundle import Bundle, load_bundle

SHA256 = "ab" * 32
CPU = torch.device("cpu")


class Trunk(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 2, stride=2)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.conv(pixels).mean(dim=(2, 3))


class Makes:
    """Makes the trunk and counts how often."""

    def __init__(self) -> None:
        self.n = 0

    def __call__(self) -> nn.Module:
        self.n += 1
        return Trunk().eval()


@pytest.fixture
def starter() -> Bundle:
    return load_bundle("starter")


@pytest.fixture
def without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine where the package is not installed."""
    monkeypatch.setitem(sys.modules, "openvino", None)


def test_graph_is_made_once_and_read_back(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    makes = Makes()

    for _ in range(2):
        graph = load_graph("small", SHA256, (3, 8, 8), makes, tmp_path)

    assert makes.n == 1
    assert graph.inputs[0].partial_shape.to_string() == "[?,3,8,8]"
    assert not list(tmp_path.rglob(".*"))  # nothing half-written stays


@pytest.mark.parametrize("kind", ["xml", "bin", "json"])
def test_graph_is_made_anew_when_a_kept_file_is_damaged(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("openvino")
    makes = Makes()
    load_graph("small", SHA256, (3, 8, 8), makes, tmp_path)
    (file,) = (tmp_path / "openvino").glob(f"*.{kind}")
    file.write_bytes(file.read_bytes()[:-7])

    for _ in range(2):
        load_graph("small", SHA256, (3, 8, 8), makes, tmp_path)

    assert makes.n == 2


def test_graph_is_made_anew_for_other_weights(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    makes = Makes()

    for sha256 in (SHA256, SHA256[:-1] + "0", "cd" * 32):
        load_graph("small", sha256, (3, 8, 8), makes, tmp_path)

    assert makes.n == 3


def test_graph_is_made_anew_for_other_code_and_another_size(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    makes = Makes()

    for shape, code in (((3, 8, 8), "a"), ((3, 8, 8), "b"), ((3, 6, 6), "b"), ((3, 8, 8), "a")):
        graph = load_graph("small", SHA256, shape, makes, tmp_path, code)
        assert graph.inputs[0].partial_shape.to_string() == f"[?,3,{shape[1]},{shape[2]}]"

    assert makes.n == 3
    for _ in range(2):  # where nobody knows the code
        load_graph("small", SHA256, (3, 8, 8), makes, tmp_path, None)
    assert makes.n == 5


def test_graph_is_still_given_when_the_store_cannot_be_written(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    home = tmp_path / "file"
    home.write_text("not a folder")

    graph = load_graph("small", SHA256, (3, 8, 8), Makes(), home)

    assert len(graph.inputs) == 1


def test_conversion_leaves_telemetry_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setenv("HOME", str(tmp_path))

    openvino_graphs.convert(Trunk().eval(), (3, 8, 8))

    assert list(tmp_path.iterdir()) == []  # its identifier of the user would be kept here


def test_trunk_that_openvino_cannot_take_is_one_sentence() -> None:
    pytest.importorskip("openvino")

    class Odd(nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("no\nway")

    with pytest.raises(OpenVinoError, match=r"cannot convert Odd: no$"):
        openvino_graphs.convert(Odd(), (3, 8, 8))


@pytest.mark.usefixtures("without_openvino")
def test_auto_is_torch_when_openvino_is_not_installed(starter: Bundle, tmp_path: Path) -> None:
    trunks = choose_trunks(starter, CPU, "float32", "auto", tmp_path)

    assert trunks.describe() == "torch cpu float32"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("without_openvino")
def test_asked_for_openvino_says_how_to_install_it(starter: Bundle, tmp_path: Path) -> None:
    with pytest.raises(OpenVinoMissingError, match="pip install openvino"):
        choose_trunks(starter, CPU, "auto", "openvino", tmp_path)


def test_openvino_is_refused_beside_another_device(starter: Bundle, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="--device cuda"):
        choose_trunks(starter, torch.device("cuda"), "auto", "openvino", tmp_path)


def test_openvino_is_refused_in_a_precision_that_it_has_not(
    starter: Bundle, tmp_path: Path
) -> None:
    pytest.importorskip("openvino")
    with pytest.raises(BackendError, match="--precision float16"):
        choose_trunks(starter, CPU, "float16", "openvino", tmp_path)


def test_kept_timing_spares_the_measurement(tmp_path: Path) -> None:
    file = tmp_path / "timing.json"
    rows = [{"name": "torch", "ms": 2.0, "distance": [0.0, 0.5]}]
    file.write_text(json.dumps(rows))

    def refuse() -> object:
        raise AssertionError("nothing needs loading")

    kept = timed(file, {"torch": refuse}, refuse, 224)  # type: ignore[dict-item, arg-type]

    assert kept == {"torch": Candidate(name="torch", ms=2.0, distance=Distance(0.0, 0.5))}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1]",
        "{}",
        "[]",
        '[{"name": "torch", "ms": NaN, "distance": [0, 0]}]',
        '[{"name": "torch", "ms": 2.0, "distance": 0}]',
    ],
)
def test_damaged_timing_is_measured_anew(tmp_path: Path, text: str) -> None:
    class Still:
        def encode_pictures(self, images: object) -> torch.Tensor:
            return torch.ones(1, 2)

        def encode_log_mel(self, log_mel: object) -> torch.Tensor:
            return torch.ones(1, 2)

        def describe(self) -> str:
            return "still"

    file = tmp_path / "timing.json"
    file.write_text(text)

    measured = timed(file, {"torch": Still}, Still, Inputs(4, (1, 3, 2)))

    assert measured["torch"].distance == (0.0, 0.0)
    assert json.loads(file.read_text())[0]["name"] == "torch"


@pytest.mark.usefixtures("without_openvino")
def test_a_run_that_cannot_have_its_backend_ends_as_a_wrong_flag(
    starter: Bundle, tmp_path: Path
) -> None:
    for backend, precision in (("openvino", "auto"), ("onnx", "auto"), ("torch", "float8")):
        with pytest.raises(UsageError, match=f"{backend}|{precision}"):
            load_models(starter, "cpu", precision, backend, tmp_path)
