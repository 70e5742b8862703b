"""When something holds: times of day and days of the week, on the wall of where people are. Pure.

A time is what a clock on the wall shows. Where clocks are put ahead an hour is missing that day;
where they are put back one holds twice. A span over midnight belongs to the day it begins on:
`fri` with `22:00-06:00` is still on at five on Saturday.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from realtime.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES = 24 * 60
_SPAN = re.compile(r"([0-9]{1,2}):([0-9]{2})\s*-\s*([0-9]{1,2}):([0-9]{2})")


@dataclass(frozen=True, slots=True)
class DayTimes:
    """Spans of minutes since midnight, end exclusive, and the days they begin on (0 is Monday).

    Without a span all of each day counts.
    """

    spans: tuple[tuple[int, int], ...] = ()
    days: frozenset[int] = frozenset(range(len(DAYS)))

    @classmethod
    def of(cls, times: Sequence[str], weekdays: Sequence[str], where: str) -> DayTimes:
        """Read `22:00-06:00` and `mon`, `sat-sun`.

        Args:
            times: Spans; none means all day.
            weekdays: Days, or spans of days; none means all.
            where: What a refusal names.

        Raises:
            UsageError: One is no such thing.
        """
        days = {day for text in weekdays for day in _days(text, where)}
        spans = tuple(_span(text, where) for text in times)
        return cls(spans, frozenset(days) if days else frozenset(range(len(DAYS))))

    def cover(self, local: datetime) -> bool:
        """Return whether they hold at a moment of local time."""
        minute, today = local.hour * 60 + local.minute, local.weekday()
        if not self.spans:
            return today in self.days
        yesterday = (today - 1) % len(DAYS)
        for start, end in self.spans:
            if start < end:
                if start <= minute < end and today in self.days:
                    return True
            elif (minute >= start and today in self.days) or (
                minute < end and yesterday in self.days
            ):
                return True
        return False


def _span(text: str, where: str) -> tuple[int, int]:
    found = _SPAN.fullmatch(text.strip())
    if found is not None:
        h0, m0, h1, m1 = (int(part) for part in found.groups())
        start, end = h0 * 60 + m0, h1 * 60 + m1
        if start < MINUTES and end <= MINUTES and m0 < 60 and m1 < 60 and start != end:
            return start, end
    raise UsageError(f'{where}: a time is such as "22:00-06:00", up to 24:00, got {text!r}')


def _days(text: str, where: str) -> list[int]:
    first, dash, last = (part.strip().lower()[:3] for part in text.partition("-"))
    if first not in DAYS or (dash and last not in DAYS):
        raise UsageError(f'{where}: a day is such as "mon" or "sat-sun", got {text!r}')
    start = DAYS.index(first)
    n_days = (DAYS.index(last) - start) % len(DAYS) + 1 if dash else 1
    return [(start + n) % len(DAYS) for n in range(n_days)]
