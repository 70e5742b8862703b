"""One source's way around the networks: rings and clips before them, events and messages after.

The pipeline gives it threads; it owns none. `poll`, `take` and `finish` are the recognize thread's
(`realtime.scheduler`), `view` may be called by any thread, `sense_ended` by the capture threads.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from realtime.addresses import is_network
from realtime.buffers.audio_ring import AudioRing
from realtime.buffers.frame_ring import FrameRing
from realtime.buffers.lag import MAX_LAG_NS, Lag
from realtime.buffers.signal import DataSignal
from realtime.clip_assembler import ClipAssembler
from realtime.clock import NS_PER_S, Timeline
from realtime.config import SourceConfig, WindowConfig
from realtime.event_detector import EventDetector
from realtime.load_governor import LoadLevel
from realtime.mailbox import Policy
from realtime.outputs.base import picture_share
from realtime.outputs.wire import Message, MessageStamper, Quality, StreamState, StreamStatus
from realtime.packets import (
    CLIP_SAMPLES,
    CLIP_SLOTS,
    GRID_HZ,
    Clip,
    Event,
    GridFrame,
    Phase,
    Prediction,
    Sense,
    SenseState,
    SenseStatus,
)
from realtime.redaction import redacted
from realtime.stats import Damage, Stats
from weights.bundle import Bundle, EventSpec

logger = logging.getLogger(__name__)

RING_S = 4  # a reader may run this far ahead of recognition; a held frame may be this old
N_RECENT_EVENTS = 200
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
        load: What is given up to keep up, in words; empty for nothing.
    """

    t_s: float
    prediction: Prediction | None
    active: tuple[Event, ...]
    recent: tuple[Event, ...]
    picture_share: dict[int, float]
    senses: tuple[SenseStatus, ...]
    load: str = ""


