"""A live stream whose usual sound track is silent while another is not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from extractors.decoding.tracks import Tracks
from realtime.sources.container import MediaContainer
from realtime.sources.decoded import DecodedSound
from realtime.stats import Stats
from track_media import RATE, write_tracks


def heard(path: Path, tracks: Tracks | None = None) -> np.ndarray:
    """Return the peak of each half second that a live stream's reader gets."""
    media = MediaContainer(
        str(path), picture=False, sound=True, stats=Stats(), live=True, tracks=tracks or Tracks()
    )
    blocks = []
    while (decoded := media.read()) is not None:
        blocks += [d.samples[:, 0] for d in decoded if isinstance(d, DecodedSound)]
    media.close()
    samples = np.concatenate(blocks)
    halves = samples[: len(samples) // (RATE // 2) * (RATE // 2)].reshape(-1, RATE // 2)
    return np.abs(halves).max(axis=1)


@pytest.mark.parametrize("suffix", [".mkv", ".ts"])
def test_another_track_is_heard_once_the_usual_one_was_silent_for_seconds(
    suffix: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    audio = "mp2" if suffix == ".ts" else "pcm_s16le"
    path = write_tracks(tmp_path / f"a{suffix}", (0.0, 0.0, 0.3), seconds=9.0, audio=audio)

    peaks = heard(path)

    assert peaks[:9].max() < 0.01
    assert peaks[12:].min() > 0.2
    assert len(peaks) == pytest.approx(18, abs=1)
    assert caplog.text.count("is silent so far") == 1


def test_usual_track_is_taken_again_once_it_is_heard(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_tracks(tmp_path / "a.mkv", (0.3, 0.1), seconds=12.0, silent_s=8.0)

    peaks = heard(path)

    assert peaks[12:15] == pytest.approx(0.1, abs=0.02)
    assert peaks[18:] == pytest.approx(0.3, abs=0.02)
    assert "is taken again" in caplog.text


@pytest.mark.parametrize(
    ("levels", "asked", "level"),
    [((0.1, 0.3), None, 0.1), ((0.0, 0.3), 0, 0.0), ((0.0, 0.3), 1, 0.3), ((0.0, 0.0), None, 0.0)],
)
def test_usual_track_or_the_one_that_was_asked_for_is_kept(
    levels: tuple[float, ...], asked: int | None, level: float, tmp_path: Path
) -> None:
    path = write_tracks(tmp_path / "a.mkv", levels, seconds=8.0)

    assert heard(path, Tracks(audio=asked)) == pytest.approx(level, abs=0.02)
