"""The live terminal dashboard: `render` makes a picture of a snapshot, `Dashboard` shows it.

rich stays in this file and `panels.py`. Main draws; no thread of rich's own runs, so recognition is
never held up by a slow terminal. What fits is decided here by the terminal's size: 80×24 shows
everything, smaller ones leave out what matters least, larger ones show more events.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TextIO

from rich.align import Align
from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.text import Text

from realtime.outputs.base import DashboardSnapshot, never_fail_on_characters
from realtime.outputs.terminal import panels
from realtime.outputs.terminal.controls import HELP, DashboardControls
from realtime.outputs.terminal.header import header
from realtime.outputs.terminal.text_parts import ASCII, UNICODE, Glyphs
from realtime.outputs.terminal.time_line import time_line
from weights.printable import cleaned

RATE_SPAN_S = 3.0  # rates are means over this time
WIDE_COLUMNS = 76  # from here on panels stand side by side
SMALL_COLUMNS = 44
SMALL_ROWS = 12
HEADER_ROWS = 2
PANEL_FRAME_ROWS = 2
TOP_ROWS = 7  # five labels and the frame
MIDDLE_ROWS = 7
MAX_PICTURE_ROWS = 18
TIME_LINE_ROWS = 7
DRAW_S = 0.24  # decisions come as often
SAID_S = 6.0
MAX_SHARE = 0.04  # of a core: what costs more to draw is drawn less often
TALL_ROWS = 36  # from here on there is room for three more labels


def render(
    snapshot: DashboardSnapshot,
    size: tuple[int, int],
    *,
    ascii_only: bool = False,
    colours: bool = True,
    controls: DashboardControls | None = None,
) -> RenderableType:
    """Draw a snapshot for a terminal of `size` (columns, rows); pure.

    Args:
        snapshot: What to show.
        size: Columns and rows; the result fills them and does not go beyond.
        ascii_only: Draw bars and shades with ASCII, for terminals without Unicode.
        colours: Whether the picture may be in colour; else it is in shades.
        controls: What the keys made of it.
    """
    image, controls = snapshot.picture, controls or DashboardControls()
    snapshot = cleaned(replace(snapshot, picture=None))  # before anything is measured and cut
    snapshot = replace(snapshot, picture=image)
    columns, rows = size
    glyphs = ASCII if ascii_only else UNICODE
    is_tiny = columns < SMALL_COLUMNS or rows < SMALL_ROWS
    if controls.help and not is_tiny:
        return _stack([Layout(header(snapshot, columns, glyphs), size=HEADER_ROWS),
            Layout(panels.help_panel(columns), size=len(HELP) + PANEL_FRAME_ROWS)],
            snapshot, 0, columns, controls)  # fmt: skip
    if controls.picture and not is_tiny:
        show = partial(panels.picture, snapshot, colours=colours, ascii_only=ascii_only)
        return _with_picture(snapshot, columns, rows, glyphs, controls, show)
    if is_tiny:
        return Group(*panels.tiny(snapshot, columns, rows, glyphs))
    return _body(snapshot, columns, rows, glyphs, controls, is_wide=columns >= WIDE_COLUMNS)


def _with_picture(
    snapshot: DashboardSnapshot,
    columns: int,
    rows: int,
    glyphs: Glyphs,
    controls: DashboardControls,
    show: Callable[[int, int], RenderableType],
) -> RenderableType:
    """The picture above on a narrow terminal, at the left of the rest on a wide one."""
    body_rows = rows - HEADER_ROWS - int(controls.has_keys)
    height = min(body_rows, max(8, body_rows * 2 // 3), MAX_PICTURE_ROWS)
    width = min(2 * height, columns // 2)
    if columns - width < SMALL_COLUMNS:
        height = min(height, body_rows // 2)
        below = _body(
            snapshot, columns, rows - height, glyphs, controls, is_wide=False, is_part=True
        )
        below.size = body_rows - height
        parts = [Layout(show(columns, height - PANEL_FRAME_ROWS), size=height), below]
    else:
        right = columns - width
        is_wide = right >= WIDE_COLUMNS
        beside = _body(snapshot, right, rows, glyphs, controls, is_wide=is_wide, is_part=True)
        left = Layout(size=width)
        left.split_column(
            Layout(show(width, height - PANEL_FRAME_ROWS), size=height),
            Layout(time_line(snapshot, width, body_rows - height - PANEL_FRAME_ROWS, glyphs))
            if body_rows - height > 4
            else Layout(Text(" ")),
        )
        row = Layout(size=body_rows)
        row.split_row(left, beside)
        parts = [row]
    head = Layout(header(snapshot, columns, glyphs), size=HEADER_ROWS)
    return _stack([head, *parts], snapshot, 0, columns, controls)


def _body(
    snapshot: DashboardSnapshot,
    columns: int,
    rows: int,
    glyphs: Glyphs,
    controls: DashboardControls,
    *,
    is_wide: bool,
    is_part: bool = False,
) -> Layout:
    """All panels, under the header; a part of the screen has neither header nor keys."""
    n_warnings = min(len(snapshot.warnings), (2 if rows < TALL_ROWS else 4) if is_wide else 1)
    free_rows = rows - HEADER_ROWS - n_warnings - int(controls.has_keys)
    if is_wide:
        parts = _wide(
            snapshot, columns, free_rows, glyphs, is_tall=rows >= TALL_ROWS, is_part=is_part
        )
    else:
        parts = _narrow(snapshot, columns, free_rows, glyphs, now_rows=3 if rows < 30 else 5)
    if is_part:
        return _stack(parts, snapshot, n_warnings, columns)
    head = Layout(header(snapshot, columns, glyphs), size=HEADER_ROWS)
    return _stack([head, *parts], snapshot, n_warnings, columns, controls)


def _wide(
    snapshot: DashboardSnapshot,
    columns: int,
    free_rows: int,
    glyphs: Glyphs,
    *,
    is_tall: bool,
    is_part: bool,
) -> list[Layout]:
    """Two columns; where there are more rows there are more labels and events."""
    top_rows = TOP_ROWS + 3 if is_tall else TOP_ROWS
    recent_rows = free_rows - top_rows - MIDDLE_ROWS
    left = columns // 2
    right = columns - left
    parts = [
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
        parts.insert(0, Layout(panel, size=n_rows))
        recent_rows -= n_rows
    if recent_rows > PANEL_FRAME_ROWS:
        body_rows = recent_rows - PANEL_FRAME_ROWS
        if is_tall and recent_rows >= 2 * TIME_LINE_ROWS and not is_part:
            line = time_line(snapshot, columns, TIME_LINE_ROWS - PANEL_FRAME_ROWS, glyphs)
            parts.append(Layout(line, size=TIME_LINE_ROWS))
            recent_rows, body_rows = recent_rows - TIME_LINE_ROWS, body_rows - TIME_LINE_ROWS
            parts.append(Layout(panels.recent(snapshot, columns, body_rows), size=recent_rows))
        elif is_part:  # the time line stands below the picture
            parts.append(Layout(panels.recent(snapshot, columns, body_rows), size=recent_rows))
        else:
            parts.append(
                _beside(
                    Layout(time_line(snapshot, left, body_rows, glyphs), size=left),
                    Layout(panels.recent(snapshot, right, body_rows)),
                    recent_rows,
                )
            )
    return parts


def _narrow(
    snapshot: DashboardSnapshot, columns: int, free_rows: int, glyphs: Glyphs, *, now_rows: int
) -> list[Layout]:
    """One column: the panels in order of weight, as long as there are rows for them."""
    parts: list[Layout] = []
    left_over = free_rows
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
    return parts


def _stack(
    parts: list[Layout],
    snapshot: DashboardSnapshot,
    n_warnings: int,
    columns: int,
    controls: DashboardControls | None = None,
) -> Layout:
    """Put parts over one another; `controls` with keys get the last row."""
    if n_warnings:
        parts.append(Layout(panels.warnings(snapshot, n_warnings, columns), size=n_warnings))
    # It takes what is left; an empty text would be drawn as rich's mark of a place without content.
    last: RenderableType = Text(" ")
    if controls is not None and controls.has_keys:
        last = Align.left(panels.keys(controls, columns), vertical="bottom")
    parts.append(Layout(last, ratio=1, minimum_size=0))
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
        controls: What keys do to it.
        now_s: Seconds that only grow.
        used_s: Processor time of this thread, seconds.
    """

    def __init__(
        self,
        console: Console,
        controls: DashboardControls | None = None,
        now_s: Callable[[], float] = time.monotonic,
        used_s: Callable[[], float] = time.thread_time,
    ) -> None:
        self._console = console
        self._controls = controls or DashboardControls()
        self._now_s = now_s
        self._used_s = used_s
        self._interval_s = DRAW_S
        self._said, self._said_s = "", 0.0
        self._drawn: tuple[object, ...] = ()
        self._drawn_s = 0.0
        self._rates: dict[str, RateMeter] = {}  # by stream: which one is shown may change
        self._live = Live(
            console=console,
            screen=True,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def show(self, snapshot: DashboardSnapshot) -> None:
        """Draw the snapshot at the terminal's present size; starts the screen at the first call.

        It is drawn four times a second at most, less often where that took more than 4 % of a core,
        and at once after a key.
        """
        controls = self._controls
        self._forget_what_was_said()
        state = (controls.picture, controls.paused, controls.help, controls.said, controls.source)
        size = tuple(self._console.size)
        is_new = self._drawn != (size, state)
        is_early = controls.paused or self._now_s() - self._drawn_s < self._interval_s
        if self._live.is_started and is_early and not is_new:
            return
        self._drawn, self._drawn_s = (size, state), self._now_s()
        began_s = self._used_s()
        snapshot = controls.ordered(snapshot)
        if not self._live.is_started:
            self._live.start()
        columns, rows = self._console.size
        ascii_only = not self._console.encoding.startswith("utf")
        for stream in (snapshot, *snapshot.others):
            meter = self._rates.setdefault(stream.source, RateMeter())
            measured = meter.measure(stream)
            if stream is snapshot:
                shown = measured
        has_colours = self._console.color_system is not None and not self._console.no_color
        picture = render(
            shown,
            (columns, rows),
            ascii_only=ascii_only,
            colours=has_colours,
            controls=controls,
        )
        self._live.update(picture, refresh=True)
        self._interval_s = max(DRAW_S, (self._used_s() - began_s) / MAX_SHARE)

    def _forget_what_was_said(self) -> None:
        """Take away what a key did once it has been read; that the display stands still stays."""
        controls = self._controls
        if controls.said != self._said:
            self._said, self._said_s = controls.said, self._now_s()
        elif controls.said and not controls.paused and self._now_s() - self._said_s > SAID_S:
            controls.said = self._said = ""

    def close(self) -> None:
        """Leave the terminal as it was. May be called again."""
        if self._live.is_started:
            self._live.stop()


def terminal_console(stream: TextIO) -> Console | None:
    """Return a console on `stream` if a dashboard can be drawn there, else None."""
    console = Console(file=never_fail_on_characters(stream))
    return console if console.is_terminal and not console.is_dumb_terminal else None
