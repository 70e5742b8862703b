"""Gives a run its threads and stops them: capture readers, `recognize`, and the outputs'.

A run has one stream or several, each with its own readers, rings and tracker; one thread
recognizes them all (`realtime.scheduler`). A stream that ends or fails leaves the others running,
and the run is over when all are.

Main only watches: it draws from snapshots, waits, and stops everything in the order sources,
recognition, outputs. Sources open before the models load, so that a missing camera is said at
once; the stream itself begins with `start`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TextIO

from realtime.asked_outputs import asked_outputs, explain_page, recorded_events
from realtime.asked_page import open_asked_page
from realtime.buffers.signal import DataSignal
from realtime.build import (
    load_models,
    make_recognizer,
    make_stream,
)
from realtime.bundle_settings import event_settings, find_bundle, grid_hz_of
from realtime.bundle_swap import BundleSwap
from realtime.clock import NS_PER_S, BootClock, Clock, WallClock
from realtime.config import RunConfig
from realtime.controls import Controls
from realtime.errors import SourceError
from realtime.output_threads import OutputThreads
from realtime.outputs.base import DashboardSnapshot, RunView
from realtime.outputs.explain.event_trace import EventTraces
from realtime.outputs.json_log import JsonLog
from realtime.outputs.output import Output
from realtime.outputs.recording.by_hand import ByHand
from realtime.outputs.wire import Message
from realtime.packets import GridFrame, Prediction
from realtime.run_context import RunContext
from realtime.run_source import RunSource
from realtime.run_sources import RunSources, ask_sources, close_containers
from realtime.scheduler import Scheduler
from realtime.sources.inquiry import Answer
from realtime.sources.opened import OpenedSource
from realtime.stats import Stats
from realtime.swap_state import SwapState
from realtime.threads.one_off import OneOffThread, left_behind
from realtime.threads.worker import Worker
from weights.bundle import Bundle

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from realtime.web.heard import NewestSound
    from realtime.web.server import WebPage

logger = logging.getLogger(__name__)

JOIN_TIMEOUT_S = 1.5  # Ctrl-C ends within 2 s
WEB_S = 0.4  # the page hangs up on everybody and ends


class Pipeline:
    """One run from open sources to closed sockets; main thread only.

    Args:
        config: The run.
        json_stream: Where event messages go as JSON lines; None for nowhere.
        clock: The run's clock.
        observe: Told every prediction of every stream, on the recognize thread.
        tell: Told every message of every stream likewise; what it waits for, recognition does.
        outputs: Of one's own, beside those of the settings; each gets a thread.
    """

    def __init__(
        self,
        config: RunConfig,
        json_stream: TextIO | None = None,
        clock: Clock | None = None,
        observe: Callable[[Prediction], None] | None = None,
        tell: Callable[[Message], None] | None = None,
        outputs: Sequence[Output] = (),
    ) -> None:
        self._config = config
        self._clock = clock if clock is not None else BootClock()
        self._wall = WallClock(self._clock, on_step=self._clock_stepped)
        self._outputs = (*outputs, *([] if json_stream is None else [JsonLog(json_stream)]))
        self._observe = observe
        self._tell = tell
        self._stop = threading.Event()
        self._done = threading.Event()
        self._stats = Stats()
        self._bundle = find_bundle(config.bundle)
        self._events = event_settings(self._bundle, config.events)
        self._controls = Controls(config)
        self._sources = RunSources()
        self._output_threads = self._make_output_threads()
        self._recognize: Worker | None = None
        self._loading = OneOffThread("load")
        self._web: WebPage | None = None
        self._scheduler: Scheduler | None = None
        self._swap: BundleSwap | None = None
        self._traces: EventTraces | None = None
        self._run_view: RunView | None = None
        self._by_hand: dict[str, ByHand] = {}
        self._run_name = ""
        self._starved = False  # the run ended because no sense was left
        self._ran_out = False  # or because there was no more of it, not because of a signal
        self._started_ns = self._clock.now_ns()
        self._ended_ns: int | None = None

    @property
    def bundle(self) -> Bundle:
        """The bundle in use."""
        return self._bundle

    @property
    def live(self) -> bool:
        """Whether any stream may drop rather than wait; a URL is known once it was opened."""
        return self._config.live

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
        self._output_threads.start()
        self._recognize.start()
        for _, worker in self._sources.readers():
            worker.start()

    def wait(self, timeout_s: float) -> bool:
        """Wait until the run is over or `timeout_s` has gone; return whether it is over.

        A file's run is over once its last message is written too, however slow its reader is.
        """
        if not self._done.wait(timeout_s):
            return False
        workers = self._output_threads.workers
        if self._config.live or any(worker.error is not None for worker in workers):
            return True
        return all(worker.join(timeout_s) for worker in workers)

    def close(self, timeout_s: float = JOIN_TIMEOUT_S) -> list[str]:
        """Stop sources, recognition and outputs, in this order, and join their threads.

        What was said so far still reaches the outputs. May be called again.

        Returns:
            Names of the threads that did not end in `timeout_s`: a long step of the trunks, a
            driver that does not return, or networks that a signal found half loaded.
        """
        deadline = time.monotonic() + timeout_s
        self._stop.set()
        if self._web is not None:
            self._web.end()
        for source in self._sources:
            source.rings.close()
        workers = [worker for _, worker in self._sources.readers()]
        if self._recognize is not None:
            workers.append(self._recognize)
        for worker in workers:
            worker.join(max(0.0, deadline - time.monotonic()))
        self._output_threads.close(deadline)
        web_ended = self._web is None or self._web.close(max(WEB_S, deadline - time.monotonic()))
        for reader, worker in self._sources.readers():
            if not worker.alive:
                reader.close()
        names = (w.name for w in (*workers, *self._output_threads.workers) if w.alive)
        web = [] if web_ended else ["web"]
        return [*left_behind(), *names, *web, *self._sources.survivors()]

    def raise_failure(self) -> None:
        """Raise what ended the run, if it was an error."""
        for worker in (self._recognize, *self._output_threads.workers):
            if worker is not None and worker.error is not None:
                raise worker.error
        if self._starved:
            self._sources.raise_fault()
        if self._ran_out:
            self._sources.raise_damage()

    def progress(self) -> dict[str, int]:
        """Return the steps that `recognize` and `publish` have taken, for whoever watches them.

        Capture threads are not among them: a driver that hangs costs one sense, and says so.
        """
        workers = [w for w in self._output_threads.workers if w.name == "publish"]
        if self._recognize is not None:
            workers.append(self._recognize)
        return {worker.name: worker.n_steps for worker in workers if worker.alive}

    def take_bundle(self, name: str | None = None) -> None:
        """Have the run go on with a bundle's labels and thresholds; any thread may ask.

        Args:
            name: As `--bundle` takes it; None for the one that the run began with, read anew.
        """
        if self._swap is not None:
            self._swap.ask(self._config.bundle if name is None else name)

    def bundle_state(self) -> SwapState:
        """Return which bundle is in use, and how it went with the last that was asked for."""
        if self._swap is None:
            return SwapState(bundle=f"{self._bundle.name} {self._bundle.version}")
        return self._swap.state()

    def view(self, warnings: tuple[str, ...] = ()) -> DashboardSnapshot:
        """Return what a person is shown now, with the newest `warnings` of the log.

        With several streams it is the first one that goes on, and the others are in `others`.
        """
        if not self._sources or self._sources[0].stream is None:
            raise ValueError("open the pipeline before it is looked at")
        views = [self._view(source, warnings) for source in self._sources]
        shown = self._sources.shown()
        return replace(views[shown], others=tuple(views[:shown] + views[shown + 1 :]))

    def newest_picture(self, source: str) -> NDArray[np.uint8] | None:
        """Return the newest picture of a stream as its network sees it, RGB uint8; or None."""
        frame = self._newest_frame(source)
        return None if frame is None else frame.image

    def record_now(self, source: str) -> str:
        """Begin a recording of a stream, or end the one that was begun so; say what became of it.

        A source that is paused, or whose recording is switched off, is not recorded.
        """
        found = next((each for each in self._sources if each.config.name == source), None)
        if self._config.record is None:
            return "nothing is recorded; start with --record DIR"
        t_s = 0.0 if found is None or found.stream is None else found.stream.view().t_s
        if found is None or t_s <= 0.0 or self._done.is_set():
            return f"{source} has not begun, or is over"
        if self._controls.is_paused(source) or not self._controls.records(source):
            return f"{source} is paused, or its recording is switched off"
        if source not in self._by_hand:
            self._by_hand[source] = ByHand(
                source,
                self._run_name,
                found.rings.timeline,
                partial(self._output_threads.tell_recorder, source),
            )
        is_on = self._by_hand[source].toggle(round(t_s * NS_PER_S))
        return f"{source} is recorded; r ends it" if is_on else f"{source}: the recording ends"

    def _view(self, source: RunSource, warnings: tuple[str, ...]) -> DashboardSnapshot:
        if source.stream is None or self._run_view is None:
            raise ValueError("open the pipeline before it is looked at")
        stream = source.stream.view()
        return DashboardSnapshot(
            source=source.config.name,
            run=replace(self._run_view, labels=stream.labels or self._run_view.labels),
            stream=stream,
            stats=source.stats.snapshot(),
            elapsed_s=((self._ended_ns or self._clock.now_ns()) - self._started_ns) / NS_PER_S,
            endpoint=self._output_threads.endpoint,
            n_subscribers=self._output_threads.n_subscribers,
            recording=self._output_threads.recording(source.config.name),
            warnings=warnings,
        )

    def _emit(self, message: Message) -> None:
        self._output_threads.emit(message)
        if self._tell is not None:
            self._tell(message)

    def _make_output_threads(self) -> OutputThreads:
        return OutputThreads(
            live=self._config.live,
            stop=self._stop,
            on_error=self._done.set,
            clock=self._clock,
            stats=self._stats,
            recorded=recorded_events(self._config, self._controls),
        )

    def _open(self) -> None:
        self._config, answers = ask_sources(self._config, self._clock, self._stats)
        self._output_threads = self._make_output_threads()
        try:
            self._open_all(answers)
        except BaseException:
            close_containers(answers)  # of sources whose turn did not come
            raise

    def _open_all(self, answers: list[Answer | SourceError]) -> None:
        config = self._config
        explains = explain_page(config, self._bundle, self._events)
        run = RunContext.begin(
            config,
            self._bundle,
            self._events,
            clock=self._clock,
            wall=self._wall,
            emit=self._emit,
            observe=self._observe,
            watch=None if explains is None else explains.watch,
            controls=self._controls,
        )
        self._run_name = run.stamper.run
        signal = DataSignal()
        opened = self._sources.open(
            run, answers, self._output_threads, signal, self._stats, self._stop
        )
        if config.publisher is not None:
            self._output_threads.open_publisher(
                config.publisher, run.stamper, self._sources.sense_states, insecure=config.insecure
            )
        if config.metrics is not None:
            self._output_threads.open_metrics(
                config.metrics,
                self._sources.figures,
                self._sources.sense_states,
                insecure=config.insecure,
            )
        self._traces = traces = EventTraces(
            self._bundle.labels, self._events.window_weight, self._sources.decisions
        )
        asked = asked_outputs(
            config,
            self._controls,
            self._bundle.labels,
            self._newest_frame,
            traces.of,
            self._sources.sound_levels,
            self._clock,
            self._stats,
        )
        for output in (*self._outputs, *([] if explains is None else [explains]), *asked):
            self._output_threads.open_output(output)
        self._web = open_asked_page(
            config,
            view=lambda: None if self._recognize is None else self.view(),
            newest_frame=self._newest_frame,
            newest_sound=self._newest_sound,
            known_labels=lambda: self._bundle.labels,
            bundle_state=self.bundle_state,
            take_bundle=self.take_bundle,
            clock=self._clock,
        )
        self._loading.run(lambda: self._open_recognition(run, opened, signal))

    def _newest_frame(self, name: str) -> GridFrame | None:
        if self._controls.is_paused(name):
            return None
        rings = (source.rings for source in self._sources if source.config.name == name)
        return next((found.frames.newest() for found in rings), None)

    def _newest_sound(self, name: str, from_index: int) -> NewestSound | None:
        rings = (source.rings for source in self._sources if source.config.name == name)
        sounds = next((found.sounds for found in rings), None)
        if sounds is None or not sounds.end_index or self._controls.is_paused(name):
            return None
        from realtime.web.heard import NewestSound

        end = sounds.end_index
        first = min(end, max(from_index, sounds.first_index))
        return NewestSound(first, sounds.read(first, end).samples)

    def _open_recognition(
        self, run: RunContext, opened: list[OpenedSource], signal: DataSignal
    ) -> None:
        models = load_models(self._bundle, self._config)
        recognizer = make_recognizer(models, self._clock)
        self._run_view = self._make_run_view(models.describe())
        for source, its_opened in zip(self._sources, opened, strict=True):
            source.stream = make_stream(
                run,
                source.config,
                rings=source.rings,
                opened=its_opened,
                recognizer=recognizer,
                stats=source.stats,
            )
        self._scheduler = Scheduler(
            self._sources.streams(),
            recognizer,
            signal,
            self._clock,
            self._stats,
            grid_hz_of(self._bundle, self._config.window.grid_hz),
        )
        self._swap = BundleSwap(
            run,
            recognizer,
            self._sources.streams(),
            between_rounds=self._scheduler.between_rounds,
            adopted=self._adopted,
        )
        self._recognize = Worker(
            "recognize", self._scheduler.step, self._stop, self._recognize_ended
        )

    def _make_run_view(self, backend: str) -> RunView:
        return RunView(
            labels=self._bundle.labels,
            background=self._bundle.background,
            window_weight=self._events.window_weight,
            window_clips=self._config.window.n_clips,
            bundle=f"{self._bundle.name} {self._bundle.version}",
            backend=backend,
        )

    def _adopted(self, run: RunContext) -> None:
        """Show another bundle; called in the recognize thread."""
        self._bundle, self._events = run.bundle, run.events
        if self._traces is not None:
            self._traces.adopt(run.bundle.labels, run.events.window_weight)
        if self._run_view is not None:
            self._run_view = self._make_run_view(self._run_view.backend)

    def _clock_stepped(self, step_ns: int) -> None:
        """Say once that the wall clock was set; called in whichever thread saw it."""
        self._stats.count("clock_steps")
        sentence = (
            f"the wall clock was set {'ahead' if step_ns > 0 else 'back'} by "
            f"{timedelta(seconds=round(abs(step_ns) / NS_PER_S))}; from now on dates follow it"
        )
        logger.warning("%s", sentence)
        for stream in self._sources.streams():
            stream.announce(sentence)

    def _recognize_ended(self, error: Exception | None) -> None:
        self._ran_out = not self._stop.is_set()
        self._starved = self._ran_out and self._sources.is_every_sense_gone()
        try:
            if self._scheduler is not None:
                self._scheduler.finish(error)
        finally:
            self._output_threads.end()  # nothing more will be said; what was, goes out
            self._ended_ns = self._clock.now_ns()
            self._done.set()
