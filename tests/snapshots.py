"""Snapshots with parts changed, whichever view of them holds the part."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from realtime.outputs.base import DashboardSnapshot, RunView, StreamView


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