def _sound_ring_s(source: SourceConfig) -> int:
    """How much sound is kept: a microphone's waits where the camera beside it lags behind."""
    lags = source.camera is not None and is_network(source.camera)
    return RING_S + (MAX_LAG_NS // NS_PER_S if lags else 0)


class Rings:
    """What the capture threads fill: both rings, their signal and the stream's time."""

    def __init__(
        self,
        source: SourceConfig,
        size: int,
        timeline: Timeline,
        stats: Stats,
        all_streams: DataSignal | None = None,
        grid_hz: int = GRID_HZ,
    ) -> None:
        policy = Policy.DROP_OLDEST if source.live else Policy.WAIT
        self.timeline = timeline
        self.signal = DataSignal(all_streams)
        self.frames = FrameRing(
            RING_S * CLIP_SLOTS, size, policy, self.signal, stats, GRID_HZ // grid_hz
        )
        self.sounds = AudioRing(_sound_ring_s(source) * CLIP_SAMPLES, policy, self.signal, stats)
        self.lag = Lag()

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
        bundle: Names of labels, for messages.
        device: Where the trunks run, for the status message.
        backend: What runs them there.
        stamper: Builds and numbers messages.
        until_t_ns: Stream time at which it is over; None for the source's end.
        emit: Hands a message to the outputs.
        stats: The stream's figures.
        watched: Returns what is known of the senses that come back when lost.
        observe: Told every prediction, before the tracker; evaluation keeps scores with it.

    Attributes:
        name: Its source's, by which the recognizer knows it.
        over: Whether nothing more comes to be recognized.
    """

    def __init__(
        self,
        *,
        config: SourceConfig,
        window: WindowConfig,
        tracker: EventSpec,
        rings: Rings,
        assembler: ClipAssembler,
        bundle: Bundle,
        device: str,
        backend: str,
        stamper: MessageStamper,
        until_t_ns: int | None,
        emit: Callable[[Message], None],
        stats: Stats,
        watched: Callable[[], Mapping[Sense, SenseStatus]] = dict,
        observe: Callable[[Prediction], None] | None = None,
    ) -> None:
        self.name = config.name
        self._watched = watched
        self._observe = observe
        self.live = config.live
        self.over = False
        self._until_t_ns = until_t_ns
        self._window = window
        self._rings = rings
        self._assembler = assembler
        self._detector = EventDetector(tracker, bundle.labels)
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
        self._remark = self._news = ""
        self._told_rest: tuple[str, ...] = ("", "", "", "")
        self._told_lag_s = 0.0
        self._told_damage = Damage()
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

    def announce(self, sentence: str) -> None:
        """Have the next step say a sentence in one status message. Any thread."""
        with self._lock:
            self._news = sentence

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
        self._tell_states()
        self.over = self.over or (clip is None and self._assembler.finished)
        return clip, wait_ns

    def take_frames(self, limit: int) -> tuple[GridFrame, ...]:
        """Hand out frames of the clip that is not yet complete; see `ClipAssembler`."""
        return self._assembler.take_frames(limit)

    def take(self, clip: Clip, prediction: Prediction | None) -> None:
        """Take what was recognized of a clip; None between hops."""
        if prediction is not None:
            if self._observe is not None:
                self._observe(prediction)
            if self._prediction is None:
                self._detector.expect(self._expected())
            events = self._detector.update(prediction)
            self._stats.observe_step(prediction.compute_ms, prediction.latency_ms)
            self._tell(prediction, events)
        self.over = self._until_t_ns is not None and clip.end_t_ns >= self._until_t_ns

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
        last = self._prediction
        if last is not None:
            self._tell(None, self._detector.close(last.end_t_ns))
        self._tell_states()
        state = StreamState.ENDED if error is None else StreamState.FAILED
        detail = Damage.of(self._stats.snapshot()).describe()
        if error is not None:
            detail = redacted(str(error))
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
                load=self._load(),
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

    def _expected(self) -> set[Sense]:
        """Return the senses that the stream has or is about to have."""
        with self._lock:
            lost = set(self._lost)
        states = self._assembler.states()
        return {s for s, state in states.items() if state is not SenseState.ABSENT} - lost

    def _forget_old_shares(self) -> None:
        """Keep the shares of the events that are still shown; the lock is held."""
        shown = self._active.keys() | {event.number for event in self._recent}
        for number in self._picture_share.keys() - shown:
            del self._picture_share[number]

    def _tell_states(self) -> None:
        """Publish and log each change of a sense once."""
        senses = self.senses()
        with self._lock:
            rest = (self._remark, self._load(), self._delivery(), self._damage())
            news, self._news = self._news, ""
        if senses == self._told and rest == self._told_rest and not news:
            return
        for before, after in zip(self._told or (None,) * len(senses), senses, strict=True):
            if before is not None and before.state is after.state:
                continue
            level = logging.INFO if after.state in UNTROUBLED else logging.WARNING
            detail = f": {after.detail}" if after.detail else ""
            subject = {"subject": f"{self.name} {after.sense}"}
            text = "%s %s %s%s"
            logger.log(level, text, self.name, after.sense, after.state, detail, extra=subject)
        self._told, self._told_rest = senses, rest
        waits = any(status.state is SenseState.WAITING for status in senses)  # for its first clip
        state = StreamState.STARTING if waits else StreamState.RUNNING
        detail = "; ".join(filter(None, (news, *rest)))
        self._emit(self._stamper.status(self.name, self._status(state, senses, detail)))

    def _load(self) -> str:
        """Say what is given up to keep up."""
        grid_hz, hop_s = self._assembler.grid_hz, self._assembler.hop_s
        full_hz = self._assembler.asked_grid_hz
        parts = [f"{grid_hz} of {full_hz} pictures a second"] if grid_hz < full_hz else []
        if hop_s > self._window.hop_s:
            parts.append(f"a decision every {hop_s:g} s")
        return f"to keep up: {', '.join(parts)}" if parts else ""

    def _delivery(self) -> str:
        """Say how the source delivers, in steps, so that it is said seldom."""
        lag_s = self._rings.lag.ns / NS_PER_S
        if not lag_s:
            return ""
        if abs(lag_s - self._told_lag_s) > max(0.25, 0.25 * self._told_lag_s):
            self._told_lag_s = lag_s
        return f"its source delivers in lumps: decisions lag by {self._told_lag_s:.1f} s"

    def _damage(self) -> str:
        """Say what came broken or not at all, in steps, so that it is said seldom."""
        damage = Damage.of(self._stats.snapshot())
        if damage.is_news_after(self._told_damage):
            self._told_damage = damage
            logger.warning("%s: damaged: %s", self.name, damage.describe())
        return f"damaged: {self._told_damage.describe()}" if self._told_damage else ""

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
            hop_s=self._assembler.hop_s,
            grid_hz=self._assembler.grid_hz,
            window_clips=self._window.n_clips,
            device=self._device,
            backend=self._backend,
            lag_s=round(self._rings.lag.ns / NS_PER_S, 3),
            damage=Damage.of(self._stats.snapshot()),
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
