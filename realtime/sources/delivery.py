"""Measures how a source delivers: smoothly, or in lumps of which the first sample is old.

A playlist's part of 4 s comes at once when it is complete: its first picture is 4 s old by then.
MPEG-TS packs a third of a second of sound into one piece. Who waits a quarter of a second for a
late sense never gets a whole second of such a source. So the stream lags behind by as much as the
oldest sample of a lump is late, plus a margin; a smooth source costs nothing.

No lump is the backlog that FFmpeg read while it found out what there is, which comes at once at
the opening; nor is one stall of a source that was smooth, after which all comes at once.
Pure: it is told arrivals and the time.
"""

from __future__ import annotations

from collections import deque

from realtime.buffers.lag import MAX_LAG_NS
from realtime.clock import NS_PER_MS, NS_PER_S

BURST_GAP_NS = 150 * NS_PER_MS  # nothing for so long: the backlog is over
STEADY_NS = NS_PER_S // 2  # so it is once nothing came earlier than all before for so long
LONGEST_BACKLOG_NS = 10 * NS_PER_S  # who sends faster than it plays for longer goes on to do so
JITTER_NS = 20 * NS_PER_MS
LOOK_NS = NS_PER_S // 2  # after the backlog; by then a smooth source is known
MIN_MARGIN_NS = 150 * NS_PER_MS
MARGIN = 0.1  # of the lump
SAFE_NS = 50 * NS_PER_MS  # of the patience, for the way through this program
AGAIN_NS = 30 * NS_PER_S  # two lumps within it are a habit
LUMP_GAP_NS = NS_PER_S // 4  # what is late within it belongs to one lump
LASTING_NS = 5 * NS_PER_S  # all that comes is late: a habit, too
ALIKE = 2  # so many times the known lag is still such a lump; more is a stall
_BUCKET_NS = 10 * NS_PER_S
_N_BUCKETS = 6  # a minute without such a lump before the lag falls
_EASE = 0.05  # of time: so slowly that no clip comes due with the one before
_SLACK_NS = NS_PER_S // 2  # a lag that is too long by less stays


