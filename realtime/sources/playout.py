"""Packets between their arrival and their moment: a stream that comes in lumps is played smoothly.

What has arrived waits here undecoded (4 s of it are some megabytes; decoded they would be a
gigabyte) until its own time, laid on the run's clock, and the stream's lag have passed. A smooth
source has no lag, and everything is due at once. Each of the sender's streams has a queue of its
own: in a lump the sound may lie half a second behind the pictures beside it.

The time that samples bear is when they were captured; the lag does not move it.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from realtime.buffers.signal import DataSignal
from realtime.clock import NS_PER_S
from realtime.sources.arrival_dates import ArrivalDates
from realtime.sources.delivery import Delivery
from realtime.sources.sender_clock import SenderClock

if TYPE_CHECKING:
    from realtime.buffers.lag import Lag

MAX_BYTES = 64 << 20  # of packets; more is only waiting where a clock is broken

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamps:
    """A packet's times by its sender's clock, ns.

    Attributes:
        stream: Which of the sender's streams.
        start_ns: Of its first sample.
        end_ns: Exclusive end of a block of sound; of a picture its start.
        play_ns: When it should be decoded: earlier than shown where pictures are reordered.
    """

    stream: int
    start_ns: int
    end_ns: int
    play_ns: int


@dataclass(slots=True, kw_only=True, eq=False)
class Arrived(Generic[T]):
    """What waits: `stamps` is None for what bears no time, `origin` as in `SenderClock`.

    Of what bears no time, `realtime.sources.arrival_dates` says what it is dated and when it is
    due, both on the run's clock.
    """

    item: T
    arrived_ns: int
    n_bytes: int
    stamps: Stamps | None
    origin: int
    date_ns: int = 0
    due_ns: int = 0


class Playout(Generic[T]):
    """Any thread may call any method; one puts, one takes. When full, the oldest are dropped.

    Args:
        delivery: How this opening of the source delivers.
        lag: The stream's; follows what `delivery` finds.

    Attributes:
        n_dropped: How many packets were.
        news: Notified at every put.
    """

    def __init__(self, delivery: Delivery, lag: Lag) -> None:
        self.n_dropped = 0
        self.news = DataSignal()
        self._delivery = delivery
        self._known_lag_ns = delivery.lag_ns
        self._lag = lag
        self._sender = SenderClock()
        self._arrivals: ArrivalDates[T] = ArrivalDates()
        self._lock = threading.Lock()
        self._queues: dict[int, deque[Arrived[T]]] = {}
        self._n_bytes = 0
        self._bears_time = False
        self._newest_ns: int | None = None
        self._origin_ns = 0  # when the newest origin of time began

    @property
    def newest_ns(self) -> int | None:
        """When something came last; None before the first."""
        with self._lock:
            return self._newest_ns

    def begin(self, now_ns: int) -> None:
        """Say that the stream wants to begin: what came while nobody watched tells little."""
        with self._lock:
            self._delivery.begin(now_ns, self._known_lag_ns)
            self._lag.set(self._delivery.lag_ns)

    def put(self, item: T, n_bytes: int, stamps: Stamps | None, now_ns: int) -> None:
        """Take what arrived at `now_ns`."""
        with self._lock:
            self._newest_ns = now_ns
            if stamps is not None:
                self._bears_time = True
                self._observe(stamps, now_ns)
            arrived = Arrived(
                item=item,
                arrived_ns=now_ns,
                n_bytes=n_bytes,
                stamps=stamps,
                origin=self._sender.origin,
            )
            if stamps is None:
                self._arrivals.arrived(arrived)
            stream = -1 if stamps is None else stamps.stream
            self._queues.setdefault(stream, deque()).append(arrived)
            self._n_bytes += n_bytes
            while self._n_bytes > MAX_BYTES:
                largest = max(self._queues.values(), key=lambda q: sum(a.n_bytes for a in q))
                self._n_bytes -= largest.popleft().n_bytes
                self.n_dropped += 1
        self.news.notify()

    def is_settled(self, now_ns: int) -> bool:
        """Whether it is known how the source delivers; at once where it bears no time."""
        with self._lock:
            if self._newest_ns is None:
                return False
            return not self._bears_time or self._delivery.is_settled(now_ns)

    def wait_ns(self, now_ns: int) -> int | None:
        """Return in how long something is due, 0 for now; None where nothing is there."""
        with self._lock:
            due_ns = min((self._due_ns(q[0]) for q in self._queues.values() if q), default=None)
            return None if due_ns is None else max(0, due_ns - now_ns)

    def take(self, now_ns: int) -> Arrived[T] | None:
        """Return what is due, the most urgent first; None where nothing is."""
        with self._lock:
            full = [queue for queue in self._queues.values() if queue]
            queue = min(full, key=lambda q: self._due_ns(q[0]), default=None)
            if queue is None or self._due_ns(queue[0]) > now_ns:
                return None
            arrived = queue.popleft()
            self._n_bytes -= arrived.n_bytes
            self._arrivals.taken(arrived)
            return arrived

    def time_ns(self, media_ns: int, arrived: Arrived[T]) -> int:
        """Return when a sample of what had arrived was captured, on the run's clock.

        Args:
            media_ns: The sample's time by the sender's clock.
            arrived: The packet that it came of; one without time is dated by its arrival
                (`realtime.sources.arrival_dates`).
        """
        with self._lock:
            if arrived.stamps is None:
                return arrived.date_ns
            return self._sender.time_ns(media_ns, arrived.origin)

    # Each of the following needs the lock.

    def _observe(self, stamps: Stamps, now_ns: int) -> None:
        origin = self._sender.origin
        before_ns = self._sender.time_ns(0) if self._sender.is_laid else None
        self._sender.observe(stamps.end_ns, now_ns, stamps.stream, self._delivery.lag_ns)
        laid_ns = self._sender.time_ns(0)
        gain_ns = 0
        if origin != self._sender.origin:
            self._origin_ns = now_ns
        elif before_ns is not None and (not origin or now_ns - self._origin_ns > NS_PER_S):
            gain_ns = max(0, before_ns - laid_ns)  # of a new origin only the laying itself
        late_ns = now_ns - (stamps.start_ns + laid_ns)
        until_ns = stamps.end_ns + laid_ns
        self._delivery.arrived(now_ns, late_ns, until_ns, gain_ns)
        self._lag.set(self._delivery.lag_ns)

    def _due_ns(self, arrived: Arrived[T]) -> int:
        if arrived.stamps is None:
            return arrived.due_ns
        return self._sender.time_ns(arrived.stamps.play_ns, arrived.origin) + self._lag.ns
