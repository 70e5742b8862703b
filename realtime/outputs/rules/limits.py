"""How often a rule may hold: not again for a while, and so many times within an hour. Pure."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta

HOUR = timedelta(hours=1)


class Limits:
    """Counts the times that one rule held, by the events' own times.

    Events of several streams come a little out of order, and a wall clock may be set back: only
    how far two moments lie apart counts.

    Args:
        cooldown_s: Not again for so long.
        per_hour: At most so many within an hour.
    """

    def __init__(self, cooldown_s: float, per_hour: int) -> None:
        self._cooldown = timedelta(seconds=cooldown_s)
        self._per_hour = per_hour
        self._held: deque[datetime] = deque(maxlen=per_hour)

    def why_not(self, moment: datetime) -> str:
        """Return why the rule may not hold at a moment; "" if it may."""
        if self._held and abs(moment - self._held[-1]) < self._cooldown:
            return f"it held {abs(moment - self._held[-1]).total_seconds():.0f} s before"
        if len(self._held) == self._per_hour and abs(moment - self._held[0]) < HOUR:
            return f"it held {self._per_hour} times within an hour"
        return ""

    def count(self, moment: datetime) -> None:
        """Say that it held."""
        self._held.append(moment)