class Delivery:
    """Follows one opening of a source; one thread calls it at a time.

    Args:
        patience_ns: What is late by less is waited for by the clip assembler anyway.
        lag_ns: What an earlier opening of the same source came to.

    Attributes:
        lag_ns: By how much the stream should lag behind.
    """

    def __init__(self, patience_ns: int, lag_ns: int = 0) -> None:
        self._patience_ns = patience_ns
        self._limit_ns = max(0, patience_ns - SAFE_NS)
        self.lag_ns = lag_ns
        self._burst_over_ns: int | None = None  # None while the backlog comes
        self._settled = False
        self._opened_ns = 0  # when it came first
        self._overtaken_ns = 0  # when something came earlier than all before, and
        self._gained_ns = 0  # by how much since then
        self._arrived_ns: int | None = None
        self._complete_until_ns = 0
        self._worst: deque[tuple[int, int]] = deque(maxlen=_N_BUCKETS)  # bucket, lateness
        self._began_ns = 0  # when the history in it began
        self._lumps: deque[tuple[int, int]] = deque(maxlen=2)  # began, lateness: the last ones
        self._late_at_ns = 0  # when something late came last

    def arrived(self, now_ns: int, late_ns: int, until_ns: int, gain_ns: int = 0) -> None:
        """Take note of a packet.

        Args:
            now_ns: When it came.
            late_ns: How old its first sample was then, as the sender's clock is laid now.
            until_ns: Up to when it goes, likewise, on the run's clock.
            gain_ns: By how much its delay was less than the least before: all that came before
                was later than it seemed.
        """
        if gain_ns:
            later = ((bucket, late + gain_ns) for bucket, late in self._worst)
            self._worst = deque(later, maxlen=_N_BUCKETS)
        if self._burst_over_ns is None:
            self._follow_backlog(now_ns, gain_ns)
        passed_ns = 0 if self._arrived_ns is None else now_ns - self._arrived_ns
        self._arrived_ns = now_ns
        self._complete_until_ns = max(self._complete_until_ns, until_ns)
        if self._burst_over_ns is not None and late_ns <= MAX_LAG_NS:
            self._judge(now_ns, late_ns)
            self._ease(now_ns, min(passed_ns, NS_PER_S))

    def begin(self, now_ns: int, lag_ns: int = 0) -> None:
        """Forget what was measured so far, but that the backlog is over.

        While the networks load, this program itself looks late. A smooth source is known again in
        half a second, another one with its next lump.

        Args:
            now_ns: When the stream wants to begin.
            lag_ns: What an earlier opening came to.
        """
        self.lag_ns = lag_ns
        self._settled = False
        self._worst.clear()
        self._lumps.clear()
        if self._burst_over_ns is not None:
            self._burst_over_ns = self._began_ns = now_ns

    def is_settled(self, now_ns: int) -> bool:
        """Whether it is known how the source delivers: until then nothing should be played.

        After its backlog a source has to show that more comes: a playlist that nobody continues
        is not played again and again.
        """
        if not self._settled and self._burst_over_ns is not None:
            starved_ns = now_ns - self._complete_until_ns
            is_fed = starved_ns <= self.lag_ns + self._patience_ns
            self._settled = is_fed and now_ns - self._burst_over_ns >= LOOK_NS
        return self._settled

    def _follow_backlog(self, now_ns: int, gain_ns: int) -> None:
        if self._arrived_ns is None:
            self._opened_ns = self._overtaken_ns = now_ns
            return
        is_steady = now_ns - self._overtaken_ns > STEADY_NS
        is_long = now_ns - self._opened_ns > LONGEST_BACKLOG_NS
        if now_ns - self._arrived_ns > BURST_GAP_NS or is_steady or is_long:
            self._burst_over_ns = self._began_ns = now_ns
            return
        self._gained_ns += gain_ns
        if self._gained_ns > JITTER_NS:
            self._overtaken_ns, self._gained_ns = now_ns, 0

    def _judge(self, now_ns: int, late_ns: int) -> None:
        bucket, worst_ns = now_ns // _BUCKET_NS, late_ns
        if self._worst and self._worst[-1][0] == bucket:
            worst_ns = max(late_ns, self._worst.pop()[1])
        self._worst.append((bucket, worst_ns))
        if late_ns <= max(self._limit_ns, self.lag_ns):
            return
        is_new = not self._lumps or now_ns - self._late_at_ns > LUMP_GAP_NS
        if is_new or now_ns - self._lumps[-1][0] > LASTING_NS:
            self._lumps.append((now_ns, late_ns))
        began_ns, lump_ns = self._lumps[-1]
        lump_ns = max(lump_ns, late_ns)
        self._lumps[-1] = (began_ns, lump_ns)
        self._late_at_ns = now_ns
        large_ns = 0
        if not self._settled:
            large_ns = self._worst_ns()
        elif lump_ns <= ALIKE * self.lag_ns:
            large_ns = lump_ns
        elif len(self._lumps) == 2 and now_ns - self._lumps[0][0] <= AGAIN_NS:
            large_ns = min(size_ns for _, size_ns in self._lumps)  # both were that large
        self.lag_ns = max(self.lag_ns, self._needed_ns(large_ns))

    def _ease(self, now_ns: int, passed_ns: int) -> None:
        """Lag less where no such lump has come for long."""
        if not self.lag_ns or now_ns - self._began_ns < _N_BUCKETS * _BUCKET_NS:
            return
        needed_ns = self._needed_ns(self._worst_ns(now_ns))
        if self.lag_ns > needed_ns + _SLACK_NS or not needed_ns:
            self.lag_ns = max(needed_ns, self.lag_ns - round(_EASE * passed_ns))

    def _worst_ns(self, now_ns: int | None = None) -> int:
        since = -1 if now_ns is None else now_ns // _BUCKET_NS - _N_BUCKETS
        return max((late for bucket, late in self._worst if bucket > since), default=0)

    def _needed_ns(self, late_ns: int) -> int:
        if late_ns <= self._limit_ns:
            return 0
        return min(late_ns + max(MIN_MARGIN_NS, round(MARGIN * late_ns)), MAX_LAG_NS)
