"""Counters and recent latencies that several threads feed and the dashboard and messages read."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

N_RECENT = 512  # latencies kept: two minutes at a hop of 0.25 s


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsSnapshot:
    """The figures at one moment; latencies in milliseconds, None before the first.

    `load_level` is the place in `load_governor.levels_of` of what is computed: 0 is all.
    `drift_ppm` is how much longer than nominal a sound device's second is, in millionths; None
    where no device's clock is followed. `label_events` are the events of each label that has had
    one.
    """

    counts: dict[str, int]
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    latency_p99_ms: float | None
    compute_p50_ms: float | None
    compute_p95_ms: float | None
    sound_level_db: float | None
    load_level: int = 0
    drift_ppm: float | None = None
    label_events: dict[str, int] = field(default_factory=dict)

    def count(self, name: str) -> int:
        """Return one counter, 0 if nothing was counted under that name."""
        return self.counts.get(name, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """What of a source came broken or not at all, so far.

    Attributes:
        n_packets: Packets that could not be read or decoded, or of which parts were lost.
        picture_s: Time without pictures for it, as far as time stamps and told lengths show it.
        sound_s: Likewise of the sound.
    """

    n_packets: int = 0
    picture_s: float = 0.0
    sound_s: float = 0.0

    @classmethod
    def of(cls, figures: StatsSnapshot) -> Damage:
        """Take it out of a stream's figures."""
        return cls.counted(figures.counts)

    @classmethod
    def counted(cls, counts: Mapping[str, int]) -> Damage:
        """Take it out of a stream's counters."""
        return cls(
            n_packets=counts.get("broken_packets", 0),
            picture_s=counts.get("missing_picture_ms", 0) / 1000,
            sound_s=counts.get("missing_sound_ms", 0) / 1000,
        )

    def __bool__(self) -> bool:
        return bool(self.n_packets or self.picture_s or self.sound_s)

    def describe(self) -> str:
        """Say it in half a sentence; "" for none."""
        if not self:
            return ""
        plural = "" if self.n_packets == 1 else "s"
        return (
            f"{self.n_packets:,} broken packet{plural}; missing: {self.picture_s:.1f} s of "
            f"picture, {self.sound_s:.1f} s of sound"
        )

    def is_news_after(self, told: Damage) -> bool:
        """Whether it has doubled since it was told: it is told seldom, however long it goes on."""
        return bool(self) and (
            self.n_packets >= max(1, 2 * told.n_packets)
            or self.picture_s >= max(1.0, 2 * told.picture_s)
            or self.sound_s >= max(1.0, 2 * told.sound_s)
        )


class Stats:
    """Any thread may call any method; each holds one short lock.

    Counter names in use: `frames` and `audio_blocks` (as captured), `grid_frames` (chosen),
    `encoded_frames` (through the trunk), `skipped_frames` (not computed, so as to keep up),
    `dropped_frames`, `audio_gap_samples`,
    `audio_overflows`, `clips`, `predictions`, `skipped_clips`, `events`, `messages`,
     `dropped_messages`, `broken_packets`, `missing_picture_ms`, `missing_sound_ms`,
     `broken_time_stamps`, `refused_clients`,
     `clock_steps` (of the wall clock), `paused_predictions` (that nobody is told); of rules
     `rules_held`, `rules_told`, `rules_failed` (tries) and `rules_lost`; of sources
     that come back `reconnect_attempts`, `reconnects`, `hung_drivers` (calls given up),
     `withheld_frames` and `withheld_blocks` (frozen, black, silent); of edges those of
     `realtime.cluster.ingest.edge_reader.EdgeReader`; of a recorder `recordings`,
     `broken_recordings`, `lost_recordings`, `record_failures`, `event_log_failures`, and of its
     recordings together `record_dropped_frames` and `record_dropped_blocks`.

    Args:
        parent: Gets everything too: a run's figures, where these are one stream's of several.
    """

    def __init__(self, parent: Stats | None = None) -> None:
        self._parent = parent
        self._load_level = 0
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._label_events: Counter[str] = Counter()
        self._latency_ms: deque[float] = deque(maxlen=N_RECENT)
        self._compute_ms: deque[float] = deque(maxlen=N_RECENT)
        self._sound_level_db: float | None = None
        self._drift_ppm: float | None = None

    def count(self, name: str, n: int = 1) -> None:
        """Add `n` to a counter."""
        with self._lock:
            self._counts[name] += n
        if self._parent is not None:
            self._parent.count(name, n)

    def count_event(self, label: str) -> None:
        """Count an event that has begun."""
        with self._lock:
            self._counts["events"] += 1
            self._label_events[label] += 1
        if self._parent is not None:
            self._parent.count_event(label)

    def observe_step(self, compute_ms: float, latency_ms: float | None) -> None:
        """Keep one step's times; `latency_ms` is None where it has no meaning (unpaced files)."""
        with self._lock:
            self._compute_ms.append(compute_ms)
            if latency_ms is not None:
                self._latency_ms.append(latency_ms)
        if self._parent is not None:
            self._parent.observe_step(compute_ms, latency_ms)

    def observe_sound_level(self, level_db: float) -> None:
        """Keep the newest sound level, dB relative to full scale (RMS)."""
        with self._lock:
            self._sound_level_db = level_db
        if self._parent is not None:
            self._parent.observe_sound_level(level_db)

    def observe_drift(self, drift_ppm: float) -> None:
        """Keep how much longer than nominal a sound device's second is now, in millionths."""
        with self._lock:
            self._drift_ppm = drift_ppm
        if self._parent is not None:
            self._parent.observe_drift(drift_ppm)

    def observe_load(self, level: int) -> None:
        """Keep how much is given up to keep up, 0 for nothing."""
        with self._lock:
            self._load_level = level

    @property
    def sound_level_db(self) -> float | None:
        """The newest sound level, dB relative to full scale; None before the first."""
        with self._lock:
            return self._sound_level_db

    def counts(self) -> dict[str, int]:
        """Return the counters as of now; costs less than a snapshot, whose percentiles are work."""
        with self._lock:
            return dict(self._counts)

    def snapshot(self) -> StatsSnapshot:
        """Return all figures as of now."""
        with self._lock:
            counts = dict(self._counts)
            label_events = dict(self._label_events)
            latency = tuple(self._latency_ms)
            compute = tuple(self._compute_ms)
            level = self._sound_level_db
            load_level = self._load_level
            drift_ppm = self._drift_ppm
        latency_p50, latency_p95, latency_p99 = _percentiles(latency)
        compute_p50, compute_p95, _ = _percentiles(compute)
        return StatsSnapshot(
            counts=counts,
            latency_p50_ms=latency_p50,
            latency_p95_ms=latency_p95,
            latency_p99_ms=latency_p99,
            compute_p50_ms=compute_p50,
            compute_p95_ms=compute_p95,
            sound_level_db=level,
            load_level=load_level,
            drift_ppm=drift_ppm,
            label_events=label_events,
        )


def _percentiles(
    values: tuple[float, ...],
) -> tuple[float, float, float] | tuple[None, None, None]:
    """Return the 50th, 95th and 99th; None three times where there is nothing."""
    if not values:
        return None, None, None
    import numpy as np  # not where only the command line runs

    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    return float(p50), float(p95), float(p99)
