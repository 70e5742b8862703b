"""A sender's time stamps on the run's clock.

The time stamps say how far apart two samples are, their arrival says when. Arrival is late by a
varying amount, never early, so the sender's clock is laid at the least delay seen lately. Late is
not set back: samples that go on where the last ones ended are late, however much; a new origin of
time is told by a leap from one sample to the next.
"""

from __future__ import annotations

from collections import deque

from realtime.clock import NS_PER_S

RESTART_NS = 3 * NS_PER_S  # time stamps that leap this far, and not with time, have a new origin
_BUCKET_NS = NS_PER_S
_SHIFT_NS = NS_PER_S // 2  # later than laid by this much, for all of
_N_SHIFTED = 3  # buckets, the running one among them: the sender's clock was set back
_N_BUCKETS = 30  # the least delay of half a minute: outlives a busy spell, follows drift
_N_ORIGINS = 8  # old ones that are remembered, for what still waits to be played


class SenderClock:
    """Lays a sender's time stamps on the run's clock at the least delay seen lately.

    Attributes:
        origin: Counts the origins of time so far; `time_ns` of what came before a new one asks
            with the old number.
    """

    def __init__(self) -> None:
        self.origin = 0
        self._buckets: deque[tuple[int, int]] = deque(maxlen=_N_BUCKETS)
        self._offsets: dict[int, int] = {}  # by origin
        self._newest: dict[int, int] = {}  # time stamp, by stream

    def observe(self, media_ns: int, arrived_ns: int, stream: int = 0, lag_ns: int = 0) -> None:
        """Take note of an arrival.

        Args:
            media_ns: Until when what has come was captured, sender's time.
            arrived_ns: When it came, on the run's clock.
            stream: Which of the sender's streams; each goes on by itself.
            lag_ns: So late it may be because the sender delivers in lumps.
        """
        offset_ns = arrived_ns - media_ns
        laid_ns = self._offsets.get(self.origin)
        before_ns = self._newest.get(stream, media_ns)
        self._newest[stream] = media_ns
        leaps = abs(media_ns - before_ns) > RESTART_NS
        if leaps and laid_ns is not None and abs(offset_ns - laid_ns) > RESTART_NS:
            self._start_anew()
        bucket = arrived_ns // _BUCKET_NS
        if self._buckets and self._buckets[-1][0] == bucket:
            offset_ns = min(offset_ns, self._buckets.pop()[1])
        self._buckets.append((bucket, offset_ns))
        laid_ns = min(offset for _, offset in self._buckets)
        newest = list(self._buckets)[-_N_SHIFTED:]
        if min(offset for _, offset in newest) - laid_ns > _SHIFT_NS + lag_ns:
            self._buckets = deque(newest, maxlen=_N_BUCKETS)
            laid_ns = min(offset for _, offset in newest)
        self._offsets[self.origin] = laid_ns

    @property
    def is_laid(self) -> bool:
        """Whether anything was observed since the newest origin."""
        return self.origin in self._offsets

    def time_ns(self, media_ns: int, origin: int | None = None) -> int:
        """Return sender's time `media_ns` on the run's clock.

        Args:
            media_ns: A time stamp.
            origin: The one that was in force when it came; None for the newest. Of one that is
                remembered no more the oldest that is stands in: all of it is long due.
        """
        offset_ns = self._offsets.get(self.origin if origin is None else origin)
        if offset_ns is None and origin is not None and self._offsets:
            offset_ns = self._offsets[min(self._offsets)]
        if offset_ns is None:
            raise ValueError("nothing has arrived yet")
        return media_ns + offset_ns

    def _start_anew(self) -> None:
        self.origin += 1
        self._buckets.clear()
        self._newest.clear()
        self._offsets.pop(self.origin - _N_ORIGINS, None)
