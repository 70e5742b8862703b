"""Lines instead of a dashboard, for pipes and logs, and the summary at the end of every run.

A line tells an event's start or end; how the senses are doing is told by the log. Nothing here is
in colour or moves the cursor, and no line is longer than 80 columns.
"""

from __future__ import annotations

from typing import TextIO

from realtime.clock import NS_PER_S
from realtime.outputs.base import DashboardSnapshot, never_fail_on_characters
from realtime.outputs.terminal.lines import (
    LABEL_WIDTH,
    NARROW_LABEL_WIDTH,
    cut,
    event_line,
    milliseconds,
    said_by,
    share,
    stream_time,
)
from realtime.packets import Event, Phase, SenseState
from realtime.stats import Damage
from weights.printable import cleaned

MAX_SUMMARY_EVENTS = 50
WIDTH = 80


class PlainLines:
    """Prints each onset and each offset once, in the order in which they were told.

    Args:
        stream: Where to, for instance stdout.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = never_fail_on_characters(stream)
        self._started: dict[str, set[int]] = {}  # events by their stream
        self._ended: dict[str, set[int]] = {}

    def show(self, snapshot: DashboardSnapshot) -> None:
        """Print what began or ended since the last call; of several streams with their names."""
        snapshot = cleaned(snapshot)
        lines = self._news(snapshot)
        if snapshot.others:
            by_source = {snapshot.source: lines}
            by_source |= {other.source: self._news(other) for other in snapshot.others}
            lines = [f"{source}  {line}"[:WIDTH] for source, of in by_source.items() for line in of]
        for line in lines:
            self._stream.write(line + "\n")
        if lines:
            self._stream.flush()

    def _news(self, snapshot: DashboardSnapshot) -> list[str]:
        """Return the lines on one stream's events."""
        started = self._started.setdefault(snapshot.source, set())
        ended = self._ended.setdefault(snapshot.source, set())
        moments: list[tuple[int, int, Event, Phase]] = []
        for event in (*snapshot.stream.recent, *snapshot.stream.active):
            if event.number not in started:
                started.add(event.number)
                moments.append((event.onset_t_ns, event.number, event, Phase.ONSET))
            if event.offset_t_ns is not None and event.number not in ended:
                ended.add(event.number)
                moments.append((event.offset_t_ns, event.number, event, Phase.OFFSET))
        # What a snapshot no longer holds does not come back; a run may last for months.
        shown = {event.number for event in (*snapshot.stream.recent, *snapshot.stream.active)}
        started &= shown
        ended &= shown
        moments.sort(key=lambda moment: moment[:2])
        return [_moment_line(snapshot, event, phase) for _, _, event, phase in moments]

    def close(self) -> None:
        """Flush."""
        self._stream.flush()


def _moment_line(snapshot: DashboardSnapshot, event: Event, phase: Phase) -> str:
    picture, sound = snapshot.stream.shares(event.number)
    ended = phase is Phase.OFFSET and event.offset_t_ns is not None
    t_ns = event.offset_t_ns if ended and event.offset_t_ns is not None else event.onset_t_ns
    return event_line(
        phase=phase.value,
        label=event.label,
        t_s=t_ns / NS_PER_S,
        confidence=event.confidence,
        picture=picture,
        sound=sound,
        duration_s=(t_ns - event.onset_t_ns) / NS_PER_S if ended else None,
        reason=event.reason if ended else None,
        alone=event.alone,
    )[:WIDTH]


def summary(snapshot: DashboardSnapshot) -> str:
    """Return the end-of-run report: each stream's events, losses, times. Ends with a line feed."""
    snapshot = cleaned(snapshot)
    streams = sorted((snapshot, *snapshot.others), key=lambda stream: stream.source)
    return "\n".join(map(_summary, streams))


