"""One source's whole way through: rings, clip assembler, recognizer, tracker, messages.

The pipeline gives it threads; it owns none. `step` is the recognize thread's work, `view` may be
called by any thread, `sense_ended` by the capture threads.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from realtime.buffers.audio_ring import AudioRing
from realtime.buffers.frame_ring import FrameRing
from realtime.buffers.signal import DataSignal
from realtime.clip_assembler import ClipAssembler
from realtime.clock import NS_PER_S, Timeline
from realtime.config import SourceConfig, TrackerConfig, WindowConfig
from realtime.event_tracker import EventTracker
from realtime.mailbox import Policy
from realtime.outputs.base import picture_share
from realtime.outputs.wire import Message, MessageStamper, Quality, StreamState, StreamStatus
from realtime.packets import (
    CLIP_SAMPLES,
    CLIP_SLOTS,
    Event,
    Phase,
    Prediction,
    Sense,
    SenseState,
    SenseStatus,
)
from realtime.recognition.recognizer import Recognizer
from realtime.redaction import redacted
from realtime.stats import Stats
from weights.bundle import Bundle

logger = logging.getLogger(__name__)

RING_S = 4  # a reader may run this far ahead of recognition; a held frame may be this old
N_RECENT_EVENTS = 200
STEP_TIMEOUT_S = 0.2
UNTROUBLED = {SenseState.WAITING, SenseState.OK, SenseState.ENDED, SenseState.ABSENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamView:
    """What a person is shown of a stream at one moment.

    Attributes:
        t_s: How far it has come, stream seconds.
        prediction: The newest; None before the first.
        active: Events that go on.
        recent: Events that ended, oldest first.
        picture_share: The picture's share of the attention at each of these events' latest message.
        senses: How each sense is doing.
    """

    t_s: float
    prediction: Prediction | None
    active: tuple[Event, ...]
    recent: tuple[Event, ...]
    picture_share: dict[int, float]
    senses: tuple[SenseStatus, ...]


class Rings:
    """What the capture threads fill: both rings, their signal and the stream's time."""

    def __init__(self, source: SourceConfig, size: int, timeline: Timeline, stats: Stats) -> None:
        policy = Policy.DROP_OLDEST if source.live else Policy.WAIT
        self.timeline = timeline
        self.signal = DataSignal()
        self.frames = FrameRing(RING_S * CLIP_SLOTS, size, policy, self.signal, stats)
        self.sounds = AudioRing(RING_S * CLIP_SAMPLES, policy, self.signal, stats)

    def end(self, sense: Sense) -> None:
        """Say that no more comes of one sense."""
        (self.frames if sense is Sense.PICTURE else self.sounds).end()

    def close(self) -> None:
        """Free whoever waits for room."""
        self.frames.close()
        self.sounds.close()


