"""Trunks that a program registers or a package announces, and what cannot be one."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from extractors.encoders import load_encoders
from extractors.sound import SOUND_TRUNKS, make_sound_trunk, register_sound_trunk
from extractors.sound_trunk import FrontEnd, SoundTrunk
from weights.errors import ConvertError
from weights.trunk_file import NamedFile

PACKAGE = """
from extractors.sound_trunk import FrontEnd, SoundTrunk

class Raw(FrontEnd):
    shape = (16_000,)

class Loud(SoundTrunk):
    dim = 2
    map_size = (1, 1)
    front_end = Raw
"""


class Halves(FrontEnd):
    """A second as its two halves."""

    shape: ClassVar[tuple[int, ...]] = (2, 8_000)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        return waveform.reshape(-1, 2, 8_000)


class Level(SoundTrunk):
    """The mean of each half, times a weight."""

    dim: ClassVar[int] = 3
    map_size: ClassVar[tuple[int, int]] = (2, 1)
    front_end: ClassVar[type[FrontEnd]] = Halves

    def __init__(self) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.ones(3))

    def forward(self, halves: torch.Tensor) -> torch.Tensor:
        return halves.mean(dim=2)[:, None, :, None] * self.gain[:, None, None]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SOUND_TRUNKS, "_trunks", dict(SOUND_TRUNKS._trunks))


@pytest.mark.parametrize("backend", ["torch", "openvino"])
def test_sound_trunk_of_ones_own_has_its_own_front_end_and_map(
    tmp_path: Path, backend: str
) -> None:
    if backend == "openvino":
        pytest.importorskip("openvino")
    register_sound_trunk("level", Level)
    save_file({"gain": torch.tensor([1.0, 2.0, 4.0])}, tmp_path / "level.safetensors")
    named = NamedFile("level", tmp_path / "level.safetensors")

    sound = load_encoders(sound=named, backend=backend, home=tmp_path).sound

    assert sound is not None
    waveform = np.repeat(np.array([[0.5, -0.25]], np.float32), 8_000, axis=1)
    seen, maps = sound.encode(waveform)
    assert seen.shape == (1, 2, 8_000)
    assert sound.sound_map == (3, 2, 1)
    np.testing.assert_allclose(
        maps, [[[[0.5], [-0.25]], [[1.0], [-0.5]], [[2.0], [-1.0]]]], rtol=1e-5
    )


def test_name_of_a_trunk_is_taken_once() -> None:
    register_sound_trunk("level", Level)
    register_sound_trunk("level", Level)  # the same again is none
    with pytest.raises(ValueError, match="there is a sound trunk 'vggish' already"):
        register_sound_trunk("vggish", Level)


def test_sound_trunk_says_its_map_and_front_end() -> None:
    class Wide(SoundTrunk):
        dim = 3

    with pytest.raises(ValueError, match="dim, map_size and front_end, Wide has no map_size and"):
        register_sound_trunk("wide", Wide)


def test_weights_of_a_trunk_of_ones_own_are_safetensors(tmp_path: Path) -> None:
    register_sound_trunk("level", Level)
    with pytest.raises(ConvertError, match=r"trunk level are wanted as \.safetensors"):
        load_encoders(sound=NamedFile("level", tmp_path / "level.pth"))


def announce(folder: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    (folder / "announced_ears.py").write_text(PACKAGE, encoding="utf-8")
    told = folder / "announced_ears-1.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: announced_ears\nVersion: 1\n")
    (told / "entry_points.txt").write_text(f"[mafnet_live.sound_trunks]\nloud = {value}\n")
    monkeypatch.syspath_prepend(str(folder))


def test_announced_trunk_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(tmp_path, monkeypatch, "announced_ears:Loud")

    assert "loud" in SOUND_TRUNKS.names()
    assert make_sound_trunk("loud").sound_map() == (2, 1, 1)
    assert "class Loud" in (SOUND_TRUNKS.code("loud") or "")


@pytest.mark.parametrize("value", ["announced_ears:Quiet", "no_such_module:Loud"])
def test_announced_trunk_that_is_not_there_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    announce(tmp_path, monkeypatch, value)

    with pytest.raises(ValueError, match="which cannot be loaded") as caught:
        make_sound_trunk("loud")
    assert "\n" not in str(caught.value)


def test_unknown_trunk_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match="one of vggish, yamnet, got 'wav2vec'"):
        make_sound_trunk("wav2vec")
