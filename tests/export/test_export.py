"""A bundle's graphs answer as its networks do, or are not there."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

import export.parity
from export.__main__ import main
from export.graphs import Graph, write_graph
from export.modules import FourierLogMel
from extractors.frame_transform import EFFICIENTNET_LITE0_TRANSFORM, FrameTransform
from extractors.log_mel import LogMel
from extractors.sound import SOUND_TRUNKS, register_sound_trunk
from extractors.sound_trunk import FrontEnd, SoundTrunk
from extractors.visual import VISUAL_TRUNKS, register_visual_trunk
from extractors.visual_trunk import VisualTrunk
from integration.readme_blocks import blocks
from integration.stand_in import write_video
from mafnet.load import load_head
from mafnet.model import MAFnet, MAFnetConfig
from weights.bundle import AudioSpec, Bundle, EventSpec, HeadSpec, VisualSpec, write_bundle

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
pytestmark = pytest.mark.timeout(300)
LABELS = ("Background", "Bark", "Siren")


class Mean(VisualTrunk):
    dim: ClassVar[int] = 3
    transform: ClassVar[FrameTransform] = EFFICIENTNET_LITE0_TRANSFORM

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(3, 3)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.mix(frames.mean(dim=(2, 3)))
        return features


class Bands(SoundTrunk):
    dim: ClassVar[int] = 4
    map_size: ClassVar[tuple[int, int]] = (12, 8)
    front_end: ClassVar[type[FrontEnd]] = LogMel

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 4, 8, stride=8)

    def forward(self, log_mel: torch.Tensor) -> torch.Tensor:
        maps: torch.Tensor = self.convolution(log_mel)
        return maps


@pytest.fixture(scope="module", autouse=True)
def _own_trunks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for registry in (VISUAL_TRUNKS, SOUND_TRUNKS):
            patch.setattr(registry, "_trunks", dict(registry._trunks))
        register_visual_trunk("mean", Mean)
        register_sound_trunk("bands", Bands)
        yield


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    torch.manual_seed(0)
    config = MAFnetConfig(visual_dim=3, n_labels=3, sound_map=Bands.sound_map())
    for name, module in {"v": Mean(), "a": Bands(), "h": MAFnet(config)}.items():
        save_file(module.state_dict(), folder / f"{name}.safetensors")
    made = Bundle(
        name="tiny",
        version="1",
        path=folder,
        labels=LABELS,
        background="Background",
        activation="softmax",
        temperature=2.0,
        sample_rate=16_000,
        visual=VisualSpec(trunk="mean", dim=3, weights=folder / "v.safetensors"),
        audio=AudioSpec(
            trunk="bands", sound_map=Bands.sound_map(), weights=folder / "a.safetensors"
        ),
        head=HeadSpec(weights=folder / "h.safetensors"),
        events=EventSpec(on=0.01, off=0.005),
        licence="none",
        provenance="drawn",
    )
    return write_bundle(made, folder / "tiny").path


@pytest.fixture(scope="module")
def graphs(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("graphs")
    write_video(folder / "clip.mp4", "Siren", 2.0)
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        arguments = [str(bundle), "--to", str(folder), "--check-with", str(folder / "clip.mp4")]
        assert main(arguments) == 0
    progress = [line for line in said.getvalue().splitlines() if " of 3: " in line]
    assert progress == ["1 of 3: picture", "2 of 3: sound", "3 of 3: head"]
    return folder


def test_graphs_take_any_number_of_windows_and_clips(bundle: Path, graphs: Path) -> None:
    import onnxruntime

    from weights.bundle import load_bundle

    session = onnxruntime.InferenceSession(graphs / "head.onnx")
    head = load_head(load_bundle(bundle))
    assert session.get_inputs()[0].shape == ["batch", "clips", 3]
    for n_batch, n_clips in ((1, 1), (3, 7)):
        visual = torch.rand(n_batch, n_clips, 3)
        audio = torch.rand(n_batch, n_clips, *Bands.sound_map())
        present = torch.rand(n_batch, n_clips, 2) > 0.3
        with torch.inference_mode():
            wanted = head(visual, audio, present).probabilities.numpy()
        feed = {"visual": visual.numpy(), "audio": audio.numpy(), "present": present.numpy()}
        np.testing.assert_allclose(session.run(None, feed)[0], wanted, atol=1e-5)


def test_manifest_says_what_a_program_needs(graphs: Path) -> None:
    model = json.loads((graphs / "model.json").read_text())

    assert model["labels"] == list(LABELS)
    assert model["thresholds"] == {name: {"on": 0.01, "off": 0.005} for name in LABELS[1:]}
    assert model["picture"]["transform"]["size"] == 224
    assert model["sound"]["map"] == [4, 12, 8]
    assert model["sound"]["log_mel"]["offset"] == 0.01
    kinds = {f"{name}.{kind}" for name in ("picture", "sound", "head") for kind in ("onnx", "pt2")}
    assert set(model["files"]) == kinds


def test_log_mel_by_matrices_is_the_log_mel() -> None:
    generator = torch.Generator().manual_seed(0)
    waveform = 0.1 * torch.randn((3, 16_000), generator=generator)
    waveform[1] = 0.0

    apart = FourierLogMel(LogMel())(waveform) - LogMel()(waveform)

    assert float(apart.abs().max()) < 1e-4


def test_graph_that_is_too_far_away_has_no_manifest(
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(export.parity, "TOLERANCE", -1.0)

    assert main([str(bundle), "--to", str(tmp_path)]) == 1

    said = capsys.readouterr()
    assert "TOO FAR" in said.out
    assert "10 outputs lie too far" in said.err
    assert not (tmp_path / "model.json").exists()


def test_what_cannot_be_exported_is_one_sentence(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.mp4").write_text("nothing")
    for arguments in (
        ["nowhere", "--to", str(tmp_path)],
        [str(bundle), "--to", str(tmp_path), "--check-with", str(tmp_path / "text.mp4")],
        [str(bundle), "--to", str(tmp_path / "text.mp4")],
    ):
        assert main(arguments) == 1
        said = capsys.readouterr().err.strip()
        assert said.startswith("error: ")
        assert "\n" not in said


def test_video_that_is_not_there_is_told_before_the_networks_are_loaded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = str(tmp_path / "nowhere.mp4")

    assert main(["nowhere", "--to", str(tmp_path / "graphs"), "--check-with", video]) == 1

    assert capsys.readouterr().err == f"error: there is no file {video}\n"


def test_module_that_torch_cannot_export_is_an_error(tmp_path: Path) -> None:
    from export.errors import ExportError

    class Odd(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if float(x.sum()) > 0 else -x

    example = (torch.zeros(2, 3),)
    graph = Graph(
        name="odd", module=Odd(), example=example, inputs=("x",), outputs=("y",), free=("n",)
    )
    with pytest.raises(ExportError, match="torch cannot export the odd"):
        write_graph(graph, tmp_path)


def test_program_of_the_guide_names_what_the_network_names(graphs: Path, tmp_path: Path) -> None:
    (program,) = blocks("docs/guide/export.md", "python")
    assert len(program.splitlines()) < 45
    (tmp_path / "my_runtime.py").write_text(program, encoding="utf-8")
    Image.new("RGB", (320, 240), (30, 60, 220)).save(tmp_path / "street.png")
    tone = (8000 * np.sin(np.arange(48_000) / 5)).astype("<i2")
    with wave.open(str(tmp_path / "siren.wav"), "w") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(tone.tobytes())

    result = subprocess.run(
        [sys.executable, "my_runtime.py", str(graphs), "siren.wav", "street.png"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert {line.split()[0] for line in result.stdout.splitlines()} == {"Bark", "Siren"}
