"""The last minutes as a row a label: when which event went on."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from realtime.clock import NS_PER_S
from realtime.outputs.base import DashboardSnapshot
from realtime.outputs.terminal.lines import cut
from realtime.outputs.terminal.text_parts import FRAME_COLUMNS, Glyphs, panel
from realtime.packets import Event

SPANS_S = (60, 120, 300, 600)  # the longest with a cell of so many seconds is taken
CELL_S = 5.0


def time_line(
    snapshot: DashboardSnapshot, columns: int, n_rows: int, glyphs: Glyphs
) -> RenderableType:
    """Draw the labels that were told last, those that go on first."""
    width = columns - FRAME_COLUMNS
    name_width = min(24, max(8, width // 3))
    n_cells = max(1, width - name_width - 1)
    span_s = max([span for span in SPANS_S if span <= CELL_S * n_cells] or [SPANS_S[0]])
    now_s = snapshot.stream.t_s
    since_s = now_s - span_s
    by_label: dict[str, list[Event]] = {}
    events = sorted(
        (*snapshot.stream.recent, *snapshot.stream.active),
        key=lambda event: -(event.offset_t_ns or 1 << 62),
    )
    for event in events:
        if event.offset_t_ns is None or event.offset_t_ns / NS_PER_S >= since_s:
            by_label.setdefault(event.label, []).append(event)
    lines = []
    for label, its in list(by_label.items())[: max(0, n_rows - 1)]:
        is_on = any(event.offset_t_ns is None for event in its)
        line = Text(f"{cut(label, name_width):<{name_width}} ", style="green" if is_on else "cyan")
        cells = [False] * n_cells
        for event in its:
            end_s = now_s if event.offset_t_ns is None else event.offset_t_ns / NS_PER_S
            first = int((event.onset_t_ns / NS_PER_S - since_s) / span_s * n_cells)
            last = int((end_s - since_s) / span_s * n_cells)
            for cell in range(max(0, first), min(n_cells - 1, last) + 1):
                cells[cell] = True
        line.append("".join(glyphs.full if cell else glyphs.missing for cell in cells))
        lines.append(line)
    if not lines:
        lines.append(Text("nothing", style="dim"))
    first_word = f"-{span_s // 60} min"
    room = max(0, n_cells - len(first_word))
    axis = f"{first_word}{'now':>{room}}" if room >= 4 else "now".rjust(n_cells)
    lines.append(Text(" " * (name_width + 1) + axis, style="dim"))
    for line in lines:
        line.truncate(width)
    return panel(f"Last {span_s // 60} min", lines[:n_rows], "dim")
