"""Gives a run its threads and stops them: capture readers, `recognize`, and the outputs'.

Main only watches: it draws from snapshots, waits, and stops everything in the order sources,
recognition, outputs. Sources open before the models load, so that a missing camera is said at
once; the stream itself begins with `start`.
"""

from __future__ import annotations

import secrets
import threading
import time
from datetime import UTC, datetime
from typing import TextIO

from realtime.build import (
    fed_senses,
    find_bundle,
    frame_transform,
    load_models,
    make_recorder,
    make_stream,
    tracker_config,
)
from realtime.clock import NS_PER_S, Clock, MonotonicClock, Timeline
from realtime.config import RunConfig
from realtime.offsets import Offsets
from realtime.outlets import Outlets
from realtime.outputs.base import DashboardSnapshot
from realtime.outputs.wire import MessageStamper
from realtime.packets import SenseState
from realtime.sources.base import Hangable, Reader, SourceSenses
from realtime.sources.factory import open_readers
from realtime.stats import Stats
from realtime.stream import Rings, Stream
from realtime.worker import Worker
from weights.bundle import Bundle
from weights.store import default_home

JOIN_TIMEOUT_S = 1.5  # Ctrl-C ends within 2 s


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
        self._bundle = find_bundle(config.bundle)
        self._tracker_config = tracker_config(self._bundle, config.events)
        self._readers: list[tuple[Reader, Worker]] = []
        self._outlets = Outlets(
            live=config.source.live,
            stop=self._stop,
            on_error=self._done.set,
            clock=self._clock,
            stats=self._stats,
        )
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
        """Start all threads, outputs first; a live stream begins here."""
        if self._recognize is None:
            raise ValueError("open the pipeline before it starts")
        self._started_ns = self._clock.now_ns()
        self._outlets.start()
        self._recognize.start()
        for _, worker in self._readers:
            worker.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait until the run is over or `timeout_s` has gone; return whether it is over.

        A file's run is over once its last message is written too, however slow its reader is.
        """
        if not self._done.wait(timeout_s):
            return False
        workers = self._outlets.workers
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
        self._outlets.close(deadline)
        for reader, worker in self._readers:
            if not worker.alive:
                reader.close()
        hanging = [n for r, _ in self._readers if isinstance(r, Hangable) for n in r.survivors()]
        return [*(w.name for w in (*workers, *self._outlets.workers) if w.alive), *hanging]

    def raise_failure(self) -> None:
        """Raise what ended the run, if it was an error."""
        for worker in (self._recognize, *self._outlets.workers):
            if worker is not None and worker.error is not None:
                raise worker.error
        if self._reader_error is not None and self._starved:
            raise self._reader_error

    def progress(self) -> dict[str, int]:
        """Return the steps that `recognize` and `publish` have taken, for whoever watches them.

        Capture threads are not among them: a driver that hangs costs one sense, and says so.
        """
        workers = [w for w in self._outlets.workers if w.name == "publish"]
        if self._recognize is not None:
            workers.append(self._recognize)
        return {worker.name: worker.n_steps for worker in workers if worker.alive}

    def view(self, warnings: tuple[str, ...] = ()) -> DashboardSnapshot:
        """Return what a person is shown now, with the newest `warnings` of the log."""
        stream, config = self._stream, self._config
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
            endpoint=self._outlets.endpoint,
            n_subscribers=self._outlets.n_subscribers,
            recording=self._outlets.recording,
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
        transform = frame_transform(self._bundle)
        rings = self._rings = Rings(config.source, transform.size, timeline, self._stats)
        recording = make_recorder(
            config,
            bundle=self._bundle,
            tracker=self._tracker_config,
            rings=rings,
            clock=self._clock,
            stats=self._stats,
            remark=self._say_in_status,
        )
        if recording is not None:
            self._outlets.add_recorder(*recording)
        opened = open_readers(
            config.source,
            rings.timeline,
            rings.frames,
            rings.sounds,
            transform.resize,
            self._clock,
            self._stats,
            tap=None if recording is None else recording[1],
            offset_of=Offsets(default_home()).of,
        )
        for reader in opened.readers:
            self._readers.append((reader, self._reader_worker(reader, opened.senses)))
        if config.publisher is not None:
            self._outlets.open_publisher(
                config.publisher, stamper, self._sense_states, insecure=config.insecure
            )
        if config.metrics is not None:
            self._outlets.open_metrics(config.metrics, self._sense_states, insecure=config.insecure)
        if self._json_stream is not None:
            self._outlets.open_json_log(self._json_stream)
        models = load_models(self._bundle, config)
        self._backend = models.describe()
        self._stream = make_stream(
            config,
            bundle=self._bundle,
            tracker=self._tracker_config,
            models=models,
            rings=rings,
            opened=opened,
            stamper=stamper,
            emit=self._outlets.emit,
            clock=self._clock,
            stats=self._stats,
        )
        self._recognize = Worker("recognize", self._stream.step, self._stop, self._recognize_ended)

    def _say_in_status(self, sentence: str) -> None:
        if self._stream is not None:
            self._stream.remark(sentence)

    def _sense_states(self) -> dict[str, dict[str, str]]:
        """Return the state of each sense by the stream's name, for heartbeats."""
        stream = self._stream
        if stream is None:
            return {}
        return {stream.name: {s.sense.value: s.state.value for s in stream.senses()}}

    def _reader_worker(self, reader: Reader, senses: SourceSenses) -> Worker:
        def ended(error: Exception | None) -> None:
            if error is not None:
                self._reader_error = self._reader_error or error
            for sense in fed_senses(reader, senses):
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
            self._outlets.end()  # nothing more will be said; what was, goes out
            self._ended_ns = self._clock.now_ns()
            self._done.set()

    def _every_sense_is_gone(self) -> bool:
        gone = (SenseState.LOST, SenseState.ABSENT, SenseState.ENDED)
        return self._stream is None or all(s.state in gone for s in self._stream.senses())
