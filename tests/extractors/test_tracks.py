"""A track that says nothing gives way to one that does, live and in features alike."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from extractors.decoding import track_choice
from extractors.decoding.pictures import as_rgb
from extractors.decoding.tracks import Tracks
from extractors.errors import MediaError
from extractors.media import probe, read_frames, read_sound
from track_media import write_tracks


def _heard(path: Path, asked: Tracks | None = None) -> float:
    info = probe(path, asked or Tracks())
    samples: NDArray[np.float32] = np.concatenate(list(read_sound(path, info)))
    return float(np.abs(samples).max())


def _seen(path: Path, asked: Tracks | None = None) -> float:
    info = probe(path, asked or Tracks())
    return float(as_rgb(next(iter(read_frames(path, info)))[2]).mean())


@pytest.mark.parametrize(
    ("levels", "heard"),
    [
        ((0.0, 0.3), 0.3),
        ((0.3, 0.0), 0.3),
        ((0.0, 0.0, 0.2), 0.2),
        ((0.1, 0.3), 0.1),  # the usual one, however soft
        ((0.00005, 0.3), 0.3),  # the last bit alone toggles
        ((0.0, 0.0), 0.0),
        ((0.0,), 0.0),
    ],
)
@pytest.mark.parametrize("suffix", [".mkv", ".mov"])
def test_sound_track_that_sounds_is_heard(
    tmp_path: Path, levels: tuple[float, ...], heard: float, suffix: str
) -> None:
    path = write_tracks(tmp_path / f"clip{suffix}", levels)

    assert _heard(path) == pytest.approx(heard, abs=0.01)


def test_track_that_begins_to_sound_late_is_kept(tmp_path: Path) -> None:
    path = write_tracks(tmp_path / "clip.mkv", (0.3, 0.1), seconds=6.0, silent_s=5.0)

    assert _heard(path) == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize(
    ("greys", "seen"),
    [((0, 200), 200), ((200, 0), 200), ((0, 0, 120), 120), ((100, 200), 100), ((0, 0), 0)],
)
@pytest.mark.parametrize(("suffix", "codec"), [(".mkv", "ffv1"), (".mp4", "mpeg4")])
def test_picture_track_with_light_is_seen(
    tmp_path: Path, greys: tuple[int, ...], seen: int, suffix: str, codec: str
) -> None:
    path = write_tracks(tmp_path / f"clip{suffix}", (), greys, video=codec)

    assert _seen(path) == pytest.approx(seen, abs=4)


def test_choice_is_said_once_with_its_way_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_tracks(tmp_path / "clip.mkv", (0.0, 0.3), (0, 200))

    with caplog.at_level(logging.WARNING):
        probe(path)

    said = "\n".join(record.message for record in caplog.records)
    assert len(caplog.records) == 2
    assert "sound track 0 is silent throughout; 1 (pcm_s16le, 16000 Hz) is not" in said
    assert "--audio-track 0 keeps the other" in said
    assert "picture track 0 is black throughout; 1 (ffv1, 64x48) is not" in said
    assert "--video-track 0 keeps the other" in said


def test_track_that_was_asked_for_is_taken_whatever_it_holds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_tracks(tmp_path / "clip.mkv", (0.0, 0.3, 0.1), (0, 200))

    assert _heard(path, Tracks(audio=0, video=0)) == 0.0
    assert _seen(path, Tracks(audio=0, video=0)) < 4
    assert _heard(path, Tracks(audio=2)) == pytest.approx(0.1, abs=0.01)
    assert sum("sound track" in record.message for record in caplog.records) == 0


def test_track_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    path = write_tracks(tmp_path / "clip.mkv", (0.1, 0.3))

    with pytest.raises(MediaError, match=r"no sound track 5 to be decoded; there are: 0 .*, 1 "):
        probe(path, Tracks(audio=5))
    with pytest.raises(MediaError, match="no picture track 0 to be decoded; there are: none"):
        probe(path, Tracks(video=0))


def test_frame_that_cannot_be_looked_at_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_tracks(tmp_path / "clip.mkv", (0.0, 0.3))
    looked_at = track_choice.says_something
    n_looks = 0

    def look(frame: object) -> bool:
        nonlocal n_looks
        n_looks += 1
        if n_looks < 3:
            raise ValueError("no such conversion")
        return looked_at(frame)

    monkeypatch.setattr(track_choice, "says_something", look)

    assert probe(path).tracks == Tracks(audio=1)
    assert n_looks > 3
