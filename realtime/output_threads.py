"""The outputs of a run, each with its thread: the event socket, the JSON lines, the recorder.

Place in the flow: a stream's messages in, one mailbox an output behind them. A live run never waits
for an output, so a slow one loses its oldest messages, counted; a file's run waits and loses
nothing. How an output writes is its own business (`realtime.outputs`).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from realtime.clock import Clock
from realtime.config import DEFAULT_BIND, PublisherConfig
from realtime.errors import OutputError
from realtime.outputs.metrics import Gauges, MetricsPage
from realtime.outputs.output import KINDS, Concluding, Output, OutputLoop
from realtime.outputs.socket.zmq_publisher import ZmqPublisher
from realtime.outputs.stamper import MessageStamper
from realtime.outputs.wire import Message, StreamState
from realtime.stats import Stats, StatsSnapshot
from realtime.threads.mailbox import Mailbox, Policy
from realtime.threads.worker import Worker

if TYPE_CHECKING:
    from realtime.outputs.recording.feed import RecordFeed
    from realtime.outputs.recording.recorder import Recorder

logger = logging.getLogger(__name__)

OUTPUT_CAPACITY = 1000
POLL_S = 0.1
RECORDER_S = 0.5  # to end a recording, where several streams are recorded
STATES_OF_THE_END = (StreamState.ENDED.value, StreamState.FAILED.value)


class _Recorded(NamedTuple):
    """What records one stream."""

    recorder: Recorder
    feed: RecordFeed
    workers: tuple[Worker, ...]


class _Opened(NamedTuple):
    """An output with its mailbox and thread."""

    mailbox: Mailbox[Message]
    worker: Worker
    kinds: frozenset[str]


class OutputThreads:
    """Opens outputs, hands them messages, ends them; main thread only, except `emit` and `end`.

    Args:
        live: Whether the run may lose messages rather than wait.
        stop: Set when the run is given up: nobody waits for a slow output any more.
        on_error: Called in an output's thread when it has failed.
        clock: The run's clock.
        stats: The run's figures.
        recorded: Returns what a recorder gets of a message; None lets it have all.
    """

    def __init__(
        self,
        *,
        live: bool,
        stop: threading.Event,
        on_error: Callable[[], None],
        clock: Clock,
        stats: Stats,
        recorded: Callable[[Message], Iterable[Message]] | None = None,
    ) -> None:
        self._live = live
        self._of_recorder = recorded
        self._stop = stop
        self._on_error = on_error
        self._clock = clock
        self._stats = stats
        self._outputs: list[_Opened] = []
        self._unstarted: list[Output] = []  # whom no thread closes yet
        self._concluding: list[Concluding] = []
        self._publisher: ZmqPublisher | None = None
        self._metrics: MetricsPage | None = None
        self._recorded: dict[str, _Recorded] = {}  # by the stream's name

    def recording(self, source: str) -> str:
        """What is being recorded of a stream, or why nothing is; empty for nothing."""
        recorded = self._recorded.get(source)
        return "" if recorded is None else recorded.recorder.state

    def tell_recorder(self, source: str, message: Message) -> bool:
        """Tell a stream's recorder alone; return whether it has one."""
        recorded = self._recorded.get(source)
        if recorded is not None:
            recorded.feed.take_message(message)
        return recorded is not None

    @property
    def endpoint(self) -> str | None:
        """Where events are published; None if nowhere."""
        return None if self._publisher is None else self._publisher.endpoint

    @property
    def n_subscribers(self) -> int | None:
        """Who is connected there; None if nobody knows."""
        return None if self._publisher is None else self._publisher.n_subscribers

    @property
    def workers(self) -> tuple[Worker, ...]:
        """The threads, for whoever joins them and asks for their errors."""
        outputs = (opened.worker for opened in self._outputs)
        recorders = (worker for recorded in self._recorded.values() for worker in recorded.workers)
        return (*outputs, *recorders)

    def open_publisher(
        self,
        config: PublisherConfig,
        stamper: MessageStamper,
        senses: Callable[[], Mapping[str, Mapping[str, str]]],
        *,
        insecure: bool,
    ) -> None:
        """Open the event socket.

        Args:
            config: The socket.
            stamper: Builds and numbers heartbeats.
            senses: Returns the state of each sense of each stream; called in the socket's thread.
            insecure: Allow an endpoint that other machines reach.

        Raises:
            OutputError: It cannot be opened. Only a warning where a file's run has the default
                endpoint: a second such run is everyday.
        """
        mailbox = self._make_mailbox(config.capacity)

        def heartbeat() -> Message:
            figures = self._stats.snapshot()
            return stamper.heartbeat(
                figures.counts,
                publisher.published(),
                senses(),
                interval_s=config.heartbeat_s,
                latency_p50_ms=figures.latency_p50_ms,
                latency_p95_ms=figures.latency_p95_ms,
            )

        publisher = ZmqPublisher(
            config, mailbox, heartbeat, self._stats, self._clock, insecure=insecure
        )
        try:
            publisher.open()
        except OutputError as error:
            if config.bind != DEFAULT_BIND or self._live:  # somebody waits for these events
                raise
            logger.warning("%s; this run publishes nothing", error)
            return
        self._publisher = publisher

        def ended(error: Exception | None) -> None:
            try:
                publisher.close()
            finally:
                self._output_ended(error)

        self._add("publish", mailbox, publisher.step, ended)

    def open_output(self, output: Output) -> None:
        """Open an output and give it its thread.

        Raises:
            OutputError: It cannot be opened.
            ValueError: It wants messages of a kind that there is not.
        """
        unknown = sorted(set(output.kinds) - set(KINDS))
        if unknown:
            raise ValueError(f"an output's kinds are {', '.join(KINDS)}, got {unknown[0]!r}")
        output.open()
        mailbox = self._make_mailbox(OUTPUT_CAPACITY)

        def ended(error: Exception | None) -> None:
            try:
                output.close()
            finally:
                self._output_ended(error)

        loop = OutputLoop(output, mailbox, self._stats)
        self._add(output.name, mailbox, loop.step, ended, output.kinds)
        self._unstarted.append(output)
        if isinstance(output, Concluding):
            self._concluding.append(output)

    def open_metrics(
        self,
        address: str,
        streams: Callable[[], Mapping[str, StatsSnapshot]],
        senses: Callable[[], Mapping[str, Mapping[str, str]]],
        *,
        insecure: bool,
        more: Callable[[], Gauges] | None = None,
    ) -> None:
        """Serve the run's figures at `address`.

        Args:
            address: `HOST:PORT`.
            streams: Returns each stream's figures by its name, where there are several.
            senses: As for `open_publisher`.
            insecure: Likewise.
            more: Returns further figures.

        Raises:
            UsageError: Others could reach it, or its library is missing.
            OutputError: It is taken.
        """
        page = MetricsPage(
            address,
            self._stats.snapshot,
            streams,
            senses,
            lambda: self.n_subscribers,
            insecure=insecure,
            more=more,
        )
        port = page.open()
        self._metrics = page
        logger.info("metrics on http://%s:%d/metrics", address.rpartition(":")[0], port)

    def add_recorder(self, source: str, recorder: Recorder, feed: RecordFeed) -> None:
        """Let a recorder have a stream's messages; its feed gets frames and sound from capture."""

        def ended(error: Exception | None) -> None:
            feed.close()
            recorder.finish()
            self._output_ended(error)

        def kept(error: Exception | None) -> None:
            feed.close()
            recorder.end_intake()
            self._output_ended(error)

        if feed.live:  # two threads: what takes long keeps no pictures waiting
            workers: tuple[Worker, ...] = (
                Worker(f"keep-{source}", lambda: recorder.take_in(), threading.Event(), kept),
                Worker(f"record-{source}", lambda: recorder.write(), threading.Event(), ended),
            )
        else:
            workers = (Worker(f"record-{source}", recorder.step, threading.Event(), ended),)
        self._recorded[source] = _Recorded(recorder, feed, workers)

    def start(self) -> None:
        """Start all threads."""
        self._unstarted.clear()
        for worker in self.workers:
            worker.start()

    def emit(self, message: Message) -> None:
        """Hand a message to the outputs; the recognize thread's."""
        for mailbox, worker, kinds in self._outputs:
            if message.body["type"] not in kinds:
                continue
            while not mailbox.put(message, POLL_S):
                if worker.error is not None or mailbox.closed or self._stop.is_set():
                    break
        recorded = self._recorded.get(str(message.body.get("source")))
        if recorded is not None:
            passed = (message,) if self._of_recorder is None else self._of_recorder(message)
            for each in passed:
                recorded.feed.take_message(each)
            if message.body["type"] == "status" and message.body["state"] in STATES_OF_THE_END:
                recorded.feed.close()

    def end(self) -> None:
        """Say that no message comes any more; what was said still goes out. Any thread."""
        for opened in self._outputs:
            opened.mailbox.close()
        for recorded in self._recorded.values():
            recorded.feed.close()

    def close(self, deadline_s: float) -> None:
        """End, and wait for the threads until `time.monotonic()` is `deadline_s`.

        Recorders write to one disk: each beyond the first has the others wait longer.
        """
        for recorded in self._recorded.values():
            recorded.recorder.hurry()
        self.end()
        deadline_s = max(deadline_s, time.monotonic() + 0.1)
        deadline_s += RECORDER_S * max(0, len(self._recorded) - 1)
        for worker in self.workers:
            worker.join(max(0.0, deadline_s - time.monotonic()))
        for recorded in self._recorded.values():
            if not any(worker.alive for worker in recorded.workers):
                recorded.recorder.finish()  # also where its threads never started
        while self._unstarted:
            self._unstarted.pop().close()
        while self._concluding and not any(worker.alive for worker in self.workers):
            self._concluding.pop().conclude()
        if self._publisher is not None and not any(worker.alive for worker in self.workers):
            self._publisher.close()
        if self._metrics is not None:
            self._metrics.close()

    def _make_mailbox(self, capacity: int) -> Mailbox[Message]:
        return Mailbox(capacity, Policy.DROP_OLDEST if self._live else Policy.WAIT)

    def _add(
        self,
        name: str,
        mailbox: Mailbox[Message],
        step: Callable[[], bool],
        ended: Callable[[Exception | None], None],
        kinds: Collection[str] = KINDS,
    ) -> None:
        # An event of its own: it goes on writing what was said after the run's stop.
        worker = Worker(name, step, threading.Event(), ended)
        self._outputs.append(_Opened(mailbox, worker, frozenset(kinds)))

    def _output_ended(self, error: Exception | None) -> None:
        if error is not None:
            self._on_error()
