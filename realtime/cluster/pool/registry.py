"""Who has which stream of a pool, and what is done when that fails. Without Ray.

Place in the flow: every `TICK_S` it hears all actors, has `realtime.cluster.pool.placement` decide,
and does what was decided. The pool's front asks it for a `view`. It lives in a process of its own,
which Ray starts anew when it dies: then it learns from the actors who has what, and has nothing
that is not also there.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from realtime.clock import NS_PER_S, BootClock, Clock
from realtime.cluster.pool.actor import ActorSpec, News
from realtime.cluster.pool.placement import Give, Limits, Move, Placement, Start, TakeBack
from realtime.threads.worker import Worker

logger = logging.getLogger(__name__)

TICK_S = 0.2
LEARN_NS = 2 * NS_PER_S  # what actors that were there before have to be heard in
FAULT_NS = 15 * NS_PER_S  # before another actor is started where the last did not start
MAX_MOVES = 200  # that a view has of them, the newest


class Actors(Protocol):
    """What a registry asks of a cluster; `realtime.cluster.pool.ray_door` does it with Ray."""

    def capacity(self) -> int:
        """Return how many actors the cluster has room for, those that are there included."""
        ...

    def names(self) -> list[str]:
        """Return the names of the actors that are there, or come."""
        ...

    def start(self, spec: ActorSpec) -> str:
        """Start an actor, which may take a minute; return its name."""
        ...

    def hear(self, names: list[str]) -> tuple[dict[str, News], dict[str, str]]:
        """Return what actors say of themselves, and why others are gone; never waits long."""
        ...

    def give(self, actor: str, stream: str) -> None:
        """Have an actor take a stream; does not wait for it."""
        ...

    def take_back(self, actor: str, stream: str) -> None:
        """Have an actor let go of a stream; likewise."""
        ...

    def stop(self, actor: str) -> None:
        """End an actor, at once where it does not answer."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How a pool stands.

    Attributes:
        actors: What each said last, of those that are heard.
        places: Which actor has each stream.
        coming: Actors that were started and were not heard yet.
        moves: The newest, first places too.
        n_moves: How often each stream has moved.
        fault: Why an actor did not start, the last that did not; empty for none.
        pid: The registry's process.
    """

    actors: Mapping[str, News]
    places: Mapping[str, str]
    coming: tuple[str, ...]
    moves: tuple[Move, ...]
    n_moves: Mapping[str, int]
    fault: str
    pid: int


class Registry:
    """Keeps a pool's streams somewhere; `view` and `drain` may be called by any thread.

    Args:
        spec: What its actors are.
        limits: What the pool may do.
        actors: The cluster.
        clock: Of this process.
    """

    def __init__(
        self, spec: ActorSpec, limits: Limits, actors: Actors, clock: Clock | None = None
    ) -> None:
        self._spec = spec
        self._actors = actors
        self._clock = BootClock() if clock is None else clock
        self._placement = Placement(limits)
        self._placement.want(dict.fromkeys(spec.sources(), spec.config.bundle))
        self._news: dict[str, News] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._learn_by_ns = self._clock.now_ns() + LEARN_NS
        self._unheard = set(actors.names())
        for name in self._unheard:
            self._placement.starting(name, spec.config.bundle, self._clock.now_ns())
        self._fault = ""
        self._start_ns = 0  # no actor is started before, for the last did not start
        self._worker = Worker("registry", self._tick, self._stop)

    def start(self) -> None:
        """Begin."""
        self._worker.start()

    def spec(self) -> ActorSpec:
        """Return what its actors are."""
        return self._spec

    def drain(self, actor: str) -> None:
        """Have an actor's streams moved, and then the actor stopped."""
        with self._lock:
            self._placement.drain(actor)

    def view(self) -> View:
        """Return how the pool stands.

        Raises:
            Exception: What ended the registry's thread.
        """
        if self._worker.error is not None:
            raise self._worker.error
        with self._lock:
            moves = self._placement.moves
            places = {
                stream: actor
                for stream in self._spec.sources()
                if (actor := self._placement.place_of(stream)) is not None
            }
            return View(
                actors=dict(self._news),
                places=places,
                coming=tuple(n for n in self._placement.actors if n not in self._news),
                moves=tuple(moves[-MAX_MOVES:]),
                n_moves=Counter(each.stream for each in moves if each.before is not None),
                fault=self._fault,
                pid=os.getpid(),
            )

    def end(self) -> None:
        """Stop all actors, and decide nothing any more."""
        self._stop.set()
        self._worker.join(2.0)
        for name in set(self._placement.actors) | set(self._actors.names()):
            self._actors.stop(name)

    def step(self) -> None:
        """Hear all actors and do what is due."""
        with self._lock:
            names = list(self._placement.actors)
        news, gone = self._actors.hear(names)
        capacity = self._actors.capacity()
        now_ns = self._clock.now_ns()
        with self._lock:
            for name, why in gone.items():
                logger.warning("actor %s is gone: %s", name, why)
                if name not in self._news:
                    self._fault, self._start_ns = why, now_ns + FAULT_NS
                self._placement.lose(name, why)
                self._unheard.discard(name)
            for name, told in news.items():
                self._placement.heard(told.report, now_ns)
                self._news[name] = told
                self._unheard.discard(name)
            if self._unheard and now_ns < self._learn_by_ns:
                return  # who was there before may have streams
            room = capacity - len(self._placement.actors)
            self._placement.room(room if now_ns >= self._start_ns else 0)
            decisions = self._placement.step(now_ns)
            self._news = {n: k for n, k in self._news.items() if n in self._placement.actors}
        for name in gone:
            self._actors.stop(name)
        for each in decisions:
            logger.info("%s", each)
            if isinstance(each, Give):
                self._actors.give(each.actor, each.stream)
            elif isinstance(each, TakeBack):
                self._actors.take_back(each.actor, each.stream)
            elif isinstance(each, Start):
                name = self._actors.start(self._spec)
                with self._lock:
                    self._placement.starting(name, each.bundle, self._clock.now_ns())
            else:
                self._actors.stop(each.actor)

    def _tick(self) -> bool:
        began_s = time.monotonic()
        self.step()
        self._stop.wait(max(0.01, TICK_S - (time.monotonic() - began_s)))
        return True
