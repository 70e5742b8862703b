"""Snapshots, and snapshots with parts changed, whichever view of them holds the part."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from realtime.outputs.base import DashboardSnapshot, RunView, StreamView
from realtime.packets import SenseState
from realtime.stats import Stats, StatsSnapshot
from wire_samples import LABELS, make_event, make_prediction, make_senses


def changed(snapshot: DashboardSnapshot, **parts: Any) -> DashboardSnapshot:
    """Return the snapshot with `parts` in place of its own, of its run's or of its stream's."""

    def take(view: type[RunView | StreamView]) -> dict[str, Any]:
        return {f.name: parts.pop(f.name) for f in fields(view) if f.name in parts}

    run, stream = take(RunView), take(StreamView)
    return replace(
        snapshot,
        run=replace(snapshot.run, **run),
        stream=replace(snapshot.stream, **stream),
        **parts,
    )


def make_stats(level_db: float | None = -23.4, **counts: int) -> StatsSnapshot:
    stats = Stats()
    for name, n in counts.items():
        stats.count(name, n)
    stats.observe_step(35.0, 41.0)
    if level_db is not None:
        stats.observe_sound_level(level_db)
    return stats.snapshot()


def make_snapshot(**fields: object) -> DashboardSnapshot:
    recent = tuple(
        make_event(n, LABELS[n % 5], onset_s=n * 8, offset_s=n * 8 + n) for n in range(1, 9)
    )
    snapshot = DashboardSnapshot(
        source="camera-0",
        run=RunView(labels=LABELS),
        stream=StreamView(t_s=83.5),
        stats=make_stats(frames=1336, predictions=334, dropped_frames=3),
        elapsed_s=84.0,
    )
    usual: dict[str, object] = {
        "prediction": make_prediction(10),
        "background": "Background",
        "active": (make_event(9, "Siren", 78.2), make_event(10, "Male speech, man speaking", 82.0)),
        "recent": recent,
        "picture_share": {n: n / 10 for n in range(1, 9)},
        "senses": make_senses(sound=SenseState.STALE),
        "bundle": "starter 0.1.0",
        "backend": "cpu, bfloat16, torch",
        "endpoint": "tcp://127.0.0.1:5556",
        "n_subscribers": 2,
        "frames_hz": 16.0,
        "hops_hz": 4.0,
        "warnings": ("the microphone gave nothing for 2 s",),
    }
    return changed(snapshot, **{**usual, **fields})
