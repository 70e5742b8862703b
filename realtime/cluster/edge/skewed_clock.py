"""A clock that goes wrong on purpose, as another machine's does; for tests of edges."""

from __future__ import annotations

import re

from realtime.clock import NS_PER_S, BootClock
from realtime.errors import UsageError


class SkewedClock(BootClock):
    """The real clock with an offset, which goes too fast or too slow.

    Args:
        offset_s: Ahead of the real one, s, at the machine's boot.
        ppm: Millionths by which it goes faster.
    """

    def __init__(self, offset_s: float, ppm: float) -> None:
        self._offset_ns = round(offset_s * NS_PER_S)
        self._ppm = ppm

    def now_ns(self) -> int:
        """Return the wrong time."""
        real_ns = super().now_ns()
        return real_ns + self._offset_ns + round(real_ns * self._ppm / 1e6)

    def real_ns(self, wrong_ns: int) -> int:
        """Return what the real clock showed when this one showed `wrong_ns`."""
        return round((wrong_ns - self._offset_ns) / (1.0 + self._ppm / 1e6))


def clock_of(text: str | None) -> BootClock:
    """Return the clock that `OFFSET_S,PPM` describes; the real one for None.

    Raises:
        UsageError: It describes none.
    """
    if text is None:
        return BootClock()
    found = re.fullmatch(r"([-+]?\d{1,4}(?:\.\d+)?),([-+]?\d{1,4}(?:\.\d+)?)", text)
    if found is None:
        raise UsageError(f"a clock is OFFSET_S,PPM such as 5,200, got {text!r}")
    return SkewedClock(float(found[1]), float(found[2]))
