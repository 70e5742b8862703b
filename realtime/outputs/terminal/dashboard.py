"""The live terminal dashboard: `render` makes a picture of a snapshot, `Dashboard` shows it.

rich stays in this file and `panels.py`. Main draws; no thread of rich's own runs, so recognition is
never held up by a slow terminal. What fits is decided here by the terminal's size: 80×24 shows
everything, smaller ones leave out what matters least, larger ones show more events.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.live import Live

from realtime.outputs.base import DashboardSnapshot, never_fail_on_characters
from realtime.outputs.terminal import panels
from realtime.outputs.terminal.header import header
from realtime.outputs.terminal.text_parts import ASCII, UNICODE, Glyphs
from weights.printable import cleaned

RATE_SPAN_S = 3.0  # rates are means over this time
WIDE_COLUMNS = 76  # from here on panels stand side by side
SMALL_COLUMNS = 44
SMALL_ROWS = 12
HEADER_ROWS = 2
PANEL_FRAME_ROWS = 2
TOP_ROWS = 7  # five labels and the frame
MIDDLE_ROWS = 7
TALL_ROWS = 36  # from here on there is room for three more labels


def render(
    snapshot: DashboardSnapshot, size: tuple[int, int], *, ascii_only: bool = False
) -> RenderableType:
    """Draw a snapshot for a terminal of `size` (columns, rows); pure.

    Args:
        snapshot: What to show.
        size: Columns and rows; the result fills them and does not go beyond.
        ascii_only: Draw bars and shades with ASCII, for terminals without Unicode.
    """
    snapshot = cleaned(snapshot)  # before anything is measured and cut
    columns, rows = size
    glyphs = ASCII if ascii_only else UNICODE
    if columns < SMALL_COLUMNS or rows < SMALL_ROWS:
        return Group(*panels.tiny(snapshot, columns, rows, glyphs))
    if columns < WIDE_COLUMNS:
        return _narrow(snapshot, columns, rows, glyphs)
    return _wide(snapshot, columns, rows, glyphs)


def _wide(snapshot: DashboardSnapshot, columns: int, rows: int, glyphs: Glyphs) -> RenderableType:
    n_warnings = min(len(snapshot.warnings), 2 if rows < TALL_ROWS else 4)
    top_rows = TOP_ROWS if rows < TALL_ROWS else TOP_ROWS + 3
    recent_rows = rows - HEADER_ROWS - top_rows - MIDDLE_ROWS - n_warnings
    left = columns // 2
    right = columns - left
    parts = [
        Layout(header(snapshot, columns, glyphs), size=HEADER_ROWS),
        _beside(
            Layout(panels.now(snapshot, left, top_rows - PANEL_FRAME_ROWS, glyphs), size=left),
            Layout(panels.labels(snapshot, right, top_rows - PANEL_FRAME_ROWS, glyphs)),
            top_rows,
        ),
        _beside(
            Layout(panels.attention(snapshot, left, glyphs), size=left),
            Layout(panels.figures(snapshot, right, glyphs)),
            MIDDLE_ROWS,
        ),
    ]
    if snapshot.others and recent_rows > PANEL_FRAME_ROWS:
        n_rows = min(len(snapshot.others) + 1 + PANEL_FRAME_ROWS, recent_rows)
        panel = panels.sources(snapshot, columns, n_rows - PANEL_FRAME_ROWS, glyphs)
        parts.insert(1, Layout(panel, size=n_rows))
        recent_rows -= n_rows
    if recent_rows > PANEL_FRAME_ROWS:
        body_rows = recent_rows - PANEL_FRAME_ROWS
        parts.append(Layout(panels.recent(snapshot, columns, body_rows), size=recent_rows))
    return _stack(parts, snapshot, n_warnings, columns)


def _narrow(snapshot: DashboardSnapshot, columns: int, rows: int, glyphs: Glyphs) -> RenderableType:
    """One column: the panels in order of weight, as long as there are rows for them."""
    n_warnings = min(len(snapshot.warnings), 1)
    parts = [Layout(header(snapshot, columns, glyphs), size=HEADER_ROWS)]
    left_over = rows - HEADER_ROWS - n_warnings
    now_rows = 3 if rows < 30 else 5
    if snapshot.others:
        n_rows = min(len(snapshot.others) + 1, 5) + PANEL_FRAME_ROWS
        panel = panels.sources(snapshot, columns, n_rows - PANEL_FRAME_ROWS, glyphs)
        if n_rows <= left_over:
            parts.append(Layout(panel, size=n_rows))
            left_over -= n_rows
    for panel, n_rows in (
        (panels.now(snapshot, columns, now_rows, glyphs), now_rows + PANEL_FRAME_ROWS),
        (panels.labels(snapshot, columns, 5, glyphs), TOP_ROWS),
        (panels.attention(snapshot, columns, glyphs), MIDDLE_ROWS),
        (panels.figures(snapshot, columns, glyphs), MIDDLE_ROWS),
    ):
        if n_rows > left_over:
            break
        parts.append(Layout(panel, size=n_rows))
        left_over -= n_rows
    if left_over > PANEL_FRAME_ROWS:
        panel = panels.recent(snapshot, columns, left_over - PANEL_FRAME_ROWS)
        parts.append(Layout(panel, size=left_over))
    return _stack(parts, snapshot, n_warnings, columns)


def _stack(
    parts: list[Layout], snapshot: DashboardSnapshot, n_warnings: int, columns: int
) -> Layout:
    if n_warnings:
        parts.append(Layout(panels.warnings(snapshot, n_warnings, columns), size=n_warnings))
    parts.append(Layout("", ratio=1, minimum_size=0))  # takes what is left
    screen = Layout()
    screen.split_column(*parts)
    return screen


def _beside(left: Layout, right: Layout, n_rows: int) -> Layout:
    row = Layout(size=n_rows)
    row.split_row(left, right)
    return row


class RateMeter:
    """Frames and decisions a second, from counters seen now and a few seconds ago."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int, int]] = deque()

    def measure(self, snapshot: DashboardSnapshot) -> DashboardSnapshot:
        """Return the snapshot with its rates, where enough time has gone to know them."""
        now = (
            snapshot.elapsed_s,
            snapshot.stats.count("frames"),
            snapshot.stats.count("predictions"),
        )
        self._seen.append(now)
        while len(self._seen) > 2 and self._seen[1][0] <= now[0] - RATE_SPAN_S:
            self._seen.popleft()
        then = self._seen[0]
        span_s = now[0] - then[0]
        if span_s < RATE_SPAN_S / 3:
            return snapshot
        return replace(
            snapshot,
            frames_hz=(now[1] - then[1]) / span_s,
            hops_hz=(now[2] - then[2]) / span_s,
        )


class Dashboard:
    """Shows snapshots on the alternate screen of a terminal; main thread only.

    Args:
        console: The terminal; `terminal_console` makes one.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._rates: dict[str, RateMeter] = {}  # by stream: which one is shown may change
        self._live = Live(
            console=console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def show(self, snapshot: DashboardSnapshot) -> None:
        """Draw the snapshot at the terminal's present size; starts the screen at the first call."""
        if not self._live.is_started:
            self._live.start()
        columns, rows = self._console.size
        ascii_only = not self._console.encoding.startswith("utf")
        for stream in (snapshot, *snapshot.others):
            meter = self._rates.setdefault(stream.source, RateMeter())
            measured = meter.measure(stream)
            if stream is snapshot:
                shown = measured
        picture = render(shown, (columns, rows), ascii_only=ascii_only)
        self._live.update(picture, refresh=True)

    def close(self) -> None:
        """Leave the terminal as it was. May be called again."""
        if self._live.is_started:
            self._live.stop()


def terminal_console(stream: TextIO) -> Console | None:
    """Return a console on `stream` if a dashboard can be drawn there, else None."""
    console = Console(file=never_fail_on_characters(stream))
    return console if console.is_terminal and not console.is_dumb_terminal else None
