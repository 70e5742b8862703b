"""What the pool knows of one edge: who it is, its clock, and what came of it and is not taken yet.

The hub's thread feeds it, the stream's reader takes from it. It knows neither sockets nor rings.
"""

from __future__ import annotations

import itertools
import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from realtime.buffers.signal import DataSignal
from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.cluster.ingest.edge_clock import EdgeClock
from realtime.cluster.wire.protocol import Answer, Ask, Bye, FromEdge, Hello

logger = logging.getLogger(__name__)

SILENT_NS = 3 * NS_PER_S  # an edge answers twice a second
MAX_WAITING = 128  # messages: three seconds of both senses; DROP_OLDEST
WINDOW_WAITING = 640  # likewise, where an edge sends a window at once
ASK_FIRST_NS, ASK_NS = 25 * NS_PER_MS, 500 * NS_PER_MS
_MAX_ASKED = 16  # questions without an answer; the oldest is forgotten


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Arrived:
    """A message and when it came, on the pool's clock."""

    message: FromEdge
    arrived_ns: int


@dataclass(slots=True, kw_only=True)
class Progress:
    """Up to where a start of an edge has been received; its stream's reader's alone.

    Attributes:
        next_number: Of the next picture; None before the first.
        next_index: Of the next sample, likewise.
    """

    next_number: int | None = None
    next_index: int | None = None


class Link:
    """One edge, through all its starts and connections; each method says whose it is.

    Args:
        name: The stream's.
        max_waiting: Messages that wait for the stream's reader.
    """

    def __init__(self, name: str, max_waiting: int = MAX_WAITING) -> None:
        self.name = name
        self._max_waiting = max_waiting
        self.clock = EdgeClock()
        self.progress = Progress()
        self.news = DataSignal()
        self.peer: bytes | None = None  # where it can be reached; the hub's alone
        self.hello: Hello | None = None
        self._lock = threading.Lock()
        self._heard_ns: int | None = None
        self._waiting: deque[Arrived] = deque()
        self._n_dropped = 0
        self._owner: object | None = None
        self._epoch_ns: Callable[[], int | None] = lambda: None
        self._nonces = itertools.count(1)
        self._asked: dict[int, int] = {}
        self._ask_due_ns = 0
        self._has_told = self._has_fitted = False

    # The hub's.

    def greet(self, hello: Hello, peer: bytes, now_ns: int) -> str | None:
        """Take a hello; return why it is refused, None where it is welcome."""
        is_same = self.hello is not None and self.hello.session == hello.session
        if not is_same:
            if self.is_heard(now_ns) and self.hello is not None:
                return is_there_already(self.name)
            self.clock, self.progress = EdgeClock(), Progress()
            self._has_told = self._has_fitted = False
            with self._lock:
                self._waiting.clear()
        self.peer, self.hello = peer, hello
        self._asked.clear()
        self._ask_due_ns = now_ns
        self.hear(now_ns)
        return None

    def hear(self, now_ns: int) -> None:
        """Say that something of it came."""
        self._heard_ns = now_ns

    def put(self, message: FromEdge, now_ns: int) -> None:
        """Take a message for the stream; when full the oldest is dropped, and counted."""
        with self._lock:
            if self._owner is None:
                return  # nobody waits for it
            self._waiting.append(Arrived(message=message, arrived_ns=now_ns))
            while len(self._waiting) > self._max_waiting:
                self._waiting.popleft()
                self._n_dropped += 1
        self.news.notify()

    def ask(self, now_ns: int) -> Ask | None:
        """Return the next question if it is due."""
        if self.hello is None or now_ns < self._ask_due_ns or not self.is_heard(now_ns):
            return None
        settled = self.clock.settled
        self._ask_due_ns = now_ns + (ASK_NS if settled else ASK_FIRST_NS)
        nonce = next(self._nonces)
        self._asked[nonce] = now_ns
        while len(self._asked) > _MAX_ASKED:
            del self._asked[next(iter(self._asked))]
        if not settled:
            return Ask(nonce=nonce, wanted=False)
        with self._lock:
            wanted, epoch_ns = self._owner is not None, self._epoch_ns()
        return Ask(
            nonce=nonce,
            wanted=wanted,
            edge_ns=self.clock.to_edge(now_ns),
            t_ns=-1 if epoch_ns is None else max(-1, now_ns - epoch_ns),
            drift=self.clock.drift,
        )

    def answered(self, answer: Answer, now_ns: int) -> bool:
        """Take an answer; return whether it was asked for and can be true."""
        asked_ns = self._asked.pop(answer.nonce, None)
        if asked_ns is None:
            return False
        n_restarts = self.clock.n_restarts
        fits = self.clock.observe(asked_ns, answer.received_ns, answer.sent_ns, now_ns)
        self._tell(now_ns, restarted=self.clock.n_restarts != n_restarts)
        return fits

    def due_ns(self) -> int:
        """Return when the next question is due, pool's clock."""
        return self._ask_due_ns

    # Any thread's.

    def is_heard(self, now_ns: int) -> bool:
        """Whether it is there: something came lately, and no goodbye."""
        return self._heard_ns is not None and now_ns - self._heard_ns < SILENT_NS

    def forget(self) -> None:
        """Say that it has gone, for it said so; the hub's."""
        self._heard_ns = None
        with self._lock:
            self._waiting.append(Arrived(message=Bye(), arrived_ns=0))
        self.news.notify()

    # The reader's.

    def attach(self, owner: object, epoch_ns: Callable[[], int | None]) -> None:
        """Want samples from now on; whatever waited is forgotten.

        Args:
            owner: Who wants them; a former one has them no more.
            epoch_ns: Where the stream's time begins on the pool's clock; None before it has.
        """
        with self._lock:
            self._owner, self._epoch_ns = owner, epoch_ns
            self._waiting.clear()
            self._n_dropped = 0
        self._ask_due_ns = 0

    def detach(self, owner: object) -> None:
        """Want none any more, unless another owner does."""
        with self._lock:
            if self._owner is owner:
                self._owner = None
                self._waiting.clear()

    def take(self, owner: object) -> Arrived | None:
        """Return the oldest message; None where there is none, or somebody else owns it."""
        with self._lock:
            return self._waiting.popleft() if self._waiting and self._owner is owner else None

    def take_dropped(self) -> int:
        """Return how many messages were dropped since this was asked last."""
        with self._lock:
            n, self._n_dropped = self._n_dropped, 0
        return n

    def _tell(self, now_ns: int, *, restarted: bool) -> None:
        """Log what was learned of its clock: offset, drift once, and when all of it was wrong."""
        if restarted:
            logger.warning("edge %s: its clock jumped; its times are learned anew", self.name)
            self._has_told = self._has_fitted = False
        if not self._has_told and self.clock.settled:
            self._has_told = True
            ahead_s = (self.clock.to_edge(now_ns) - now_ns) / NS_PER_S
            way_ms = self.clock.way_ns / NS_PER_MS
            logger.info(
                "edge %s: its clock is %+.3f s off, known to %.1f ms",
                self.name,
                ahead_s,
                way_ms / 2,
            )
        if not self._has_fitted and self.clock.fitted:
            self._has_fitted = True
            logger.info("edge %s: its clock drifts %+.0f ppm", self.name, -self.clock.drift * 1e6)


def is_there_already(name: str) -> str:
    """Return why a second edge of a name is refused."""
    return f"an edge called {name} is there already; give another --name, or end the other one"
