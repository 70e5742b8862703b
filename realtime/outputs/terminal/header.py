"""The dashboard's head: what runs, its senses, what is recorded."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from realtime.outputs.base import RECORDING_STOPPED, DashboardSnapshot
from realtime.outputs.terminal.lines import (
    cut,
    stream_time,
)
from realtime.outputs.terminal.text_parts import (
    SENSE_STYLES,
    STATE_STYLES,
    Glyphs,
)


def header(snapshot: DashboardSnapshot, columns: int, glyphs: Glyphs) -> RenderableType:
    """Two lines: what runs for how long; what is connected."""
    return Text("\n").join(
        (run_line(snapshot, columns, glyphs), _senses_line(snapshot, columns, glyphs))
    )


def run_line(snapshot: DashboardSnapshot, columns: int, glyphs: Glyphs) -> Text:
    """Return what runs, in one line: source, model, time, subscribers."""
    line = Text(f" {glyphs.dot} ", style="bold green")
    line.append(cut(snapshot.source, max(8, columns // 4)), style="bold white")
    model = " · ".join(part for part in (snapshot.run.bundle, snapshot.run.backend) if part)
    right = Text(f"{stream_time(snapshot.stream.t_s)[:-3]} ", style="bold white")
    if snapshot.endpoint is not None:
        peers = "" if snapshot.n_subscribers is None else f" → {snapshot.n_subscribers}"
        right = Text(f"{snapshot.endpoint}{peers}  ", style="blue") + right
    room = columns - line.cell_len - right.cell_len - 3
    if room < len(model) and snapshot.endpoint is not None and columns < 60:
        right = right[-len(f"{stream_time(snapshot.stream.t_s)[:-3]} ") :]
        room = columns - line.cell_len - right.cell_len - 3
    recording = _recording(snapshot)
    what = recording or model  # that a camera records is said before all else
    style = "bold red" if recording else "dim"
    line.append(f"  {cut(what, max(0, room))}", style=style)
    line.append(" " * max(1, columns - line.cell_len - right.cell_len))
    line.append_text(right)
    line.truncate(columns)
    return line


def _recording(snapshot: DashboardSnapshot) -> str:
    """Return what is recorded, of the stream that is shown first; what cannot be comes last."""
    said = [snapshot.recording] if snapshot.recording else []
    said += [f"{o.source}: {o.recording}" for o in snapshot.others if o.recording]
    said.sort(key=lambda text: RECORDING_STOPPED in text)
    more = f" and {len(said) - 1} more" if len(said) > 1 else ""
    return f"{said[0]}{more}" if said else ""


def _senses_line(snapshot: DashboardSnapshot, columns: int, glyphs: Glyphs) -> Text:
    line = Text(" ")
    width = (columns - 2) // max(1, len(snapshot.stream.senses))
    for status in snapshot.stream.senses:
        style = STATE_STYLES.get(status.state, "yellow")
        entry = Text(f"{glyphs.dot} ", style=style)
        entry.append(status.sense.value, style=SENSE_STYLES[status.sense])
        entry.append(f" {status.state.value}", style=style)
        detail = status.detail
        if detail:
            entry.append(f" {cut(detail, max(0, width - entry.cell_len - 3))}", style="dim")
        entry.truncate(width - 1)
        entry.pad_right(width - entry.cell_len)
        line.append_text(entry)
    line.truncate(columns)
    return line
