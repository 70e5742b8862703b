"""Builds a run and gives it threads: capture readers, `recognize`, `publish`, `log-json`.

Main only watches: it draws from snapshots, waits, and stops everything in the order sources,
recognition, outputs. Sources open before the models load, so that a missing camera is said at
once; torch is imported only here, through `realtime.recognition`, when a run begins.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from extractors.frame_transform import TRANSFORMS
from realtime.clip_assembler import ClipAssembler
from realtime.clock import NS_PER_S, Clock, MonotonicClock, Timeline
from realtime.config import DEFAULT_BIND, RunConfig, TrackerConfig
from realtime.errors import ModelError, OutputError, UsageError
from realtime.mailbox import Mailbox, Policy
from realtime.outputs.base import DashboardSnapshot
from realtime.outputs.json_log import JsonLog
from realtime.outputs.wire import Message, MessageStamper
from realtime.outputs.zmq_publisher import ZmqPublisher
from realtime.packets import Sense, SenseState
from realtime.sources.base import Reader, SourceSenses
from realtime.sources.factory import OpenedSource, open_readers
from realtime.stats import Stats
from realtime.stream import Rings, Stream
from realtime.worker import Worker
from weights.bundle import Bundle, BundleError, load_bundle

if TYPE_CHECKING:
    from realtime.recognition.features import Models

logger = logging.getLogger(__name__)

JOIN_TIMEOUT_S = 1.5  # Ctrl-C ends within 2 s
JSON_LOG_CAPACITY = 1000
POLL_S = 0.1
# Which senses a capture thread feeds, by its name.
FEEDS = {
    "capture-video": (Sense.PICTURE,),
    "capture-audio": (Sense.SOUND,),
    "capture-media": (Sense.PICTURE, Sense.SOUND),
}


class Pipeline:
    """One run from open sources to closed sockets; main thread only.

    Args:
        config: The run.
        json_stream: Where event messages go as JSON lines; None for nowhere.
        clock: The run's clock.
    """

    def __init__(
        self, config: RunConfig, json_stream: TextIO | None = None, clock: Clock | None = None
    ) -> None:
        self._config = config
        self._clock = clock if clock is not None else MonotonicClock()
        self._json_stream = json_stream
        self._stop = threading.Event()
        self._done = threading.Event()
        self._stats = Stats()
        self._bundle = _load_bundle(config.bundle)
        self._tracker_config = tracker_config(self._bundle, config.events)
        self._readers: list[tuple[Reader, Worker]] = []
        self._outputs: list[tuple[Mailbox[Message], Worker]] = []
        self._json_mailbox: Mailbox[Message] | None = None
        self._publisher: ZmqPublisher | None = None
        self._recognize: Worker | None = None
        self._stream: Stream | None = None
        self._rings: Rings | None = None
        self._backend = ""
        self._reader_error: Exception | None = None
        self._starved = False  # the run ended because no sense was left
        self._started_ns = self._clock.now_ns()
        self._ended_ns: int | None = None

    @property
    def bundle(self) -> Bundle:
        """The bundle in use."""
        return self._bundle

    def open(self) -> None:
        """Open sources and sockets and load the models.

        Raises:
            RecognizerError: Something cannot be opened; what was open is closed again.
        """
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Start all threads, outputs first."""
        self._started_ns = self._clock.now_ns()
        for _, worker in self._outputs:
            worker.start()
        if self._recognize is None:
            raise ValueError("open the pipeline before it starts")
        self._recognize.start()
        for _, worker in self._readers:
            worker.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait until the run is over or `timeout_s` has gone; return whether it is over.

        A file's run is over once its last message is written too, however slow its reader is.
        """
        if not self._done.wait(timeout_s):
            return False
        workers = [worker for _, worker in self._outputs]
        if self._config.source.live or any(worker.error is not None for worker in workers):
            return True
        return all(worker.join(timeout_s) for worker in workers)

    def close(self, timeout_s: float = JOIN_TIMEOUT_S) -> list[str]:
        """Stop sources, recognition and outputs, in this order, and join their threads.

        What was said so far still reaches the outputs. May be called again.

        Returns:
            Names of the threads that did not end in `timeout_s`: a long step of the trunks, or a
            driver that does not return.
        """
        deadline = time.monotonic() + timeout_s
        self._stop.set()
        if self._rings is not None:
            self._rings.close()
        workers = [worker for _, worker in self._readers]
        if self._recognize is not None:
            workers.append(self._recognize)
        for worker in workers:
            worker.join(max(0.0, deadline - time.monotonic()))
        for mailbox, _ in self._outputs:
            mailbox.close()
        for _, worker in self._outputs:
            worker.join(max(0.1, deadline - time.monotonic()))
        for reader, worker in self._readers:
            if not worker.alive:
                reader.close()
        if self._publisher is not None and not any(w.alive for _, w in self._outputs):
            self._publisher.close()
        return [w.name for w in (*workers, *(w for _, w in self._outputs)) if w.alive]

    def raise_failure(self) -> None:
        """Raise what ended the run, if it was an error."""
        for worker in (self._recognize, *(w for _, w in self._outputs)):
            if worker is not None and worker.error is not None:
                raise worker.error
        if self._reader_error is not None and self._starved:
            raise self._reader_error

    def view(self, warnings: tuple[str, ...] = ()) -> DashboardSnapshot:
        """Return what a person is shown now, with the newest `warnings` of the log."""
        stream, config, publisher = self._stream, self._config, self._publisher
        if stream is None:
            raise ValueError("open the pipeline before it is looked at")
        now = stream.view()
        return DashboardSnapshot(
            source=config.source.name,
            t_s=now.t_s,
            elapsed_s=((self._ended_ns or self._clock.now_ns()) - self._started_ns) / NS_PER_S,
            prediction=now.prediction,
            labels=self._bundle.labels,
            stats=self._stats.snapshot(),
            background=self._bundle.background,
            context=self._tracker_config.context,
            window_clips=config.window.n_clips,
            active=now.active,
            recent=now.recent,
            picture_share=now.picture_share,
            senses=now.senses,
            bundle=f"{self._bundle.name} {self._bundle.version}",
            backend=self._backend,
            endpoint=None if publisher is None else publisher.endpoint,
            n_subscribers=None if publisher is None else publisher.n_subscribers,
            warnings=warnings,
        )

    def _open(self) -> None:
        config = self._config
        started_utc, started_ns = datetime.now(UTC), self._clock.now_ns()
        stamper = MessageStamper(
            secrets.token_hex(4),
            self._clock,
            started_utc,
            window_clips=config.window.n_clips,
            context=self._tracker_config.context,
        )
        timeline = Timeline(started_utc, started_ns if config.source.dated else None)
        transform = TRANSFORMS.get(self._bundle.visual.trunk)
        if transform is None:
            raise ModelError(
                f"bundle {self._bundle.name} wants the picture trunk {self._bundle.visual.trunk}, "
                f"known are {', '.join(sorted(TRANSFORMS))}"
            )
        rings = self._rings = Rings(config.source, transform.size, timeline, self._stats)
        opened = open_readers(
            config.source,
            rings.timeline,
            rings.frames,
            rings.sounds,
            transform.resize,
            self._clock,
            self._stats,
        )
        for reader in opened.readers:
            self._readers.append((reader, self._reader_worker(reader, opened.senses)))
        if config.publisher is not None:
            self._open_publisher(stamper)
        if self._json_stream is not None:
            self._open_json_log(self._json_stream)
        models = _load_models(self._bundle, config)
        self._backend = models.describe()
        self._stream = self._make_stream(rings, opened, models, stamper)
        for problem in opened.problems:
            self._stream.sense_ended(problem.sense, problem.detail)
        self._recognize = Worker("recognize", self._stream.step, self._stop, self._recognize_ended)

    def _make_stream(
        self, rings: Rings, opened: OpenedSource, models: Models, stamper: MessageStamper
    ) -> Stream:
        from realtime.recognition.recognizer import Recognizer  # imports torch: only for a run

        config = self._config
        source = config.source
        assembler = ClipAssembler(
            source,
            config.window,
            rings.timeline,
            rings.frames if opened.senses.picture else None,
            rings.sounds if opened.senses.sound else None,
            rings.signal,
            self._clock,
            self._stats,
        )
        recognizer = Recognizer(
            models,
            config.window.n_clips,
            assembler.stride_ns,
            self._clock,
            self._stats,
            dated=source.dated,
        )
        stream = Stream(
            config=source,
            window=config.window,
            tracker=self._tracker_config,
            rings=rings,
            assembler=assembler,
            recognizer=recognizer,
            bundle=self._bundle,
            device=models.device.type,
            backend=self._backend,
            stamper=stamper,
            until_t_ns=None if config.duration_s is None else round(config.duration_s * NS_PER_S),
            emit=self._emit,
            stats=self._stats,
        )
        for reader in opened.readers:
            for sense in _feeds(reader, opened.senses):
                stream.describe(sense, reader.describe())
        return stream

    def _open_publisher(self, stamper: MessageStamper) -> None:
        config = self._config.publisher
        if config is None:
            return
        mailbox = self._mailbox(config.capacity)

        def heartbeat() -> Message:
            figures = self._stats.snapshot()
            senses = (
                {}
                if self._stream is None
                else {
                    self._stream.name: {
                        status.sense.value: status.state.value for status in self._stream.senses()
                    }
                }
            )
            return stamper.heartbeat(
                figures.counts,
                publisher.published(),
                senses,
                interval_s=config.heartbeat_s,
                latency_p50_ms=figures.latency_p50_ms,
                latency_p95_ms=figures.latency_p95_ms,
            )

        publisher = ZmqPublisher(
            config,
            mailbox,
            heartbeat,
            self._stats,
            self._clock,
            insecure=self._config.insecure,
        )
        try:
            publisher.open()
        except OutputError as error:
            # A second run over a file is everyday; for a live stream somebody waits for events.
            if config.bind != DEFAULT_BIND or self._config.source.live:
                raise
            logger.warning("%s; this run publishes nothing", error)
            return
        self._publisher = publisher

        def ended(error: Exception | None) -> None:
            try:
                publisher.close()
            finally:
                self._output_ended(error)

        worker = Worker("publish", publisher.step, threading.Event(), ended)
        self._outputs.append((mailbox, worker))

    def _open_json_log(self, stream: TextIO) -> None:
        mailbox = self._json_mailbox = self._mailbox(JSON_LOG_CAPACITY)
        log = JsonLog(stream, mailbox, self._stats)
        self._outputs.append(
            (mailbox, Worker("log-json", log.step, threading.Event(), self._output_ended))
        )

    def _mailbox(self, capacity: int) -> Mailbox[Message]:
        """A live run never waits for an output; a file's run loses nothing."""
        policy = Policy.DROP_OLDEST if self._config.source.live else Policy.WAIT
        return Mailbox(capacity, policy)

    def _emit(self, message: Message) -> None:
        for mailbox, worker in self._outputs:
            if mailbox is self._json_mailbox and message.body["type"] != "event":
                continue  # predictions must not push events out
            while not mailbox.put(message, POLL_S):
                if worker.error is not None or mailbox.closed or self._stop.is_set():
                    break

    def _reader_worker(self, reader: Reader, senses: SourceSenses) -> Worker:
        def ended(error: Exception | None) -> None:
            if error is not None:
                self._reader_error = self._reader_error or error
            for sense in _feeds(reader, senses):
                if self._stream is not None:
                    self._stream.sense_ended(sense, None if error is None else str(error))
            reader.close()

        return Worker(reader.name, reader.step, self._stop, ended)

    def _recognize_ended(self, error: Exception | None) -> None:
        self._starved = not self._stop.is_set() and self._every_sense_is_gone()
        try:
            if self._stream is not None:
                self._stream.finish(error)
        finally:
            for mailbox, _ in self._outputs:  # nothing more will be said; what was, goes out
                mailbox.close()
            self._ended_ns = self._clock.now_ns()
            self._done.set()

    def _output_ended(self, error: Exception | None) -> None:
        if error is not None:
            self._done.set()

    def _every_sense_is_gone(self) -> bool:
        gone = (SenseState.LOST, SenseState.ABSENT, SenseState.ENDED)
        return self._stream is None or all(s.state in gone for s in self._stream.senses())


