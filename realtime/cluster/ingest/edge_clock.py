"""An edge's clock against the pool's: offset and drift, from questions and answers.

As in NTP (RFC 5905, section 8): the pool stamps its question and the answer, the edge stamps when
the one came and the other left. Half of what both ways took together is the bound of the error. So
of each two seconds the exchange with the shortest way is kept, a line is fitted through those of
two minutes, and an exchange counts less the longer its way was. Until sixteen seconds are known the
drift is taken for none.

An edge may lie about its time. Then its own stream has false times, no other; what it says is
bounded where it is used (`realtime.cluster.ingest.edge_reader`).
"""

from __future__ import annotations

import threading
from collections import deque
from typing import NamedTuple

import numpy as np

from realtime.clock import NS_PER_MS, NS_PER_S

MAX_DRIFT = 1e-3  # 1000 ppm, as of a sound device (`realtime.buffers.audio_clock`)
MAX_WAY_NS = 2 * NS_PER_S  # both ways; a longer one says nothing
N_TO_SETTLE, GOOD_WAY_NS = 8, 4 * NS_PER_MS  # exchanges before anything is dated, one so short
N_AT_MOST = 40  # or so many: it is a slow network

_BUCKET_NS = 2 * NS_PER_S
_N_BUCKETS = 64  # two minutes: long against jitter, short against a crystal that warms up
_MIN_FIT_BUCKETS = 8
_JITTER_NS = 0.2 * NS_PER_MS  # an exchange whose way was so much longer than the shortest: half
_RESTART_NS = 100 * NS_PER_MS  # beyond what the way explains: the edge's clock was set, or slept


class _Exchange(NamedTuple):
    edge_ns: int
    pool_ns: int
    way_ns: int


class EdgeClock:
    """The line from one edge's clock to the pool's. Any thread may ask, one observes.

    Attributes:
        n_restarts: How often what the edge said did not fit what it had said before.
    """

    def __init__(self) -> None:
        self.n_restarts = 0
        self._lock = threading.Lock()
        self._kept: deque[_Exchange] = deque(maxlen=_N_BUCKETS)
        self._n = 0
        self._anchor_edge_ns = 0
        self._anchor_pool_ns = 0.0
        self._drift = 0.0

    @property
    def settled(self) -> bool:
        """Whether enough was exchanged to date by."""
        with self._lock:
            if self._n < N_TO_SETTLE:
                return False
            is_good = min(exchange.way_ns for exchange in self._kept) <= GOOD_WAY_NS
            return is_good or self._n >= N_AT_MOST

    @property
    def drift(self) -> float:
        """Seconds of the pool's clock per second of the edge's, less one."""
        with self._lock:
            return self._drift

    @property
    def fitted(self) -> bool:
        """Whether the drift is known."""
        with self._lock:
            return len(self._kept) >= _MIN_FIT_BUCKETS

    @property
    def way_ns(self) -> int:
        """The shortest way there and back so far; half of it bounds the offset's error."""
        with self._lock:
            return min((exchange.way_ns for exchange in self._kept), default=0)

    def observe(self, asked_ns: int, received_ns: int, sent_ns: int, answered_ns: int) -> bool:
        """Take one exchange.

        Args:
            asked_ns: When the question left, pool's clock.
            received_ns: When it came, edge's clock.
            sent_ns: When the answer left, edge's clock.
            answered_ns: When it came, pool's clock.

        Returns:
            Whether it can be true; what cannot is passed over.
        """
        held_ns = sent_ns - received_ns
        way_ns = answered_ns - asked_ns - held_ns
        if not (0 <= held_ns <= MAX_WAY_NS and 0 <= way_ns <= MAX_WAY_NS):
            return False
        new = _Exchange((received_ns + sent_ns) // 2, (asked_ns + answered_ns) // 2, way_ns)
        with self._lock:
            if self._n:
                off_ns = abs(new.pool_ns - self._line_ns(new.edge_ns))
                if off_ns > way_ns / 2 + _RESTART_NS:
                    self._kept.clear()
                    self._drift, self._n = 0.0, 0
                    self.n_restarts += 1
            self._n += 1
            last = self._kept[-1] if self._kept else None
            if last is None or new.pool_ns // _BUCKET_NS != last.pool_ns // _BUCKET_NS:
                self._kept.append(new)
            elif new.way_ns < last.way_ns:
                self._kept[-1] = new
            else:
                return True
            self._fit()
        return True

    def to_pool(self, edge_ns: int) -> int:
        """Return a time on the edge's clock as the pool's."""
        with self._lock:
            return round(self._line_ns(edge_ns))

    def to_edge(self, pool_ns: int) -> int:
        """Return a time on the pool's clock as the edge's."""
        with self._lock:
            past_ns = (pool_ns - self._anchor_pool_ns) / (1.0 + self._drift)
            return self._anchor_edge_ns + round(past_ns)

    def _line_ns(self, edge_ns: int) -> float:
        past_ns = edge_ns - self._anchor_edge_ns
        return self._anchor_pool_ns + past_ns * (1.0 + self._drift)

    def _fit(self) -> None:
        first, newest = self._kept[0], self._kept[-1]
        if len(self._kept) < _MIN_FIT_BUCKETS:
            best = min(self._kept, key=lambda exchange: exchange.way_ns)
            self._anchor_edge_ns, self._anchor_pool_ns = best.edge_ns, float(best.pool_ns)
            return
        x_ns = np.array([e.edge_ns - first.edge_ns for e in self._kept], dtype=np.float64)
        y_ns = np.array([e.pool_ns - first.pool_ns for e in self._kept], dtype=np.float64) - x_ns
        way_ns = np.array([e.way_ns for e in self._kept], dtype=np.float64)
        weights = 1.0 / (1.0 + ((way_ns - way_ns.min()) / _JITTER_NS) ** 2)
        x_mean, y_mean = np.average(x_ns, weights=weights), np.average(y_ns, weights=weights)
        spread = (weights * (x_ns - x_mean) ** 2).sum()
        slope = 0.0 if not spread else (weights * (x_ns - x_mean) * (y_ns - y_mean)).sum() / spread
        self._drift = float(np.clip(slope, -MAX_DRIFT, MAX_DRIFT))
        # The anchor lies at the newest, where the line is used.
        self._anchor_edge_ns = newest.edge_ns
        at_ns = newest.edge_ns - first.edge_ns
        self._anchor_pool_ns = first.pool_ns + at_ns + y_mean + self._drift * (at_ns - x_mean)
