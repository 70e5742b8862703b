"""One source's way around the networks: rings and clips before them, events and messages after.

The pipeline gives it threads; it owns none. `poll`, `take` and `finish` are the recognize thread's
(`realtime.scheduler`), `view` may be called by any thread, `sense_ended` by the capture threads.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

from realtime.clips.assembler import ClipAssembler
from realtime.clock import NS_PER_S
from realtime.config import SourceConfig
from realtime.events.detector import EventDetector
from realtime.load_governor import LoadLevel
from realtime.outputs.base import StreamView, picture_share
from realtime.outputs.wire import Quality
from realtime.packets import Clip, Event, GridFrame, Phase, Prediction, Sense, SenseStatus
from realtime.rings import Rings
from realtime.run_context import RunContext
from realtime.stats import Stats
from realtime.stream_report import StreamReport

N_RECENT_EVENTS = 200
N_RECENT_DECISIONS = 240  # a minute of them; what an event of it rested on


class Stream:
    """Recognizes one source; see the module for who may call what.

    Args:
        run: What all streams share.
        source: Where sound and picture come from.
        rings: What its readers fill.
        assembler: Cuts what is in the rings.
        stats: The stream's figures.
        device: Where the trunks run, for the status message.
        backend: What runs them there.
        watched: Returns what is known of the senses that come back when lost.

    Attributes:
        name: Its source's, by which the recognizer knows it.
        over: Whether nothing more comes to be recognized.
    """

    def __init__(
        self,
        run: RunContext,
        source: SourceConfig,
        *,
        rings: Rings,
        assembler: ClipAssembler,
        stats: Stats,
        device: str,
        backend: str,
        watched: Callable[[], Mapping[Sense, SenseStatus]] = dict,
    ) -> None:
        self.name = source.name
        self.live = source.live
        self.over = False
        self._run = run
        self._rings = rings
        self._assembler = assembler
        self._stats = stats
        self._report = StreamReport(
            run,
            source.name,
            assembler=assembler,
            lag=rings.lag,
            stats=stats,
            device=device,
            backend=backend,
            watched=watched,
        )
        self._detector = EventDetector(run.events, run.bundle.labels)
        self._lock = threading.Lock()
        self._prediction: Prediction | None = None
        self._active: dict[int, Event] = {}
        self._recent: deque[Event] = deque(maxlen=N_RECENT_EVENTS)
        self._picture_share: dict[int, float] = {}
        n_kept = N_RECENT_DECISIONS if run.config.history is not None else 0
        self._decisions: deque[Prediction] = deque(maxlen=n_kept)
        self._finished = False
        self._has_begun = False
        self._paused = False
        self._t_ns = 0  # how far it has come

    def describe(self, sense: Sense, detail: str) -> None:
        """Say what a sense is read from."""
        self._report.describe(sense, detail)

    def sense_ended(self, sense: Sense, fault: str | None) -> None:
        """Say that a sense's reader has ended; with a `fault`, the sense is lost."""
        if fault is not None:
            self._report.lose(sense, fault)
        self._rings.end(sense)

    def remark(self, sentence: str) -> None:
        """Have the next step say a sentence in a status message; "" takes it back. Any thread."""
        self._report.remark(sentence)

    def announce(self, sentence: str) -> None:
        """Have the next step say a sentence in one status message. Any thread."""
        self._report.announce(sentence)

    @property
    def lag_ns(self) -> int:
        """By how much it lags behind a source that delivers in lumps."""
        return self._rings.lag.ns

    @property
    def n_notices(self) -> int:
        """Grows whenever a ring has something new."""
        return self._rings.signal.count

    def poll(self) -> tuple[Clip | None, int]:
        """Cut the next clip if it is due; else say how long to wait, ns, if nothing new comes."""
        clip, wait_ns = self._assembler.poll()
        self._tell_changes()
        self.over = self.over or (clip is None and self._assembler.finished)
        return clip, wait_ns

    def take_frames(self, limit: int) -> tuple[GridFrame, ...]:
        """Hand out frames of the clip that is not yet complete; see `ClipAssembler`."""
        return self._assembler.take_frames(limit)

    def take(self, clip: Clip, prediction: Prediction | None) -> None:
        """Take what was recognized of a clip; None between hops."""
        is_watched = self.name == self._run.config.source.name and not self._run.is_paused(
            self.name
        )
        if self._run.watch is not None and is_watched:
            self._run.watch(clip, prediction)
        if prediction is not None:
            if self._run.observe is not None:
                self._run.observe(prediction)
            if not self._has_begun:
                self._has_begun = True
                self._detector.expect(self._report.expected())
            latency_ms = None if clip.is_past else prediction.latency_ms
            self._stats.observe_step(prediction.compute_ms, latency_ms)
            if self.live and clip.has_sound:
                self._stats.observe_drift(self._rings.sounds.clock.drift_ppm)
            if self._is_paused(prediction):
                self._stats.count("paused_predictions")
            else:
                self._tell(prediction, self._detector.update(prediction))
        until_t_ns = self._run.until_t_ns
        self.over = until_t_ns is not None and clip.end_t_ns >= until_t_ns

    def _is_paused(self, prediction: Prediction) -> bool:
        """Whether nothing is told now; what goes on ends where a pause begins."""
        paused = self._run.is_paused(self.name)
        if paused != self._paused:
            self._report.announce("paused: nothing is told or recorded" if paused else "goes on")
        if paused and not self._paused:
            self._tell(None, self._detector.close(prediction.end_t_ns, "paused"))
        with self._lock:
            self._paused = paused
            self._t_ns = prediction.end_t_ns
            if paused:
                self._prediction = None
        return paused

    def adopt(self, run: RunContext) -> None:
        """Go on with another bundle's labels and settings; events of the same labels go on too.

        Args:
            run: The same but for these.
        """
        before = self._detector
        self._detector = EventDetector(run.events, run.bundle.labels, before)
        given_up = before.give_up()
        if given_up:
            self._tell(None, given_up)
        self._report.adopt(run)
        with self._lock:  # a prediction and its labels are seen together
            self._run, self._prediction = run, None
            self._decisions.clear()

    def set_level(self, level: LoadLevel) -> None:
        """Have less, or more, of a live stream computed."""
        self._assembler.set_level(level)

    def time_ns(self, t_ns: int) -> int:
        """Return stream time `t_ns`, of a stream that has begun, on the run's clock."""
        return self._rings.timeline.time_ns(t_ns)

    def finish(self, error: Exception | None) -> None:
        """End what is going on and say how the stream ended; the recognize thread's last act."""
        if self._finished:
            return
        self._finished = True
        if self._has_begun:
            self._tell(None, self._detector.close(self._t_ns))
        self._tell_changes()
        self._run.emit(self._run.stamper.status(self.name, self._report.end(error)))

    def senses(self) -> tuple[SenseStatus, ...]:
        """Return how each sense is doing, with what it is read from or why it is lost."""
        return self._report.senses()

    def view(self) -> StreamView:
        """Return what a person is shown now. Any thread may call it."""
        senses = self.senses()
        with self._lock:
            prediction = self._prediction
            return StreamView(
                labels=self._run.bundle.labels,
                t_s=self._t_ns / NS_PER_S,
                prediction=prediction,
                active=tuple(self._active.values()),
                recent=tuple(self._recent),
                picture_share=dict(self._picture_share),
                senses=senses,
                load="paused" if self._paused else self._report.load(),
            )

    def decisions(self, since_t_ns: int, until_t_ns: int) -> list[Prediction]:
        """Return what was decided from one stream time to another, of the last minute.

        Any thread may call it. Nothing is kept without a history.
        """
        with self._lock:
            kept = list(self._decisions)
        return [each for each in kept if since_t_ns <= each.end_t_ns <= until_t_ns]

    def _tell(self, prediction: Prediction | None, events: tuple[Event, ...]) -> None:
        quality = Quality.of(self._stats.counts())
        timeline, labels = self._rings.timeline, self._run.bundle.labels
        basis = prediction
        if basis is None and self._prediction is not None:
            # What a stream's end is judged by is old: it has no latency.
            basis = replace(self._prediction, latency_ms=None)
        with self._lock:
            if prediction is not None:
                self._prediction = prediction
                self._decisions.append(prediction)
            for event in events:
                if event.phase is Phase.OFFSET:
                    self._active.pop(event.number, None)
                    self._recent.append(event)
                else:
                    self._active[event.number] = event
                if basis is not None:
                    self._picture_share[event.number] = picture_share(basis)
            if events:
                self._forget_old_shares()
        for event in events:
            if event.phase is Phase.ONSET:
                self._stats.count_event(event.label)
            self._run.emit(
                self._run.stamper.event(self.name, timeline, event, basis, labels, quality)
            )
        if prediction is not None:
            self._run.emit(
                self._run.stamper.prediction(self.name, timeline, prediction, labels, quality)
            )

    def _forget_old_shares(self) -> None:
        """Keep the shares of the events that are still shown; the lock is held."""
        shown = self._active.keys() | {event.number for event in self._recent}
        for number in self._picture_share.keys() - shown:
            del self._picture_share[number]

    def _tell_changes(self) -> None:
        """Publish what is new of the stream itself."""
        status = self._report.changes()
        if status is not None:
            self._run.emit(self._run.stamper.status(self.name, status))
