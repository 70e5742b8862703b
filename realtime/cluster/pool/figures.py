"""How a pool stands, for people and for Prometheus: who has which stream, and how it does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from typing import NamedTuple

from realtime.cluster.pool.registry import View

logger = logging.getLogger(__name__)


class Family(NamedTuple):
    """Figures of one name, each with its labels."""

    name: str
    text: str
    labels: tuple[str, ...]
    values: tuple[tuple[tuple[str, ...], float], ...]


class PoolFigures:
    """Keeps the newest view and says what is new in it; `look` is one thread's, the rest any's."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._view: View | None = None
        self._n_known_moves: int | None = None
        self._waiting: set[str] = set()

    def look(self, view: View, streams: Iterable[str]) -> None:
        """Take how the pool stands; log what has moved."""
        with self._lock:
            before, self._view = self._view, view
        known = frozenset() if before is None else frozenset(before.moves)
        for move in view.moves:
            if move in known:
                continue
            there = _place(view, move.after)
            if move.before is None:
                logger.info("%s is recognized by %s %s", move.stream, move.after, there)
            else:
                logger.warning(
                    "%s goes on at %s %s; before: %s, %s",
                    move.stream,
                    move.after,
                    there,
                    move.before,
                    move.why,
                )
        waiting = set(streams) - view.places.keys()
        if waiting - self._waiting and before is not None:
            logger.warning("no recognizer is there yet for %s", ", ".join(sorted(waiting)))
        self._waiting = waiting
        if view.fault and (before is None or view.fault != before.fault):
            logger.warning("an actor does not start: %s", view.fault)

    def place_of(self, stream: str) -> str | None:
        """Return the actor that has a stream."""
        view = self._newest()
        return None if view is None else view.places.get(stream)

    def actors(self) -> list[str]:
        """Return the names of those that are heard."""
        view = self._newest()
        return [] if view is None else list(view.actors)

    def families(self) -> list[Family]:
        """Return figures by actor and stream."""
        view = self._newest()
        if view is None:
            return []
        actors = sorted(view.actors.items())
        own = [((name, news.report.node), news) for name, news in actors]
        by = ("actor", "node")
        latencies = [
            ((*key, quantile), ms / 1e3)
            for key, news in own
            for quantile, ms in zip(("0.5", "0.95"), news.latency_ms, strict=True)
            if ms is not None
        ]
        return [
            Family(
                "mafnet_pool_actor_streams",
                "Streams that an actor has",
                by,
                tuple((key, len(news.report.streams)) for key, news in own),
            ),
            Family(
                "mafnet_pool_actor_load_level",
                "What an actor gives up to keep up, 0 for nothing",
                by,
                tuple((key, news.report.level) for key, news in own),
            ),
            Family(
                "mafnet_pool_actor_latency_seconds",
                "Recent latency of an actor's decisions",
                (*by, "quantile"),
                tuple(latencies),
            ),
            Family(
                "mafnet_pool_stream_actor",
                "1 for the actor that has a stream",
                ("source", "actor"),
                tuple(((stream, actor), 1) for stream, actor in sorted(view.places.items())),
            ),
            Family(
                "mafnet_pool_stream_moves",
                "How often a stream went to another actor",
                ("source",),
                tuple(((stream,), n) for stream, n in sorted(view.n_moves.items())),
            ),
        ]

    def _newest(self) -> View | None:
        with self._lock:
            return self._view


def _place(view: View, actor: str) -> str:
    news = view.actors.get(actor)
    if news is None:
        return ""
    host = news.edges.removeprefix("tcp://").rpartition(":")[0]
    return f"(node {news.report.node} at {host}, process {news.pid})"
