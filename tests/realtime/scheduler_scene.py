"""Streams on a clock that a test moves, and recognition that only costs time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np

from realtime.buffers.audio_clock import AudioClock
from realtime.buffers.signal import DataSignal
from realtime.clips.assembler import ClipAssembler
from realtime.clock import NS_PER_MS, NS_PER_S, ManualClock, Timeline, WallClock
from realtime.config import RunConfig, SourceConfig, WindowConfig
from realtime.outputs.stamper import MessageStamper
from realtime.outputs.wire import Message
from realtime.packets import GRID_HZ, SAMPLE_RATE, SLOT_NS, Clip, GridFrame, Prediction
from realtime.rings import Rings
from realtime.run_context import RunContext
from realtime.scheduler import STEP_TIMEOUT_S, Scheduler
from realtime.stats import Stats
from realtime.stream import Stream
from weights.event_spec import EventSpec

SAMPLES_PER_SLOT = SAMPLE_RATE // GRID_HZ
SIZE = 2
STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TICK_NS = 5 * NS_PER_MS  # while nothing is to be done
WAKE_NS = 40 * NS_PER_MS  # from a notice to the processor, where others are busy
LABELS = ("Bark", "Siren")


@dataclass
class Decision:
    """When a decision came, over which stream's clip."""

    source: str
    end_t_ns: int
    lag_ns: int
    n_frames: int  # that its second shows


@dataclass
class CostlyRecognizer:
    """Takes its time, by the clock; it knows the streams by their names."""

    clock: ManualClock
    frame_ns: int = 0
    clip_ns: int = 0
    decisions: list[Decision] = field(default_factory=list)
    rounds: list[tuple[str, ...]] = field(default_factory=list)  # whose clips each one took
    n_frames: int = 0

    def encode(self, work: Sequence[tuple[str, Sequence[GridFrame]]]) -> None:
        n_frames = sum(len(frames) for _, frames in work)
        self.n_frames += n_frames
        self.clock.advance(n_frames * self.frame_ns)

    def step(self, work: Sequence[tuple[str, Clip]]) -> list[Prediction | None]:
        self.rounds.append(tuple(name for name, _ in work))
        self.encode([(name, clip.new_frames) for name, clip in work])
        self.clock.advance(len(work) * self.clip_ns)
        return [self._decide(name, clip) if clip.decide else None for name, clip in work]

    def _decide(self, name: str, clip: Clip) -> Prediction:
        lag_ns = self.clock.now_ns() - clip.end_t_ns
        shown = len({slot for slot in clip.slots if slot >= 0})
        self.decisions.append(Decision(name, clip.end_t_ns, lag_ns, shown))
        return Prediction(
            end_t_ns=clip.end_t_ns,
            window=np.zeros(len(LABELS), np.float32),
            newest=np.zeros(len(LABELS), np.float32),
            attention=np.full((1, 2), 0.5, np.float32),
            present=np.ones((1, 2), np.bool_),
            newest_ns=clip.newest_ns,
            latency_ms=lag_ns / NS_PER_MS,
            compute_ms=0.0,
            av_skew_ms=0.0,
            gap_samples=0,
        )


