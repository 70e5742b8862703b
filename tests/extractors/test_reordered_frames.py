"""Frames that are decoded in another order than they are shown: each has its own time."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from extractors.media import read_frames
from realtime.sources.container import MediaContainer
from realtime.stats import Stats

RATE = 25
N_FRAMES = 50
B_FRAMES = {"bf": "3", "b_strategy": "0", "g": "25"}


def write_reordered(path: Path, codec: str) -> Path:
    """Write a film with B-frames whose frame k has a level of 4 k."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE, options=B_FRAMES)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for k in range(N_FRAMES):
            picture = np.full((48, 64, 3), 4 * k, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, RATE)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def seen(frame: av.VideoFrame) -> int:
    return round(float(frame.to_ndarray(format="rgb24").mean()) / 4)


@pytest.mark.parametrize("codec", ["h264", "mpeg4"])
@pytest.mark.parametrize("suffix", [".avi", ".mkv", ".mp4", ".ts", ".flv"])
def test_frames_are_at_their_own_time_when_they_are_reordered(
    suffix: str, codec: str, tmp_path: Path
) -> None:
    if (suffix, codec) == (".flv", "mpeg4"):
        pytest.skip("FLV has no MPEG-4")
    path = write_reordered(tmp_path / f"a{suffix}", codec)

    frames = list(read_frames(path))

    late = np.array([round(t * RATE) - seen(frame) for t, _, frame in frames])
    assert len(late) >= N_FRAMES - 1
    # In an AVI it shows after some frames that their presentation times are none.
    assert np.abs(late - np.median(late))[4:-1].max() <= 1


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_no_stamp_counts_as_broken_where_frames_are_reordered(suffix: str, tmp_path: Path) -> None:
    path = write_reordered(tmp_path / f"a{suffix}", "h264")
    stats = Stats()
    container = MediaContainer(str(path), picture=True, sound=False, stats=stats)
    times = []
    while (decoded := container.read()) is not None:
        times += [item.media_ns for item in decoded]
    container.close()

    assert not stats.snapshot().count("broken_time_stamps")
    steps = np.diff(times)
    assert np.abs(steps - 1e9 / RATE).max() < 2e6
