"""A pool's front: one address for edges, one for events, and the outputs of any run. Without Ray.

Place in the flow: it stands where `realtime.pipeline.Pipeline` stands in a run of one machine, and
is used alike: signals, dashboard, page, history, bridges and metrics are the same. Recognition goes
on elsewhere (`realtime.cluster.pool.actor`); what is said there comes through the relay.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TextIO

from realtime.asked_outputs import asked_outputs
from realtime.asked_page import open_asked_page
from realtime.bundle_settings import event_settings, find_bundle
from realtime.clock import NS_PER_S, BootClock, WallClock
from realtime.cluster.ingest.directory import Directory
from realtime.cluster.pool.figures import PoolFigures
from realtime.cluster.pool.node_clocks import NodeClocks
from realtime.cluster.pool.registry import View
from realtime.cluster.pool.relay import Relay
from realtime.cluster.pool.relay_feed import RelayFeed
from realtime.cluster.pool.shown_stream import ShownStream
from realtime.cluster.wire.endpoint import edge_name
from realtime.config import RunConfig
from realtime.controls import Controls
from realtime.errors import UsageError
from realtime.output_threads import OutputThreads
from realtime.outputs.base import DashboardSnapshot, RunView
from realtime.outputs.json_log import JsonLog
from realtime.run_context import RunContext
from realtime.stats import Stats, StatsSnapshot
from realtime.swap_state import SwapState
from realtime.threads.worker import Worker

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from realtime.web.server import WebPage

logger = logging.getLogger(__name__)

LOOK_S = 0.15  # between two looks at the registry
SILENT_S = 5.0
JOIN_S = 1.5


class Cluster(Protocol):
    """What a front asks of the pool; see `realtime.cluster.pool.ray_door.RemotePool`."""

    def view(self) -> View | None:
        """Return how the pool stands; None while nobody knows."""
        ...

    def utc_ns(self, actor: str) -> int | None:
        """Return an actor's wall clock; None where it does not answer."""
        ...

    def end(self) -> None:
        """End the actors and the registry."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontSettings:
    """Where edges come in, and with which keys."""

    bind: str
    curve: Path | None = None


class PoolRun:
    """One pool from open sockets to closed ones; main thread only, like `Pipeline`.

    Args:
        config: The run; its sources are `edge://NAME`.
        settings: Where edges come in.
        join: Joins the cluster, which takes seconds.
        json_stream: Where event messages go as JSON lines; None for nowhere.

    Raises:
        UsageError: The settings ask for what only a run of one machine has.
    """

    def __init__(
        self,
        config: RunConfig,
        settings: FrontSettings,
        join: Callable[[RunConfig], Cluster],
        json_stream: TextIO | None = None,
    ) -> None:
        for flag, value in (("--record", config.record), ("--explain", config.explain)):
            if value is not None:
                raise UsageError(f"{flag} needs pictures, which a pool on Ray has at its actors")
        self._config = config
        self._join = join
        self._json_stream = json_stream
        self._clock = BootClock()
        self._bundle = find_bundle(config.bundle)
        self._controls = Controls(config)
        self._stop, self._done = threading.Event(), threading.Event()
        self._stats = Stats()
        names = [edge_name(source.media or "") for source in config.sources]
        is_alone = len(names) == 1
        self._streams = {
            name: (
                ShownStream(self._bundle.labels),
                self._stats if is_alone else Stats(self._stats),
            )
            for name in names
        }
        self._run = RunContext.begin(
            config,
            self._bundle,
            event_settings(self._bundle, config.events),
            clock=self._clock,
            wall=WallClock(self._clock),
            emit=lambda message: self._outputs.emit(message),
        )
        self._outputs = OutputThreads(
            live=True,
            stop=self._stop,
            on_error=self._done.set,
            clock=self._clock,
            stats=self._stats,
        )
        self._directory = Directory(settings.bind, settings.curve, names, self._clock)
        self._feed = RelayFeed(settings.curve)
        self._relay = Relay(
            self._feed,
            self._run.stamper,
            self._streams,
            emit=self._outputs.emit,
            is_paused=self._controls.is_paused,
            clock=self._clock,
        )
        self._figures = PoolFigures()
        self._cluster: Cluster | None = None
        self._web: WebPage | None = None
        self._workers: list[Worker] = []
        self._started_ns = self._clock.now_ns()
        self._known_ns = self._started_ns  # when the registry answered last
        self._clocks: NodeClocks | None = None

    def open(self) -> None:
        """Open sockets and outputs and join the cluster.

        Raises:
            RecognizerError: Something cannot be opened; what was open is closed again.
        """
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Begin."""
        self._started_ns = self._known_ns = self._clock.now_ns()
        self._outputs.start()
        for worker in self._workers:
            worker.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait until the pool is over, which only a fault ends, or so long; return which."""
        return self._done.wait(timeout_s)

    def close(self, timeout_s: float = JOIN_S) -> list[str]:
        """End all, here and in the cluster; return the names of threads that did not end."""
        if self._stop.is_set():
            return []
        deadline = time.monotonic() + timeout_s
        self._stop.set()
        if self._web is not None:
            self._web.end()
        self._directory.close()
        for worker in self._workers:
            worker.join(max(0.0, deadline - time.monotonic()))
        self._outputs.close(max(deadline, time.monotonic() + 0.5))
        if self._web is not None:
            self._web.close(0.4)
        self._feed.close()
        if self._cluster is not None:
            self._cluster.end()
        return [w.name for w in (*self._workers, *self._outputs.workers) if w.alive]

    def raise_failure(self) -> None:
        """Raise what ended the pool, if it was an error."""
        for worker in (*self._workers, *self._outputs.workers):
            if worker.error is not None:
                raise worker.error
        if self._directory.error is not None:
            raise self._directory.error

    def progress(self) -> dict[str, int]:
        """Return the steps that threads have taken, for whoever watches them."""
        workers = (*self._workers, *self._outputs.workers)
        return {w.name: w.n_steps for w in workers if w.name in ("relay", "publish") and w.alive}

    def take_bundle(self, name: str | None = None) -> None:
        """Say that a pool keeps the bundle that it began with."""
        logger.warning("a pool on Ray keeps its bundle; start it anew for %s", name or "another")

    def bundle_state(self) -> SwapState:
        """Return which bundle is in use."""
        return SwapState(bundle=f"{self._bundle.name} {self._bundle.version}")

    def newest_picture(self, source: str) -> NDArray[np.uint8] | None:
        """Return None: pictures go to an actor and not here."""
        return None

    def record_now(self, source: str) -> str:
        """Say that nothing is recorded."""
        return "nothing is recorded: a pool on Ray has no pictures here"

    def view(self, warnings: tuple[str, ...] = ()) -> DashboardSnapshot:
        """Return what a person is shown now, with the newest `warnings` of the log."""
        views = [self._view(name, warnings) for name in self._streams]
        return replace(views[0], others=tuple(views[1:]))

    def _view(self, name: str, warnings: tuple[str, ...]) -> DashboardSnapshot:
        shown, stats = self._streams[name]
        actor = self._figures.place_of(name)
        return DashboardSnapshot(
            source=name,
            run=RunView(
                labels=self._bundle.labels,
                background=self._bundle.background,
                window_weight=self._run.events.window_weight,
                window_clips=self._config.window.n_clips,
                bundle=f"{self._bundle.name} {self._bundle.version}",
                backend=f"pool, {actor or 'no actor yet'}",
            ),
            stream=shown.view(),
            stats=stats.snapshot(),
            elapsed_s=(self._clock.now_ns() - self._started_ns) / NS_PER_S,
            endpoint=self._outputs.endpoint,
            n_subscribers=self._outputs.n_subscribers,
            warnings=warnings,
        )

    def _open(self) -> None:
        config = self._config
        if config.publisher is not None:
            self._outputs.open_publisher(
                config.publisher, self._run.stamper, self._senses, insecure=config.insecure
            )
        if config.metrics is not None:
            self._outputs.open_metrics(
                config.metrics,
                lambda: {} if len(self._streams) < 2 else self._snapshots(),
                self._senses,
                insecure=config.insecure,
                more=self._figures.families,
            )
        asked = asked_outputs(
            config,
            self._controls,
            self._bundle.labels,
            lambda _: None,
            lambda _: None,
            dict,
            self._clock,
            self._stats,
        )
        logs = [] if self._json_stream is None else [JsonLog(self._json_stream)]
        for output in (*logs, *asked):
            self._outputs.open_output(output)
        self._web = open_asked_page(
            config,
            view=self.view,
            newest_frame=lambda _: None,
            newest_sound=lambda *_: None,
            known_labels=lambda: self._bundle.labels,
            bundle_state=self.bundle_state,
            take_bundle=self.take_bundle,
            clock=self._clock,
        )
        self._directory.open()
        logger.info("edges come in at %s", self._directory.endpoint)
        self._cluster = self._join(config)
        self._clocks = NodeClocks(self._cluster.utc_ns, self._relay.set_behind)
        self._workers = [
            Worker("pool-watch", self._watch, self._stop, self._ended),
            Worker("pool-clocks", self._ask_clocks, self._stop, self._ended),
            Worker("relay", self._relay.step, self._stop, self._relay_ended),
        ]

    def _watch(self) -> bool:
        """Look how the pool stands, and pass it on."""
        if self._cluster is None:
            return False
        if self._directory.error is not None:
            raise self._directory.error
        view = self._cluster.view()
        now_ns = self._clock.now_ns()
        if view is None:
            if now_ns - self._known_ns >= SILENT_S * NS_PER_S:
                self._known_ns = now_ns
                logger.warning("the pool's registry does not answer; streams stay where they are")
        else:
            self._known_ns = now_ns
            self._relay.look(view)
            actors, places = view.actors, view.places
            self._directory.tell({s: actors[a].edges for s, a in places.items() if a in actors})
            self._figures.look(view, {s.name for s in self._config.sources})
        self._stop.wait(LOOK_S)
        return True

    def _ask_clocks(self) -> bool:
        if self._clocks is not None:
            self._clocks.ask(self._figures.actors())
        self._stop.wait(1.0)
        return True

    def _snapshots(self) -> dict[str, StatsSnapshot]:
        return {name: stats.snapshot() for name, (_, stats) in self._streams.items()}

    def _senses(self) -> dict[str, dict[str, str]]:
        return {name: shown.senses for name, (shown, _) in self._streams.items()}

    def _ended(self, error: Exception | None) -> None:
        if error is not None:
            self._done.set()

    def _relay_ended(self, error: Exception | None) -> None:
        try:
            self._relay.finish()
        finally:
            self._outputs.end()
            self._ended(error)
