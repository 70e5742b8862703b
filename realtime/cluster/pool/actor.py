"""One recognizer of a pool: edges come in, streams are recognized, events go out. Without Ray.

Place in the flow: edges → hub → stream host → event socket → the pool's front. What it is told to
do (`take`, `release`, `close`) and what it says of itself (`report`) goes another way: as method
calls, which Ray carries between processes (`realtime.cluster.pool.ray_door`).

Edges and the pool come in at addresses of their own, on the address by which its node is known.
With CURVE both have the pool's keys; its events are for the pool alone.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from realtime.clock import BootClock
from realtime.cluster.ingest.edge_reader import edge_kind
from realtime.cluster.ingest.hub import Hub
from realtime.cluster.ingest.link import WINDOW_WAITING
from realtime.cluster.ingest.welcome import SCHEME, welcome_of
from realtime.cluster.pool.placement import Report
from realtime.cluster.pool.stream_host import StreamHost
from realtime.cluster.wire.endpoint import edge_name
from realtime.config import PublisherConfig, RunConfig, SourceConfig
from realtime.errors import OutputError, UsageError
from realtime.outputs.socket.curve_files import read_server_keys
from realtime.outputs.socket.zap import OneClient
from realtime.outputs.socket.zmq_publisher import ZmqPublisher
from realtime.outputs.wire import Message
from realtime.sources.registry import forget_source, register_source
from realtime.stats import Stats
from realtime.threads.mailbox import Mailbox, Policy
from realtime.threads.worker import Worker
from realtime.version import program_version

logger = logging.getLogger(__name__)

HEARTBEAT_S = 0.5
CAPACITY = 1000  # messages that wait for the event socket
POOL = "pool"  # the name of the only client of an actor's events
_RETRY_S = (0.25,)  # how often an edge that is on its way is looked for
_JOIN_S = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorSpec:
    """What all recognizers of a pool are; it goes to every node.

    Attributes:
        config: The run, its sources `edge://NAME`.
        curve: Folder of the pool's keys, the same at each node; None where all is on loopback.
        ports: First and last of those that may be used at a node; None for any.
        version: Of the program.
    """

    config: RunConfig
    curve: str | None = None
    ports: tuple[int, int] | None = None
    version: str = ""

    def sources(self) -> dict[str, SourceConfig]:
        """Return the streams by their edges' names."""
        return {edge_name(source.media or ""): source for source in self.config.sources}


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What an actor says of itself.

    Attributes:
        report: For the placement.
        edges: Where edges come in.
        events: Where its events are.
        senses: State of each sense by stream.
        counts: Each stream's counters.
        latency_ms: Median and 95th percentile of a decision's latency; None before the first.
        pid: Of its process.
    """

    report: Report
    edges: str
    events: str
    senses: Mapping[str, Mapping[str, str]]
    counts: Mapping[str, Mapping[str, int]]
    latency_ms: tuple[float | None, float | None]
    pid: int


class PoolActor:
    """Recognizes the streams that it is given; any thread may call it.

    Args:
        spec: What it is.
        name: Its own.
        node: Its node's.
        host: The address by which its node is known.

    Raises:
        RecognizerError: It cannot begin: the bundle, the keys or the networks are not here.
    """

    def __init__(self, spec: ActorSpec, name: str, node: str, host: str) -> None:
        if spec.version and spec.version != program_version():
            raise UsageError(
                f"node {node} has version {program_version()}, the pool {spec.version}; install "
                "the same everywhere"
            )
        self._spec, self._name, self._node = spec, name, node
        self._sources = spec.sources()
        self._clock = BootClock()
        self._stats = Stats()
        curve = None if spec.curve is None else Path(spec.curve).expanduser()
        self._hub = self._open_hub(host, curve)
        register_source(SCHEME, edge_kind(self._hub, _RETRY_S, takes_window=True))
        self._mailbox: Mailbox[Message] = Mailbox(CAPACITY, Policy.DROP_OLDEST)
        self._host = StreamHost(spec.config, self._clock, self._stats, self._emit)
        self._publisher = self._open_publisher(host, curve)
        self._publishing = Worker(
            "publish",
            self._publisher.step,
            threading.Event(),
            lambda _: self._publisher.close(),
        )
        self._host.open()
        self._hub.start()
        self._publishing.start()

    def report(self) -> News:
        """Return what it has and how it does; also its sign of life.

        Raises:
            Exception: What ended one of its threads: it is of no use any more.
        """
        for error in (self._host.error, self._hub.error, self._publishing.error):
            if error is not None:
                raise error
        figures = self._stats.snapshot()
        return News(
            report=Report(
                actor=self._name,
                node=self._node,
                bundle=self._spec.config.bundle,
                streams=frozenset(self._host.streams()),
                level=self._host.load_level,
            ),
            edges=self._hub.endpoint,
            events=self._publisher.endpoint,
            senses=self._host.senses(),
            counts=self._host.counts(),
            latency_ms=(figures.latency_p50_ms, figures.latency_p95_ms),
            pid=os.getpid(),
        )

    def utc_ns(self) -> int:
        """Return this machine's wall clock, ns since 1970: nodes' clocks need not agree."""
        return time.time_ns()

    def take(self, stream: str) -> None:
        """Recognize a stream of the spec from now on."""
        self._hub.link(stream)
        self._host.take(self._sources[stream])

    def release(self, stream: str) -> None:
        """Let go of a stream."""
        self._host.release(stream)
        self._hub.forget(stream)

    def close(self) -> None:
        """Let go of all; nothing of it is left running."""
        self._host.close()
        self._hub.close()
        forget_source(SCHEME)
        self._mailbox.close()
        self._publishing.join(_JOIN_S)

    def _emit(self, message: Message) -> None:
        self._mailbox.put(message, 0.0)

    def _open_hub(self, host: str, curve: Path | None) -> Hub:
        welcome = welcome_of(self._spec.config)
        for port in self._ports():
            hub = Hub(f"tcp://{_bracketed(host)}:{port}", curve, self._clock, WINDOW_WAITING)
            try:
                hub.open(welcome)
            except OutputError as error:
                fault = error
            else:
                return hub
        raise fault

    def _open_publisher(self, host: str, curve: Path | None) -> ZmqPublisher:
        keys = None if curve is None else read_server_keys(curve)
        for port in self._ports():
            config = PublisherConfig(
                bind=f"tcp://{_bracketed(host)}:{port}",
                capacity=CAPACITY,
                heartbeat_s=HEARTBEAT_S,
                curve=None if curve is None else str(curve),
            )
            publisher = ZmqPublisher(
                config,
                self._mailbox,
                self._heartbeat,
                self._stats,
                self._clock,
                clients=None if keys is None else OneClient(keys.public, POOL),
            )
            try:
                publisher.open()
            except OutputError as error:
                fault = error
            else:
                return publisher
        raise fault

    def _ports(self) -> list[str]:
        if self._spec.ports is None:
            return ["*"]
        return [str(port) for port in range(self._spec.ports[0], self._spec.ports[1] + 1)]

    def _heartbeat(self) -> Message:
        figures = self._stats.snapshot()
        return self._host.run.stamper.heartbeat(
            figures.counts,
            self._publisher.published(),
            self._host.senses(),
            interval_s=HEARTBEAT_S,
            latency_p50_ms=figures.latency_p50_ms,
            latency_p95_ms=figures.latency_p95_ms,
        )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
