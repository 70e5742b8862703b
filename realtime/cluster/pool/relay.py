"""All actors' messages as one pool's: joined, numbered anew, counted and shown.

Place in the flow: `RelayFeed` → `Continuing` → stamper → the outputs that any run has. Who has
which stream comes from the registry's view; what another actor still says of it is passed over.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from realtime.clock import NS_PER_MS, Clock
from realtime.cluster.pool.continuing import Body, Continuing
from realtime.cluster.pool.registry import View
from realtime.cluster.pool.relay_feed import RelayFeed
from realtime.cluster.pool.shown_stream import ShownStream
from realtime.outputs.stamper import MessageStamper
from realtime.outputs.wire import Message
from realtime.stats import Stats

logger = logging.getLogger(__name__)

_COUNTED_HERE = frozenset(("events", "messages"))


class Relay:
    """Hands on what actors say; `step` and `finish` are one thread's, the rest is any's.

    Args:
        feed: What actors publish.
        stamper: Of the pool's run.
        streams: Their names, each with what is shown of it and its figures.
        emit: Takes the pool's messages.
        is_paused: Whether somebody has paused a stream: nothing of it is told.
        clock: The pool's.
    """

    def __init__(
        self,
        feed: RelayFeed,
        stamper: MessageStamper,
        streams: Mapping[str, tuple[ShownStream, Stats]],
        *,
        emit: Callable[[Message], None],
        is_paused: Callable[[str], bool],
        clock: Clock,
    ) -> None:
        self._feed = feed
        self._stamper = stamper
        self._streams = streams
        self._emit = emit
        self._is_paused = is_paused
        self._clock = clock
        self._lock = threading.Lock()
        self._behind_ns: dict[str, int] = {}
        self._continuing = Continuing(stamper.run, lambda actor: self._behind_ns.get(actor, 0))
        self._view: View | None = None
        self._counted: dict[tuple[str, str], Mapping[str, int]] = {}

    def look(self, view: View) -> None:
        """Take how the pool stands."""
        with self._lock:
            self._view = view
        self._feed.ring()

    def set_behind(self, actor: str, behind_ns: int) -> None:
        """Say by how much an actor's wall clock is behind this machine's, ns."""
        self._behind_ns = {**self._behind_ns, actor: behind_ns}

    def step(self) -> bool:
        """Wait for messages, at most a tenth of a second, and hand them on."""
        with self._lock:
            view, self._view = self._view, None
        if view is not None:
            self._adopt(view)
        for actor, body in self._feed.receive():
            if body["type"] == "heartbeat" or body.get("source") not in self._streams:
                continue
            told = self._continuing.take(actor, body)
            if told is not None:
                self._tell(actor, told)
        self._tell_all(self._continuing.due(self._clock.now_ns()))
        return True

    def finish(self) -> None:
        """End the events that go on, and say that each stream has ended."""
        self._tell_all(self._continuing.finish())
        self._tell_all(self._continuing.farewells())

    def _adopt(self, view: View) -> None:
        now_ns = self._clock.now_ns()
        for name in self._streams:
            actor = view.places.get(name)
            status = self._continuing.moved(name, actor if actor in view.actors else None, now_ns)
            if status is not None:
                self._tell_all([status])
        self._feed.follow({name: news.events for name, news in view.actors.items()})
        for actor, news in view.actors.items():
            for name, counts in news.counts.items():
                if view.places.get(name) == actor and name in self._streams:
                    self._count(actor, name, counts)

    def _count(self, actor: str, stream: str, counts: Mapping[str, int]) -> None:
        """Add what an actor's counters have gained since they were seen last."""
        before = self._counted.get((actor, stream), {})
        if any(counts.get(name, 0) < n for name, n in before.items()):
            before = {}  # it let go of the stream and has it again
        self._counted[actor, stream] = counts
        stats = self._streams[stream][1]
        for name in counts.keys() - _COUNTED_HERE:
            gained = counts[name] - before.get(name, 0)
            if gained > 0:
                stats.count(name, gained)

    def _tell(self, actor: str, body: Body) -> None:
        stream = body["source"]
        if self._is_paused(stream) and body["type"] != "status":
            return
        stats = self._streams[stream][1]
        if body["type"] == "prediction":
            quality = dict(body["quality"])
            if quality["latency_ms"] is not None:
                quality["latency_ms"] = round(quality["latency_ms"] + self._way_ms(actor, body), 2)
            body = {**body, "quality": quality}
            stats.observe_step(quality["compute_ms"] or 0.0, quality["latency_ms"])
        elif body["type"] == "event" and body["phase"] == "onset":
            stats.count_event(body["label"])
        self._tell_all([body])

    def _tell_all(self, bodies: Iterable[Body]) -> None:
        for body in bodies:
            self._streams[body["source"]][0].take(body)
            self._emit(self._stamper.again(body))

    def _way_ms(self, actor: str, body: Mapping[str, Any]) -> float:
        """Return how long a message was on its way, ms."""
        sent = datetime.fromisoformat(body["sent"]["utc"]).timestamp() * 1e3
        sent += self._behind_ns.get(actor, 0) / NS_PER_MS
        return max(0.0, self._stamper.utc().timestamp() * 1e3 - sent)
