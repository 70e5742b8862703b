"""When pictures without a time stamp were taken: when they came, and of a burst one after another.

A JPEG stream bears no time. Where its reader, its network or its sender was held up, what waited
comes at once. Dated by arrival, a third of a second would be one moment after a hole. So a burst is
laid back over the pause before it: its last picture is dated when it came, the others evenly
between it and the one before the pause, or the usual interval apart where they are too few for it.

Only a picture that comes late can be the first of a burst. It waits until it is known whether
others follow at once; all others are dated and due when they come.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from realtime.clock import NS_PER_MS, NS_PER_S

if TYPE_CHECKING:
    from realtime.sources.playout import Arrived

_N_GAPS = 64  # whose mean is the usual interval
_LEAST_GAPS = 8  # before so many nobody knows it
_PAUSE_NS = NS_PER_S  # a longer gap says nothing of the rate, and slower cameras are left alone
_LATE = 1.5  # usual intervals: what comes after more comes late
_AT_ONCE = 0.75  # usual intervals: a busy machine reads what waits little faster than it came
_AT_ONCE_NS = 50 * NS_PER_MS  # and no more than this
_LONGEST_NS = 200 * NS_PER_MS  # what goes on for longer is no burst but another rate

T = TypeVar("T")


class ArrivalDates(Generic[T]):
    """Dates what bears no time; whoever uses it holds a lock.

    `arrived` is called with everything in order of arrival. It says when the item is due and what
    it is dated (`Arrived.due_ns`, `Arrived.date_ns`), and changes both while its burst goes on.
    """

    def __init__(self) -> None:
        self._gaps: deque[int] = deque(maxlen=_N_GAPS)
        self._last_ns: int | None = None  # the newest arrival
        self._before_ns = 0  # the date before the burst
        self._burst: list[Arrived[T]] = []

    def arrived(self, item: Arrived[T]) -> None:
        """Date an item that came at `item.arrived_ns`."""
        now_ns, last_ns = item.arrived_ns, self._last_ns
        item.date_ns = item.due_ns = now_ns
        interval_ns = self._interval_ns()
        gap_ns = None if last_ns is None else now_ns - last_ns
        self._last_ns = now_ns
        if gap_ns is None or last_ns is None:  # the first of all
            return
        if interval_ns is not None:
            if self._goes_on(now_ns, gap_ns, interval_ns):
                self._burst.append(item)
                self._lay_back(interval_ns)
            else:
                self._burst = []
                if gap_ns > _LATE * interval_ns:
                    self._burst, self._before_ns = [item], last_ns
                    item.due_ns = now_ns + self._at_once_ns(interval_ns)
        if gap_ns <= _PAUSE_NS:
            self._gaps.append(gap_ns)

    def taken(self, item: Arrived[T]) -> None:
        """Say that an item was taken out: its date is used, and stays."""
        if item in self._burst:
            self._burst.remove(item)
            self._before_ns = item.date_ns

    def _goes_on(self, now_ns: int, gap_ns: int, interval_ns: int) -> bool:
        if not self._burst or gap_ns > self._at_once_ns(interval_ns):
            return False
        return now_ns - self._burst[0].arrived_ns <= _LONGEST_NS

    def _lay_back(self, interval_ns: int) -> None:
        """Date a burst anew, as its newest item makes it."""
        end_ns, n_items = self._burst[-1].arrived_ns, len(self._burst)
        step_ns = (end_ns - self._before_ns) // n_items
        if step_ns > _LATE * interval_ns:  # not all that was taken in the pause was sent
            step_ns = interval_ns
        due_ns = end_ns + self._at_once_ns(interval_ns)
        for n_after, item in enumerate(reversed(self._burst)):
            item.date_ns = end_ns - n_after * step_ns
            item.due_ns = due_ns

    def _interval_ns(self) -> int | None:
        return None if len(self._gaps) < _LEAST_GAPS else sum(self._gaps) // len(self._gaps)

    @staticmethod
    def _at_once_ns(interval_ns: int) -> int:
        return min(round(_AT_ONCE * interval_ns), _AT_ONCE_NS)
