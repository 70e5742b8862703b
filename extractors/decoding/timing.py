"""When a decoded frame or block begins, by the stamps of its own or by its predecessor."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from extractors.decoding.packet_times import NS_PER_S
from extractors.decoding.stamped import MAX_LEAP_NS

_MAX_LENGTH_S: Final = Fraction(MAX_LEAP_NS, NS_PER_S)
_USUAL_LENGTH_S: Final = Fraction(1, 25)  # where neither time stamps nor a rate are given


def usual_length_s(stream: Any) -> Fraction:
    """Returns how long a picture of a stream shows where it does not say."""
    rate = stream.average_rate
    return 1 / Fraction(rate) if rate else _USUAL_LENGTH_S


def picture_length_s(frame: Any, base: Fraction | None, usual_s: Fraction) -> Fraction:
    """Returns how long a frame shows: what it tells, unless that cannot be meant."""
    told_s = frame.duration * Fraction(base) if frame.duration and base else Fraction(0)
    return told_s if 0 < told_s <= _MAX_LENGTH_S else usual_s


def sound_length_s(frame: Any) -> Fraction:
    """Returns how long a block is."""
    return Fraction(frame.samples, frame.sample_rate)


class BestStamps:
    """Which of a frame's two time stamps to trust: the kind that went back less often so far.

    FFmpeg's rule for its "best effort" stamp (libavcodec/decode.c, guess_correct_pts), which PyAV
    does not hand out. AVI with B-frames needs it: 54 of other_makeup.avi's 164 frames go back.
    """

    def __init__(self) -> None:
        self._n_faulty_pts = self._n_faulty_dts = 0
        self._last_pts: int | None = None
        self._last_dts: int | None = None

    def choose(self, pts: int | None, dts: int | None) -> int | None:
        """Return the stamp of the next frame; None where it bears none."""
        if dts is not None:
            self._n_faulty_dts += self._last_dts is not None and dts <= self._last_dts
            self._last_dts = dts
        if pts is not None:
            self._n_faulty_pts += self._last_pts is not None and pts <= self._last_pts
            self._last_pts = pts
        if pts is not None and (dts is None or self._n_faulty_pts <= self._n_faulty_dts):
            return pts
        return dts