class Stream:
    """Recognizes one source; see the module for who may call what.

    Args:
        config: The source.
        window: Hop and T.
        tracker: How probabilities become events.
        rings: What its readers fill.
        assembler: Cuts what is in the rings.
        recognizer: Made for the assembler's stride.
        bundle: Names of labels, for messages.
        device: Where the trunks run, for the status message.
        backend: What runs them there.
        stamper: Builds and numbers messages.
        until_t_ns: Stream time at which it is over; None for the source's end.
        emit: Hands a message to the outputs.
        stats: The run's figures.
        watched: Returns what is known of the senses that come back when lost.
    """

    def __init__(
        self,
        *,
        config: SourceConfig,
        window: WindowConfig,
        tracker: TrackerConfig,
        rings: Rings,
        assembler: ClipAssembler,
        recognizer: Recognizer,
        bundle: Bundle,
        device: str,
        backend: str,
        stamper: MessageStamper,
        until_t_ns: int | None,
        emit: Callable[[Message], None],
        stats: Stats,
        watched: Callable[[], Mapping[Sense, SenseStatus]] = dict,
    ) -> None:
        self.name = config.name
        self._watched = watched
        self._until_t_ns = until_t_ns
        self._window = window
        self._rings = rings
        self._assembler = assembler
        self._recognizer = recognizer
        self._tracker = EventTracker(tracker, bundle.labels)
        self._bundle = bundle
        self._device = device
        self._backend = backend
        self._stamper = stamper
        self._emit = emit
        self._stats = stats
        self._lock = threading.Lock()
        self._details: dict[Sense, str] = {}
        self._lost: set[Sense] = set()
        self._prediction: Prediction | None = None
        self._active: dict[int, Event] = {}
        self._recent: deque[Event] = deque(maxlen=N_RECENT_EVENTS)
        self._picture_share: dict[int, float] = {}
        self._told: tuple[SenseStatus, ...] = ()
        self._remark = self._told_remark = ""
        self._finished = False

    def describe(self, sense: Sense, detail: str) -> None:
        """Say what a sense is read from."""
        with self._lock:
            self._details[sense] = redacted(detail)

    def sense_ended(self, sense: Sense, fault: str | None) -> None:
        """Say that a sense's reader has ended; with a `fault`, the sense is lost."""
        if fault is not None:
            with self._lock:
                self._lost.add(sense)
                self._details[sense] = redacted(fault)
        self._rings.end(sense)

    def remark(self, sentence: str) -> None:
        """Have the next step say a sentence in a status message; "" takes it back. Any thread."""
        with self._lock:
            self._remark = sentence

    def step(self) -> bool:
        """Recognize one clip, or wait 0.2 s for one; return False when the stream is over."""
        clip = self._assembler.assemble(STEP_TIMEOUT_S)
        self._tell_states()
        if clip is None:
            return not self._assembler.finished
        prediction = self._recognizer.step(clip)
        if prediction is not None:
            events = self._tracker.update(prediction)
            self._stats.observe_step(prediction.compute_ms, prediction.latency_ms)
            self._tell(prediction, events)
        return self._until_t_ns is None or clip.end_t_ns < self._until_t_ns

    def finish(self, error: Exception | None) -> None:
        """End what is going on and say how the stream ended; the recognize thread's last act."""
        if self._finished:
            return
        self._finished = True
        last = self._prediction
        if last is not None:
            self._tell(None, self._tracker.close(last.end_t_ns))
        self._tell_states()
        state = StreamState.ENDED if error is None else StreamState.FAILED
        detail = "" if error is None else redacted(str(error))
        self._emit(self._stamper.status(self.name, self._status(state, self._told, detail)))

    def senses(self) -> tuple[SenseStatus, ...]:
        """Return how each sense is doing, with what it is read from or why it is lost."""
        states, watched = self._assembler.states(), self._watched()
        with self._lock:
            lost, details = set(self._lost), dict(self._details)
        return tuple(
            _status_of(sense, state, watched.get(sense), sense in lost, details.get(sense, ""))
            for sense, state in states.items()
        )

    def view(self) -> StreamView:
        """Return what a person is shown now. Any thread may call it."""
        senses = self.senses()
        with self._lock:
            prediction = self._prediction
            return StreamView(
                t_s=0.0 if prediction is None else prediction.end_t_ns / NS_PER_S,
                prediction=prediction,
                active=tuple(self._active.values()),
                recent=tuple(self._recent),
                picture_share=dict(self._picture_share),
                senses=senses,
            )

    def _tell(self, prediction: Prediction | None, events: tuple[Event, ...]) -> None:
        quality = Quality.of(self._stats.snapshot())
        timeline, labels = self._rings.timeline, self._bundle.labels
        basis = prediction
        if basis is None and self._prediction is not None:
            # What a stream's end is judged by is old: it has no latency.
            basis = replace(self._prediction, latency_ms=None)
        with self._lock:
            if prediction is not None:
                self._prediction = prediction
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
                self._stats.count("events")
            self._emit(self._stamper.event(self.name, timeline, event, basis, labels, quality))
        if prediction is not None:
            self._emit(self._stamper.prediction(self.name, timeline, prediction, labels, quality))

    def _forget_old_shares(self) -> None:
        """Keep the shares of the events that are still shown; the lock is held."""
        shown = self._active.keys() | {event.number for event in self._recent}
        for number in self._picture_share.keys() - shown:
            del self._picture_share[number]

    def _tell_states(self) -> None:
        """Publish and log each change of a sense once."""
        senses = self.senses()
        with self._lock:
            remark = self._remark
        if senses == self._told and remark == self._told_remark:
            return
        for before, after in zip(self._told or (None,) * len(senses), senses, strict=True):
            if before is not None and before.state is after.state:
                continue
            level = logging.INFO if after.state in UNTROUBLED else logging.WARNING
            detail = f": {after.detail}" if after.detail else ""
            logger.log(level, "%s %s %s%s", self.name, after.sense, after.state, detail)
        self._told, self._told_remark = senses, remark
        waits = any(status.state is SenseState.WAITING for status in senses)  # for its first clip
        state = StreamState.STARTING if waits else StreamState.RUNNING
        self._emit(self._stamper.status(self.name, self._status(state, senses, remark)))

    def _status(
        self, state: StreamState, senses: tuple[SenseStatus, ...], detail: str
    ) -> StreamStatus:
        return StreamStatus(
            state=state,
            senses=senses,
            bundle=self._bundle.name,
            bundle_version=self._bundle.version,
            labels=self._bundle.labels,
            background=self._bundle.background,
            hop_s=self._window.hop_s,
            window_clips=self._window.n_clips,
            device=self._device,
            backend=self._backend,
            detail=detail,
        )


def _status_of(
    sense: Sense, state: SenseState, watched: SenseStatus | None, is_lost: bool, detail: str
) -> SenseStatus:
    """Join what the last clip saw of a sense with what is known of its device."""
    if is_lost:
        return SenseStatus(sense=sense, state=SenseState.LOST, detail=detail)
    if watched is None:
        return SenseStatus(sense=sense, state=state, detail=detail)
    if watched.state is not SenseState.OK:
        return replace(watched, detail=redacted(watched.detail))
    return SenseStatus(sense=sense, state=state, detail=redacted(watched.detail))