def _feeds(reader: Reader, senses: SourceSenses) -> list[Sense]:
    there = {Sense.PICTURE: senses.picture, Sense.SOUND: senses.sound}
    return [sense for sense in FEEDS[reader.name] if there[sense]]


def tracker_config(bundle: Bundle, overrides: dict[str, object]) -> TrackerConfig:
    """Join a bundle's event settings with those of the command line.

    Raises:
        UsageError: A setting does not exist or has no sensible value.
    """
    spec = bundle.events
    settings: dict[str, object] = {
        "on": spec.on,
        "off": spec.off,
        "per_label": {
            label: (float(pair["on"]), float(pair["off"])) for label, pair in spec.per_label.items()
        },
        "confirm_n": spec.confirm[0],
        "confirm_m": spec.confirm[1],
        "min_duration_s": spec.min_duration_s,
        "merge_gap_s": spec.merge_gap_s,
        "cool_down_s": spec.cool_down_s,
        "context": spec.context,
        "background": bundle.background,
    }
    if {"on", "off"} & overrides.keys() and "per_label" not in overrides:
        settings["per_label"] = {}  # who sets a threshold by hand means it for all labels
    try:
        config = TrackerConfig(**{**settings, **overrides})  # type: ignore[arg-type]  # as checked
    except TypeError as error:
        raise UsageError(f"[events] has a setting that does not fit: {error}") from error
    named = {*config.per_label, *([] if config.background is None else [config.background])}
    unknown = sorted(named - set(bundle.labels))
    if unknown:
        raise UsageError(
            f"[events] names labels that bundle {bundle.name} has not: {', '.join(unknown)}; "
            f"it has {', '.join(bundle.labels)}"
        )
    return config


def _load_bundle(name: str) -> Bundle:
    try:
        return load_bundle(name)
    except BundleError as error:
        raise ModelError(str(error)) from error


def _load_models(bundle: Bundle, config: RunConfig) -> Models:
    from realtime.recognition.features import load_models  # imports torch: only for a run

    return load_models(bundle, config.device, config.precision)
