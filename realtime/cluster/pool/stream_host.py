"""Streams that come and go on one set of networks: what a pool's actor does, without Ray.

Place in the flow: the hub's links → each stream's reader and rings → today's scheduler, with one
batch for all → `emit`. A run (`realtime.pipeline`) knows its sources when it begins; this one is
given streams and lets go of them while the others go on.

A stream that is let go of says nothing more, not even that its events end: another actor has it
from then on, and who joins the actors' messages (`realtime.cluster.pool.continuing`) says what
becomes of them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from realtime.buffers.signal import DataSignal
from realtime.build import frame_transform, load_models, make_recognizer, make_stream
from realtime.bundle_settings import event_settings, find_bundle, grid_hz_of
from realtime.clock import Clock, Timeline, WallClock
from realtime.config import RunConfig, SourceConfig
from realtime.outputs.wire import Message
from realtime.rings import Rings
from realtime.run_context import RunContext
from realtime.scheduler import STEP_TIMEOUT_S, Scheduler
from realtime.sources.base import Reader, SourceSenses, fed_senses
from realtime.sources.factory import open_readers
from realtime.sources.inquiry import inquire
from realtime.stats import Stats
from realtime.stream import Stream
from realtime.threads.one_off import OneOffThread
from realtime.threads.worker import Worker

if TYPE_CHECKING:
    from realtime.recognition.batch import BatchRecognizer

logger = logging.getLogger(__name__)

_ROUND_S = 10.0  # a round under load lasts seconds at most
_JOIN_S = 1.5


@dataclass(slots=True, kw_only=True)
class _Hosted:
    stream: Stream
    rings: Rings
    stats: Stats
    stop: threading.Event
    readers: list[tuple[Reader, Worker]]


class StreamHost:
    """Recognizes whom it is given; any thread may call it once it is open, one at a time.

    Args:
        config: The run; its sources say nothing here.
        clock: The run's.
        stats: All streams' figures.
        emit: Takes each message, on the recognize thread.
    """

    def __init__(
        self, config: RunConfig, clock: Clock, stats: Stats, emit: Callable[[Message], None]
    ) -> None:
        self._config = config
        self._clock = clock
        self._stats = stats
        self._bundle = find_bundle(config.bundle)
        self._transform = frame_transform(self._bundle)
        self._wall = WallClock(clock)
        self.run = RunContext.begin(
            config,
            self._bundle,
            event_settings(self._bundle, config.events),
            clock=clock,
            wall=self._wall,
            emit=emit,
        )
        self._signal = DataSignal()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._hosted: dict[str, _Hosted] = {}
        self._recognizer: BatchRecognizer | None = None
        self._scheduler: Scheduler | None = None
        self._worker = Worker("recognize", self._step, self._stop)

    def open(self) -> None:
        """Load the networks, which takes seconds, and begin.

        Raises:
            ModelError: They cannot be loaded.
        """
        models = OneOffThread("load").run(lambda: load_models(self._bundle, self._config))
        self._recognizer = make_recognizer(models, self._clock)
        grid_hz = grid_hz_of(self._bundle, self._config.window.grid_hz)
        self._scheduler = Scheduler(
            [], self._recognizer, self._signal, self._clock, self._stats, grid_hz
        )
        self._worker.start()

    @property
    def error(self) -> Exception | None:
        """What ended recognition before its time."""
        return self._worker.error

    @property
    def load_level(self) -> int:
        """What is given up to keep up, 0 for nothing."""
        return 0 if self._scheduler is None else self._scheduler.load_level

    def streams(self) -> list[str]:
        """Return whom it has."""
        return list(self._hosted)

    def senses(self) -> dict[str, dict[str, str]]:
        """Return the state of each sense by the stream's name."""
        return {
            name: {s.sense.value: s.state.value for s in hosted.stream.senses()}
            for name, hosted in list(self._hosted.items())
        }

    def counts(self) -> dict[str, dict[str, int]]:
        """Return each stream's counters by its name."""
        return {name: hosted.stats.counts() for name, hosted in list(self._hosted.items())}

    def take(self, source: SourceConfig) -> None:
        """Recognize a stream from now on; one that it has already goes on.

        Raises:
            SourceError: Its source cannot be read, now or later.
        """
        with self._lock:
            if source.name not in self._hosted:
                self._hosted[source.name] = self._open_stream(source)

    def release(self, name: str) -> None:
        """Let go of a stream; of one that it has not, nothing happens."""
        with self._lock:
            hosted = self._hosted.pop(name, None)
            if hosted is None or self._scheduler is None:
                return
            hosted.stop.set()
            done = threading.Event()
            self._scheduler.between_rounds(partial(self._dismiss, hosted.stream, done))
            hosted.rings.close()
            done.wait(_ROUND_S)
            for reader, worker in hosted.readers:
                if worker.join(_JOIN_S):
                    reader.close()
        logger.info("stream %s was let go of", name)

    def close(self) -> None:
        """Let go of all and end. May be called again."""
        for name in self.streams():
            self.release(name)
        self._stop.set()
        if not self._worker.join(_JOIN_S):
            logger.warning("ended without waiting for recognize")

    def _step(self) -> bool:
        if self._scheduler is None:
            raise ValueError("open the host first")
        seen = self._signal.count
        if not self._scheduler.step():
            self._signal.wait(seen, STEP_TIMEOUT_S)
        return True

    def _open_stream(self, source: SourceConfig) -> _Hosted:
        if self._recognizer is None or self._scheduler is None:
            raise ValueError("open the host first")
        stats = Stats(self._stats)
        config = inquire(source, self._clock, stats).config
        timeline = Timeline(self._wall)
        grid_hz = grid_hz_of(self._bundle, self._config.window.grid_hz)
        rings = Rings(
            config,
            self._transform.size,
            timeline,
            stats,
            self._signal,
            grid_hz,
            catches_up=True,
        )
        opened = open_readers(
            config,
            timeline,
            rings.frames,
            rings.sounds,
            self._transform.resize,
            self._clock,
            stats,
            wait=True,
            lag=rings.lag,
        )
        made: list[Stream] = []
        done = threading.Event()
        recognizer, scheduler = self._recognizer, self._scheduler

        def admit() -> None:
            stream = make_stream(
                self.run,
                config,
                rings=rings,
                opened=opened,
                recognizer=recognizer,
                stats=stats,
                catches_up=True,
            )
            made.append(stream)
            scheduler.admit(stream)
            done.set()

        scheduler.between_rounds(admit)
        if not done.wait(_ROUND_S):
            raise RuntimeError("recognition does not go on")
        stop = threading.Event()
        readers = [(r, self._worker_of(r, opened.senses, made[0], stop)) for r in opened.readers]
        for _, worker in readers:
            worker.start()
        logger.info("stream %s was taken", source.name)
        return _Hosted(stream=made[0], rings=rings, stats=stats, stop=stop, readers=readers)

    def _worker_of(
        self, reader: Reader, senses: SourceSenses, stream: Stream, stop: threading.Event
    ) -> Worker:
        def ended(error: Exception | None) -> None:
            for sense in fed_senses(reader, senses):
                stream.sense_ended(sense, None if error is None else str(error))
            reader.close()

        return Worker(reader.name, reader.step, stop, ended)

    def _dismiss(self, stream: Stream, done: threading.Event) -> None:
        if self._scheduler is not None and self._recognizer is not None:
            self._scheduler.dismiss(stream)
            self._recognizer.forget(stream.name)
        done.set()
