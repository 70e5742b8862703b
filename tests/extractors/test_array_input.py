from pathlib import Path

import numpy as np
import pytest

from extractors.array_input import load_frames, load_waveform
from extractors.errors import MediaError


def test_frames_may_come_in_clips(tmp_path: Path) -> None:
    np.save(tmp_path / "frames.npy", np.zeros((2, 16, 8, 9, 3), np.uint8))

    assert load_frames(tmp_path / "frames.npy").shape == (32, 8, 9, 3)


@pytest.mark.parametrize("names", [("frames", "others"), ("anything",)])
def test_an_archive_is_searched_by_name_or_has_one_array(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    np.savez(tmp_path / "f.npz", **{name: np.zeros((1, 4, 4, 3), np.uint8) for name in names})

    assert load_frames(tmp_path / "f.npz").shape == (1, 4, 4, 3)


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((4, 3, 224, 224), np.uint8),
        np.zeros((4, 8, 8, 3), np.float32),
        np.zeros((0, 8, 8, 3), np.uint8),
    ],
)
def test_frames_of_another_layout_are_refused(tmp_path: Path, frames: np.ndarray) -> None:
    np.save(tmp_path / "frames.npy", frames)

    with pytest.raises(MediaError, match="frames must be RGB"):
        load_frames(tmp_path / "frames.npy")


def test_int16_channels_become_a_mono_waveform_in_range(tmp_path: Path) -> None:
    stereo = np.tile(np.array([16384, -8192], np.int16), (5, 1))
    np.savez(tmp_path / "w.npz", waveform=stereo, sample_rate=np.array(44_100))

    blocks, rate = load_waveform(tmp_path / "w.npz", None)

    assert rate == 44_100
    np.testing.assert_allclose(next(blocks), [0.125] * 5)


def test_the_rate_of_a_bare_array_is_16_khz_unless_given(tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.zeros(5, np.float32))

    assert load_waveform(tmp_path / "w.npy", None)[1] == 16_000
    assert load_waveform(tmp_path / "w.npy", 8000)[1] == 8000


@pytest.mark.parametrize(
    "waveform",
    [
        np.zeros((2, 16_000), np.float32),
        np.zeros(0, np.float32),
        np.full(5, np.nan, np.float32),
        np.full(5, 20_000.0, np.float32),
        np.zeros(5, np.int32),
    ],
)
def test_a_waveform_that_could_mean_two_things_is_refused(
    tmp_path: Path, waveform: np.ndarray
) -> None:
    np.save(tmp_path / "w.npy", waveform)

    with pytest.raises(MediaError, match="a waveform must be"):
        load_waveform(tmp_path / "w.npy", None)


def test_a_pickled_array_is_never_loaded(tmp_path: Path) -> None:
    np.save(tmp_path / "w.npy", np.array([{}], dtype=object), allow_pickle=True)

    with pytest.raises(MediaError, match="cannot read"):
        load_waveform(tmp_path / "w.npy", None)