class Scene:
    """Streams whose pictures and sound come as time goes, without a device's delay.

    Args:
        configs: Sources; one that is not live is a file, there as a whole.
        hop_s: Of all.
        file_s: How long a file is.
        lag_s: By how much live streams come late and lag behind.
        fps: Of live pictures; None for one in each place of the grid.
        delay_s: How late all that is live comes.
        lump_s: Live sound comes in lumps so long.
        taken: Streams that begin with their past, which comes as fast as it is taken.
        waits: Whether a round that finds nothing to do waits, as the thread does, until something
            comes or its time is over; else time goes on between the rounds.
    """

    def __init__(
        self,
        *configs: SourceConfig,
        hop_s: float = 0.25,
        file_s: int = 20,
        lag_s: float = 0.0,
        fps: float | None = None,
        delay_s: float = 0.0,
        lump_s: float = 0.0,
        taken: Sequence[str] = (),
        waits: bool = False,
    ) -> None:
        self._taken = frozenset(taken)
        self._lag_ns = round(lag_s * NS_PER_S)
        self.clock = ManualClock()
        self.stats = Stats()
        self.told: list[Message] = []
        self.signal = _WaitedFor(self) if waits else DataSignal()
        self._timeout_s = STEP_TIMEOUT_S if waits else 0.0
        self.streams: list[Stream] = []
        self._feeds: list[tuple[SourceConfig, Rings]] = []
        self._n_slots = 0
        self._fps = fps
        self._delay_ns = round(delay_s * NS_PER_S)
        self._lump_slots = max(1, round(lump_s * 16))
        self._file_slots = file_s * 16
        stamper = MessageStamper("r", self.clock, WallClock.fixed(STARTED))
        bundle: Any = SimpleNamespace(name="b", version="1", labels=LABELS, background=None)
        for config in configs:
            stats = Stats(self.stats)
            rings = Rings(config, SIZE, Timeline(WallClock.fixed(STARTED), 0), stats, self.signal)
            rings.timeline.start(0)
            rings.sounds.clock = AudioClock.exact(0)
            assembler = ClipAssembler(
                config,
                WindowConfig(hop_s=hop_s),
                rings.timeline,
                rings.frames if config.camera or not config.live else None,
                rings.sounds if config.microphone or not config.live else None,
                self.clock,
                stats,
                rings.lag,
                catches_up=config.name in self._taken,
            )
            run = RunContext(
                config=RunConfig(source=config, window=WindowConfig(hop_s=hop_s)),
                bundle=bundle,
                events=EventSpec(),
                clock=self.clock,
                wall=WallClock.fixed(STARTED),
                stamper=stamper,
                emit=self.told.append,
            )
            stream = Stream(
                run,
                config,
                rings=rings,
                assembler=assembler,
                stats=stats,
                device="cpu",
                backend="fake",
            )
            self.streams.append(stream)
            self._feeds.append((config, rings))
            rings.lag.set(self._lag_ns)
        self.recognizer = CostlyRecognizer(self.clock)
        self.scheduler = Scheduler(
            self.streams, self.recognizer, self.signal, self.clock, self.stats
        )

    def run(self, seconds: float) -> bool:
        """Let time go on; return whether any stream goes on."""
        until_ns = self.clock.now_ns() + round(seconds * NS_PER_S)
        goes_on = True
        while goes_on and self.clock.now_ns() < until_ns:
            self.feed()
            before_ns, n_decided = self.clock.now_ns(), len(self.recognizer.rounds)
            goes_on = self.scheduler.step(timeout_s=self._timeout_s)
            if (before_ns, n_decided) == (self.clock.now_ns(), len(self.recognizer.rounds)):
                self.clock.advance(TICK_NS)
        return goes_on

    def lags_ns(self, source: str, since_s: float = 0.0) -> list[int]:
        """Return how late each decision on clips that end from `since_s` on came."""
        return [
            d.lag_ns
            for d in self.recognizer.decisions
            if d.source == source and d.end_t_ns >= since_s * NS_PER_S
        ]

    def feed(self) -> None:
        """Lay down what has come by now; of a file as much as its rings hold."""
        late_ns = self._lag_ns + self._delay_ns
        n_slots = max(0, self.clock.now_ns() - late_ns) // SLOT_NS
        for config, rings in self._feeds:
            if not config.live:
                self._feed_file(rings)
                continue
            if config.name in self._taken:
                self._feed_taken(rings, n_slots)
                continue
            for slot in range(self._n_slots, n_slots):
                if not self._has_frame(slot):
                    continue
                if rings.frames.wants(slot):
                    image = np.zeros((SIZE, SIZE, 3), np.uint8)
                    rings.frames.append(slot, slot * SLOT_NS, image)
                else:  # as the intake counts
                    self.stats.count("skipped_frames")
                rings.frames.mark(slot)
            n_heard = n_slots // self._lump_slots * self._lump_slots
            n_samples = n_heard * SAMPLES_PER_SLOT - rings.sounds.end_index
            if config.microphone and n_samples > 0:
                rings.sounds.append(np.zeros(n_samples, np.float32))
        self._n_slots = max(self._n_slots, n_slots)

    def _has_frame(self, slot: int) -> bool:
        return self._fps is None or int(slot * self._fps / 16) > int((slot - 1) * self._fps / 16)

    def _feed_taken(self, rings: Rings, n_slots: int) -> None:
        slot = rings.frames.final_slot + 1
        while slot < n_slots and len(rings.frames) < 48:
            rings.frames.append(slot, slot * SLOT_NS, np.zeros((SIZE, SIZE, 3), np.uint8))
            rings.frames.mark(slot)
            rings.sounds.append(np.zeros(SAMPLES_PER_SLOT, np.float32))
            slot += 1

    def _feed_file(self, rings: Rings) -> None:
        slot = rings.frames.final_slot + 1
        while slot < self._file_slots and len(rings.frames) < 32:
            rings.frames.append(slot, slot * SLOT_NS, np.zeros((SIZE, SIZE, 3), np.uint8))
            rings.frames.mark(slot)
            rings.sounds.append(np.zeros(SAMPLES_PER_SLOT, np.float32))
            slot += 1
        if slot >= self._file_slots:
            rings.frames.end()
            rings.sounds.end()


def live(name: str) -> SourceConfig:
    """Return a camera with a microphone."""
    return SourceConfig(name=name, kind="live", camera="0", microphone="0")


def camera(name: str) -> SourceConfig:
    """Return a camera alone."""
    return SourceConfig(name=name, kind="live", camera="0")


def file(name: str) -> SourceConfig:
    """Return a file that is read as fast as may be."""
    return SourceConfig(name=name, kind="media", media="x")


class _WaitedFor(DataSignal):
    """Lets the scene's time go on while somebody waits."""

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene

    def wait(self, seen: int, timeout_s: float) -> int:
        clock = self._scene.clock
        until_ns = clock.now_ns() + round(timeout_s * NS_PER_S)
        while self.count == seen and clock.now_ns() < until_ns:
            clock.advance(min(TICK_NS, until_ns - clock.now_ns()))
            self._scene.feed()
        clock.advance(WAKE_NS)
        return self.count
