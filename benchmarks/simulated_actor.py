"""Streams and an actor on a simulated clock, around the scheduler that live runs have.

Streams cut clips and hand out pictures as `realtime.clips.assembler` does; the recognizer computes
nothing and lets the clock go on by what it would have cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.pool_costs import Costs
from realtime.clips.assembler import MAX_BACKLOG_NS
from realtime.clock import NS_PER_S
from realtime.load_governor import LoadLevel
from realtime.packets import CLIP_SLOTS, GRID_HZ, SLOT_NS
from realtime.scheduler import Scheduler

HOP_SLOTS = 4  # 0.25 s, the default
GRID = 8  # the starter's pictures a second
NETWORK_NS = 20_000_000  # how long a picture is on its way from its edge


class SimulatedClock:
    """A clock that goes on when it is told to."""

    def __init__(self, now_ns: int) -> None:
        self.ns = now_ns

    def now_ns(self) -> int:
        """Return the time."""
        return self.ns


@dataclass(frozen=True, slots=True)
class DueClip:
    """A clip as far as the scheduler looks at it, and how many pictures come with it."""

    end_t_ns: int
    n_new: int
    is_past: bool = False  # no stream here begins with its past


class SimulatedStream:
    """A live stream, pinned to one actor at a time.

    Args:
        name: Of the stream.
        epoch_ns: When it began: streams are not in step.

    Attributes:
        latencies_ns: Of each decision: from when its data was there to when it was told.
        told_ns: When each decision was told.
        n_skipped: Clips that were passed over because it had fallen behind.
    """

    def __init__(self, name: str, epoch_ns: int) -> None:
        self.name, self.live, self.over, self.lag_ns = name, True, False, NETWORK_NS
        self._epoch_ns = epoch_ns
        self._clock = SimulatedClock(0)
        self._end_slot = CLIP_SLOTS
        self._n_encoded = 0  # slots before this one were handed out
        self._stride, self._hop_slots = GRID_HZ // GRID, HOP_SLOTS
        self.latencies_ns: list[int] = []
        self.told_ns: list[int] = []
        self.n_skipped = 0

    def go_to(self, clock: SimulatedClock) -> None:
        """Go on at an actor, from the newest second on."""
        self._clock = clock
        newest = self._newest_slot()
        self._end_slot = max(CLIP_SLOTS, newest - newest % self._hop_slots)
        self._n_encoded = max(self._n_encoded, self._end_slot - CLIP_SLOTS)

    @property
    def n_notices(self) -> int:
        """Grows with every picture."""
        return self._newest_slot()

    def next_ns(self) -> int:
        """Return when the next picture will be there."""
        slot = (self._newest_slot() // self._stride + 1) * self._stride
        return self._epoch_ns + slot * SLOT_NS + NETWORK_NS

    def poll(self) -> tuple[DueClip | None, int]:
        """Cut the next clip, or say how long it is until it is due."""
        now_ns = self._clock.ns
        late_ns = now_ns - self._due_ns(self._end_slot)
        if late_ns < 0:
            return None, -late_ns
        if late_ns > max(MAX_BACKLOG_NS, self._hop_slots * SLOT_NS):
            n_behind = late_ns // (self._hop_slots * SLOT_NS)
            self.n_skipped += n_behind
            self._end_slot += n_behind * self._hop_slots
        end_slot, self._end_slot = self._end_slot, self._end_slot + self._hop_slots
        first = max(self._n_encoded, end_slot - CLIP_SLOTS)
        n_new = max(0, -(-end_slot // self._stride) - -(-first // self._stride))
        self._n_encoded = max(self._n_encoded, end_slot)
        return DueClip(end_slot * SLOT_NS, n_new), 0

    def take_frames(self, limit: int) -> tuple[int, ...]:
        """Hand out pictures of the clip that is not complete yet."""
        first = -(-self._n_encoded // self._stride)
        there = self._newest_slot() // self._stride + 1
        n = min(limit, max(0, there - first))
        if n:
            self._n_encoded = (first + n - 1) * self._stride + 1
        return tuple(range(n))

    def take(self, clip: DueClip, prediction: object) -> None:
        """Note when a clip was decided."""
        self.latencies_ns.append(self._clock.ns - self.time_ns(clip.end_t_ns))
        self.told_ns.append(self._clock.ns)

    def time_ns(self, t_ns: int) -> int:
        """Return when a stream time was."""
        return self._epoch_ns + t_ns

    def set_level(self, level: LoadLevel) -> None:
        """Have less computed, or more."""
        self._stride = max(GRID_HZ // GRID, level.grid_stride)
        self._hop_slots = min(CLIP_SLOTS, HOP_SLOTS * level.hop_factor)
        self._end_slot += -self._end_slot % self._hop_slots

    def _due_ns(self, slot: int) -> int:
        return self._epoch_ns + slot * SLOT_NS + NETWORK_NS

    def _newest_slot(self) -> int:
        return max(0, (self._clock.ns - NETWORK_NS - self._epoch_ns) // SLOT_NS)


class _Signal:
    """Waiting is going on to the next picture of any stream, or to the timeout."""

    count = 0

    def __init__(self, clock: SimulatedClock, streams: dict[str, SimulatedStream]) -> None:
        self._clock, self._streams = clock, streams

    def wait(self, seen: int, timeout_s: float) -> int:
        until_ns = self._clock.ns + max(1, round(timeout_s * NS_PER_S))
        nearest_ns = min((each.next_ns() for each in self._streams.values()), default=until_ns)
        self._clock.ns = max(self._clock.ns + 1, min(until_ns, nearest_ns))
        return 0

    def notify(self) -> None:
        return None


@dataclass(slots=True)
class _Recognizer:
    """Costs what it would have cost."""

    clock: SimulatedClock
    costs: Costs
    busy_ns: int = 0

    def encode(self, work: Sequence[tuple[str, Sequence[int]]]) -> None:
        self._spend(self.costs.frames_ns(sum(len(frames) for _, frames in work)))

    def step(self, work: Sequence[tuple[str, DueClip]]) -> list[object]:
        n_frames = sum(clip.n_new for _, clip in work)
        self._spend(self.costs.frames_ns(n_frames) + self.costs.clips_ns(len(work)))
        return [True] * len(work)

    def _spend(self, ns: int) -> None:
        self.clock.ns += ns
        self.busy_ns += ns


class _Stats:
    def observe_load(self, index: int) -> None:
        return None


@dataclass
class SimulatedActor:
    """One actor: a scheduler, its streams, and a clock that is ahead by a round at most."""

    name: str
    node: str
    costs: Costs
    now_ns: int
    streams: dict[str, SimulatedStream] = field(default_factory=dict)
    clock: SimulatedClock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = SimulatedClock(self.now_ns)
        self._recognizer = _Recognizer(self.clock, self.costs)
        self._scheduler = Scheduler(
            [],
            self._recognizer,  # type: ignore[arg-type]
            _Signal(self.clock, self.streams),  # type: ignore[arg-type]
            self.clock,
            _Stats(),  # type: ignore[arg-type]
            GRID,
        )

    @property
    def busy_ns(self) -> int:
        """How long it has computed."""
        return self._recognizer.busy_ns

    @property
    def level(self) -> int:
        """What it gives up to keep up; 0 is nothing."""
        return self._scheduler.load_level

    def take(self, stream: SimulatedStream) -> None:
        """Recognize a stream from now on."""
        stream.go_to(self.clock)
        self.streams[stream.name] = stream
        self._scheduler.admit(stream)  # type: ignore[arg-type]

    def release(self, name: str) -> None:
        """Let go of a stream."""
        self._scheduler.dismiss(self.streams.pop(name))  # type: ignore[arg-type]

    def run_until(self, until_ns: int) -> None:
        """Go on to a time."""
        while self.clock.ns < until_ns:
            if not self.streams:
                self.clock.ns = until_ns
                return
            self._scheduler.step((until_ns - self.clock.ns) / NS_PER_S)
