"""A video's frames on a grid of 16 a second, as the authors' ffmpeg call chooses them.

ffmpeg's `fps=16` filter puts source frame t at grid index round-half-up(16·t) and lets output
k be the last source frame whose index is at most k. This module says which frame that is and
nothing about where frames come from or what they look like. Times are exact fractions:
30000/1001 frames a second falls on ties that floating point would lose.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Final, TypeVar

GRID_RATE_HZ: Final = 16  # the authors' fps=16; one clip is 16 grid frames
_HALF: Final = Fraction(1, 2)

FrameT = TypeVar("FrameT")


def grid_index(time_s: Fraction) -> int:
    """Rounds a time to the grid, halves up.

    Args:
        time_s: Seconds since the grid's zero.

    Returns:
        The number of the nearest grid time.
    """
    return int((time_s * GRID_RATE_HZ + _HALF) // 1)


def frames_on_grid(
    frames: Iterable[tuple[Fraction, Fraction, FrameT]], *, from_zero: bool = False
) -> Iterator[FrameT]:
    """Picks, for every grid time, the frame that ffmpeg's fps filter would show.

    Holds one frame, so that a long video needs no more memory than a short one. The first
    frame opens the grid, wherever its own time lies.

    Args:
        frames: (time, duration, frame) in order; times and durations in seconds.
        from_zero: Whether a first frame that comes late is shown from time zero on.

    Yields:
        One frame for each grid time, up to the end of the last frame's duration.
    """
    held: list[FrameT] = []  # the newest frame; empty before the first
    origin = next_index = end = 0
    for time_s, duration_s, frame in frames:
        index = grid_index(time_s)
        if not held:
            origin = next_index = min(index, 0) if from_zero else index
        if not held and index > next_index:
            held = [frame]
        while next_index < index:
            yield held[0]
            next_index += 1
        held = [frame]
        end = max(end, grid_index(time_s + duration_s), origin + 1)
    while held and next_index < end:
        yield held[0]
        next_index += 1