def _summary(snapshot: DashboardSnapshot) -> str:
    stats, run, stream = snapshot.stats, snapshot.run, snapshot.stream
    speed = f" ({stream.t_s / snapshot.elapsed_s:.1f} × real time)" if snapshot.elapsed_s else ""
    lines = [
        f"{snapshot.source}: {stream.t_s:.1f} s of stream in {snapshot.elapsed_s:.1f} s{speed}"
    ]
    if run.bundle:
        lines.append(", ".join(part for part in (run.bundle, run.backend) if part))
    lines += ["", *_event_table(snapshot), ""]
    lines.append(
        f"{_plural(stats.count('events'), 'event')}, "
        f"{_plural(stats.count('predictions'), 'decision')} from "
        f"{_plural(stats.count('frames'), 'frame')}; lost: "
        f"{_plural(stats.count('dropped_frames'), 'frame')}, "
        f"{_plural(stats.count('audio_gap_samples'), 'sound sample')}"
    )
    damage = Damage.of(stats)
    if damage:
        lines.append(f"damaged: {damage.describe()}")
    gone = [s.sense for s in stream.senses if s.state in (SenseState.LOST, SenseState.RECONNECTING)]
    if gone:
        lines.append(
            f"{' and '.join(gone)} gone at the end: what did not come since is not counted"
        )
    elif stats.count("reconnects"):
        lines.append("a device was away for a while: not all that it did not send is counted")
    n_skipped = stats.count("skipped_frames")
    if n_skipped:
        lines.append(f"to keep up, {_plural(n_skipped, 'frame')} not computed")
    n_broken, n_unrecorded = stats.count("broken_recordings"), stats.count("lost_recordings")
    if n_broken or n_unrecorded:
        lines.append(
            f"{_plural(n_broken, 'recording')} could not be completed, "
            f"{n_unrecorded:,} could not be begun"
        )
    n_frames, n_blocks = (stats.count(f"record_dropped_{what}") for what in ("frames", "blocks"))
    if n_frames or n_blocks:
        lines.append(
            f"in {_plural(stats.count('recordings') + n_broken, 'recording')} there lack "
            f"{_plural(n_frames, 'frame')} and {_plural(n_blocks, 'sound block')}"
        )
    times = _times("step", stats.compute_p50_ms, stats.compute_p95_ms)
    times += _times("latency", stats.latency_p50_ms, stats.latency_p95_ms)
    if times:
        lines.append("; ".join(times))
    return "".join(cut(line, WIDTH) + "\n" for line in lines)


def _event_table(snapshot: DashboardSnapshot) -> list[str]:
    events = sorted(
        (*snapshot.stream.recent, *snapshot.stream.active), key=lambda e: (e.onset_t_ns, e.number)
    )
    if not events:
        return ["No events."]
    knows = any(event.alone is not None for event in events)
    width = NARROW_LABEL_WIDTH if knows else LABEL_WIDTH
    what = "each alone" if knows else "decided by"
    lines = [f"{'onset':>9}  {'offset':>9}  {'lasted':>8}  {'label':<{width}}  conf  {what}"]
    n_earlier = max(0, snapshot.stats.count("events") - min(len(events), MAX_SUMMARY_EVENTS))
    if n_earlier:
        lines.append(f"{'…':>9}  {n_earlier} earlier")
    for event in events[-MAX_SUMMARY_EVENTS:]:
        offset_t_ns = event.offset_t_ns
        offset = "goes on" if offset_t_ns is None else stream_time(offset_t_ns / NS_PER_S)
        lasted = (
            "" if offset_t_ns is None else f"{(offset_t_ns - event.onset_t_ns) / NS_PER_S:.2f} s"
        )
        lines.append(
            f"{stream_time(event.onset_t_ns / NS_PER_S):>9}  {offset:>9}  {lasted:>8}  "
            f"{cut(event.label, width):<{width}}  {share(event.confidence)}  "
            f"{said_by(*snapshot.stream.shares(event.number), event.alone)}"
        )
    return lines


def _times(name: str, p50_ms: float | None, p95_ms: float | None) -> list[str]:
    if p50_ms is None:
        return []
    return [f"{name} p50 {milliseconds(p50_ms)}, p95 {milliseconds(p95_ms)}"]


def _plural(n: int, noun: str) -> str:
    return f"{n:,} {noun}" + ("" if n == 1 else "s")
