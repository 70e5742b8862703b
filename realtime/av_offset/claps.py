"""How far a camera lies behind a microphone, from claps: heard at their onset, seen as they stop.

Pure: numbers in, a measurement out; no device, no thread. A clap is heard where the sound's level
leaps far above what it was. It is seen where the movement since the frame before is greatest: hands
are fastest just before they meet, so they met between that frame and the next, and the middle of
the two is taken. That is sure to half an interval only, so several claps are taken, which fall
anywhere between frames, and their median counts.

It refuses to guess: too few claps, or claps that disagree, are no measurement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime.packets import SAMPLE_RATE

MIN_CLAPS = 4
MAX_OFFSET_NS = 600_000_000  # a camera that is later is no use; wider, one clap fits the next
MAX_SPREAD_NS = 50_000_000  # half of the claps lie within this of the median, or it is none
FINEST_S = 0.005  # of the sound's level
_BETWEEN_NS = 700_000_000  # claps closer than this are one, or cannot be told apart
_LOUD = 8.0  # times the level of the half second before: 18 dB
_LOUD_RMS = 0.02  # and no less than this of full scale
_BEFORE = 100  # levels: half a second
_SUDDEN = 4.0  # times the usual movement
_MIN_MOVEMENT = 0.5  # mean change of a pixel, of 255; a camera's noise is below it


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What some claps say.

    Attributes:
        offset_ns: Median of how much later than the sound the picture is dated.
        spread_ns: Half of the claps lie within this of it.
        n_claps: Heard and seen.
    """

    offset_ns: int
    spread_ns: int
    n_claps: int

    @property
    def is_sure(self) -> bool:
        """Whether there are enough claps and they agree."""
        return self.n_claps >= MIN_CLAPS and self.spread_ns <= MAX_SPREAD_NS


def heard(samples: NDArray[np.float32]) -> list[int]:
    """Return the sample at which each clap's sound begins, to `FINEST_S`.

    Args:
        samples: Mono float32 `(n,)` at 16 kHz.
    """
    n = round(FINEST_S * SAMPLE_RATE)
    levels = np.sqrt(np.mean(np.square(samples[: len(samples) // n * n]).reshape(-1, n), axis=1))
    found: list[int] = []
    for k in range(_BEFORE // 4, len(levels)):
        usual = float(np.median(levels[max(0, k - _BEFORE) : k]))
        if levels[k] < max(_LOUD_RMS, _LOUD * usual):
            continue
        if not found or (k * n - found[-1]) * 1_000_000_000 // SAMPLE_RATE >= _BETWEEN_NS:
            found.append(k * n)
    return found


def seen(times_ns: NDArray[np.int64], movement: NDArray[np.float64]) -> list[int]:
    """Return when sudden movements ended: the middle of the frame of the greatest and the next.

    Args:
        times_ns: Of the frames, `(n,)`, ascending.
        movement: Mean absolute change of a pixel since the frame before, `(n,)`, of 255.
    """
    if len(movement) < 3:
        return []
    least = max(_MIN_MOVEMENT, _SUDDEN * float(np.median(movement)))
    found: list[int] = []
    heights: list[float] = []
    for k in np.flatnonzero(movement[:-1] >= least):
        time_ns, height = int(times_ns[k] + times_ns[k + 1]) // 2, float(movement[k])
        if found and time_ns - found[-1] < _BETWEEN_NS:
            if height > heights[-1]:
                found[-1], heights[-1] = time_ns, height
            continue
        found.append(time_ns)
        heights.append(height)
    return found


def measure(heard_ns: list[int], seen_ns: list[int]) -> Measurement | None:
    """Pair each clap that was heard with the nearest that was seen; None without any pair.

    Args:
        heard_ns: On the run's clock, ascending.
        seen_ns: Likewise.
    """
    if not heard_ns or not seen_ns:
        return None
    pictures = np.array(seen_ns, np.int64)
    offsets = []
    for sound_ns in heard_ns:
        nearest = int(pictures[np.abs(pictures - sound_ns).argmin()]) - sound_ns
        if abs(nearest) <= MAX_OFFSET_NS:
            offsets.append(nearest)
    if not offsets:
        return None
    median = float(np.median(offsets))
    spread = float(np.median(np.abs(np.array(offsets) - median)))
    return Measurement(offset_ns=round(median), spread_ns=round(spread), n_claps=len(offsets))
