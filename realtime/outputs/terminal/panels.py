"""The dashboard's panels, each a pure function from a snapshot and a width to something drawable.

Every text is cut to its place here, so that nothing wraps and rows stay where the eye left them.
Shades and marks carry the meaning; colour only repeats it.
"""

from __future__ import annotations

import numpy as np
from rich.console import RenderableType
from rich.text import Text

from realtime.clock import NS_PER_S
from realtime.outputs.base import DashboardSnapshot
from realtime.outputs.terminal.controls import HELP, DashboardControls
from realtime.outputs.terminal.header import run_line
from realtime.outputs.terminal.lines import (
    cut,
    decided_by,
    milliseconds,
    said_by,
    share,
    stream_time,
)
from realtime.outputs.terminal.picture import picture_lines
from realtime.outputs.terminal.text_parts import (
    FRAME_COLUMNS,
    SENSE_STYLES,
    STATE_STYLES,
    VALUE_COLUMNS,
    Glyphs,
    bar,
    duration,
    figure,
    panel,
    rate,
    short,
)
from realtime.packets import SAMPLE_RATE, Event, Sense
from realtime.stats import StatsSnapshot

ALONE_COLUMNS = 5
NARROW_RECENT = 42
LEVEL_FLOOR_DB = -60.0  # below this the meter is empty


def now(snapshot: DashboardSnapshot, columns: int, n_rows: int, glyphs: Glyphs) -> RenderableType:
    """The events that go on, the strongest first."""
    width = columns - FRAME_COLUMNS
    events = sorted(snapshot.stream.active, key=lambda event: (-event.score, event.number))
    lines = [_running_line(snapshot, event, width, glyphs) for event in events]
    if len(lines) > n_rows:
        lines[n_rows - 1 :] = [Text(f"  and {len(lines) - n_rows + 1} more", style="dim")]
    if not lines:
        quiet = "waiting for the first second" if snapshot.stream.prediction is None else "nothing"
        lines = [Text(quiet, style="dim")]
    return panel("Now", lines, "green" if events else "dim")


def _running_line(snapshot: DashboardSnapshot, event: Event, width: int, glyphs: Glyphs) -> Text:
    lasted_s = max(0.0, snapshot.stream.t_s - event.onset_t_ns / NS_PER_S)
    end = f" {share(event.score)} {duration(lasted_s):>6}"
    if width >= 60 and event.alone is not None:
        end = f"  {said_by(None, None, event.alone):<20}{end}"
    elif width >= 50:
        end = f"  {decided_by(*snapshot.stream.shares(event.number)):<12}{end}"
    label = cut(event.label, width - len(end) - 2)
    line = Text(f"{glyphs.running} ", style="bold green")
    line.append(f"{label:<{width - len(end) - 2}}", style="bold white")
    line.append(end)
    return line


def sources(
    snapshot: DashboardSnapshot, columns: int, n_rows: int, glyphs: Glyphs
) -> RenderableType:
    """A row for each stream: its senses, how late it is and what goes on."""
    width = columns - FRAME_COLUMNS
    streams = sorted((snapshot, *snapshot.others), key=lambda each: each.source)
    n_shown = len(streams) if len(streams) <= n_rows else n_rows - 1
    name_width = min(max(len(each.source) for each in streams), max(8, width // 4))
    lines = []
    for each in streams[: max(0, n_shown)]:
        mark = glyphs.running if each is snapshot else " "
        line = Text(f"{mark} {cut(each.source, name_width):<{name_width}} ", style="bold")
        for status in each.stream.senses:
            style = STATE_STYLES.get(status.state, "yellow")
            line.append(f" {glyphs.dot} {status.state.value:<7}", style=style)
        late = each.stats.latency_p95_ms
        line.append(f" {'' if late is None else milliseconds(late):>8}")
        line.append(" slow " if each.stream.load else "      ", style="bold yellow")
        events = sorted(each.stream.active, key=lambda event: (-event.score, event.number))
        what = ", ".join(event.label for event in events)
        prediction = each.stream.prediction
        if not what and prediction is not None:  # what it might be, where there is nothing
            scores = prediction.scores(each.run.window_weight)
            best = int(scores.argmax())
            line.append(
                cut(f"{each.run.labels[best]} {share(float(scores[best]))}", width - line.cell_len),
                style="dim",
            )
        line.append(cut(what, max(0, width - line.cell_len)), style="green")
        line.truncate(width)
        lines.append(line)
    if n_shown < len(streams):
        lines.append(Text(f"  and {len(streams) - n_shown} more", style="dim"))
    return panel(f"{len(streams)} sources", lines, "dim")


def labels(
    snapshot: DashboardSnapshot, columns: int, n_rows: int, glyphs: Glyphs
) -> RenderableType:
    """The likeliest labels with bars: the score that the event tracker sees."""
    width = columns - FRAME_COLUMNS
    prediction = snapshot.stream.prediction
    alone = None if prediction is None else prediction.scores_alone(snapshot.run.window_weight)
    alone_width = 2 * ALONE_COLUMNS if alone is not None and width >= 34 else 0
    label_width = min(30, (width - alone_width) * 3 // 5)
    lines: list[Text] = []
    if prediction is not None:
        scores = prediction.scores(snapshot.run.window_weight)
        active = {event.label for event in snapshot.stream.active}
        for index in np.argsort(-scores, kind="stable")[:n_rows]:
            label, value = snapshot.run.labels[index], float(scores[index])
            style = "green" if label in active else "cyan"
            if label == snapshot.run.background:
                style = "dim"
            line = Text(f"{cut(label, label_width):<{label_width}} ", style=style)
            bar_width = width - label_width - VALUE_COLUMNS - alone_width
            line.append(f"{bar(value, bar_width, glyphs):<{bar_width}}", style=style)
            line.append(f" {share(value)}")
            if alone is not None and alone_width:
                for m, sense in enumerate(Sense):
                    is_there = prediction.present[-1, m]
                    said = share(float(alone[m, index])) if is_there else "-"
                    line.append(f"{said:>{ALONE_COLUMNS}}", style=SENSE_STYLES[sense])
            lines.append(line)
    return panel(f"Top {n_rows}{': both, seen, heard alone' if alone_width else ''}", lines, "dim")


def attention(snapshot: DashboardSnapshot, columns: int, glyphs: Glyphs) -> RenderableType:
    """The window's attention: a row a sense, a cell a clip, the newest at the right."""
    prediction = snapshot.stream.prediction
    title = "Attention"
    if prediction is None:
        return panel(title, [], "dim")
    name_width, share_width = 8, 5
    room = columns - FRAME_COLUMNS - name_width - share_width
    n_clips = prediction.n_clips
    cell = 3 if 3 * n_clips <= room else 2 if 2 * n_clips <= room else 1
    n_shown = min(n_clips, room // cell)
    shown = prediction.attention[-n_shown:]
    strongest = max(float(prediction.attention.max()), 1e-9)
    lines: list[Text] = []
    for index, sense in enumerate(Sense):
        line = Text(f"{sense.value:<{name_width}}", style=SENSE_STYLES[sense])
        present = prediction.present[-n_shown:, index]
        for value, is_there in zip(shown[:, index], present.tolist(), strict=True):
            line.append_text(_shade(float(value) / strongest, is_there, cell, sense, glyphs))
        line.append(" " * (room - n_shown * cell))
        line.append(f"{float(prediction.attention[:, index].sum()):>{share_width}.0%}")
        lines.append(line)
    span = n_shown * cell
    first = f"-{n_shown} s"
    axis = f"{first}{'now':>{span - len(first)}}" if span >= len(first) + 4 else "now".rjust(span)
    lines.append(Text(" " * name_width + axis, style="dim"))
    clip, sense_index = np.unravel_index(
        int(prediction.attention.argmax()), prediction.attention.shape
    )
    age_s = n_clips - 1 - int(clip)
    when = "newest second" if age_s == 0 else f"{age_s} s ago"
    lines.append(Text(f"strongest: {list(Sense)[int(sense_index)].value}, {when}", style="dim"))
    length = f"{n_clips} clip" + ("" if n_clips == 1 else "s")
    if n_clips < snapshot.run.window_clips:
        length = f"{n_clips} of {snapshot.run.window_clips} clips"
    return panel(f"{title}, {length}", lines, "dim")


def _shade(part: float, is_there: bool, cell: int, sense: Sense, glyphs: Glyphs) -> Text:
    if not is_there:
        return Text(glyphs.missing * cell, style="dim")
    index = min(len(glyphs.shades) - 1, int(part * len(glyphs.shades)))
    style = SENSE_STYLES[sense] + (" bold" if index == len(glyphs.shades) - 1 else "")
    return Text(glyphs.shades[index] * cell, style=style)


def figures(snapshot: DashboardSnapshot, columns: int, glyphs: Glyphs) -> RenderableType:
    """Sound level, times, rates and losses."""
    stats = snapshot.stats
    width = columns - FRAME_COLUMNS
    lines = [_level_line(stats.sound_level_db, width, glyphs)]
    # A file read faster than it plays has no latency; what a step takes is then the figure.
    name, p50, p95 = "latency", stats.latency_p50_ms, stats.latency_p95_ms
    if p50 is None:
        name, p50, p95 = "step", stats.compute_p50_ms, stats.compute_p95_ms
    lines.append(figure(name, f"p50 {milliseconds(p50)}  p95 {milliseconds(p95)}"))
    frames, hops = rate(snapshot.frames_hz), rate(snapshot.hops_hz)
    lines.append(figure("rates", f"{frames} frames/s  {hops} hops/s"))
    skew_ms = None if snapshot.stream.prediction is None else snapshot.stream.prediction.av_skew_ms
    if snapshot.stream.load:  # what is given up matters more
        lines.append(figure("load", "").append(snapshot.stream.load, style="bold yellow"))
    else:
        lines.append(figure("av skew", "-" if skew_ms is None else f"{skew_ms:+.0f} ms"))
    lines.append(_losses_line(stats))
    for line in lines:
        line.truncate(width)
    return panel("Stream", lines, "dim")


def _losses_line(stats: StatsSnapshot) -> Text:
    losses = [f"{short(stats.count('dropped_frames'))} frames"]
    losses.append(f"{stats.count('audio_gap_samples') / SAMPLE_RATE:.2f} s sound")
    n_messages = stats.count("dropped_messages")
    if n_messages:
        losses.append(f"{short(n_messages)} messages")
    n_unrecorded = stats.count("record_dropped_frames")
    if n_unrecorded:
        losses.append(f"{short(n_unrecorded)} recorded")
    is_any = (
        n_messages
        or n_unrecorded
        or stats.count("dropped_frames")
        or stats.count("audio_gap_samples")
    )
    return figure("lost", "").append(", ".join(losses), style="bold yellow" if is_any else "")


def _level_line(level_db: float | None, width: int, glyphs: Glyphs) -> Text:
    line = figure("level", "")
    if level_db is None:
        return line.append("-")
    value = f" {level_db:4.0f} dB" if level_db > -120 else "  silent"
    bar_width = width - line.cell_len - len(value)
    part = min(1.0, max(0.0, 1.0 - level_db / LEVEL_FLOOR_DB))
    style = "red" if level_db > -3 else "yellow" if level_db > -9 else "green"
    line.append(f"{bar(part, bar_width, glyphs):<{bar_width}}", style=style)
    return line.append(value)


def recent(snapshot: DashboardSnapshot, columns: int, n_rows: int) -> RenderableType:
    """The events that ended, the newest first."""
    width = columns - FRAME_COLUMNS
    if width < NARROW_RECENT:
        return _narrow_recent(snapshot, width, n_rows)
    is_wide = width >= 60
    knows = any(event.alone is not None for event in snapshot.stream.recent)
    fixed = 10 + 2 + 8 + 2 + 2 + 5 + (2 + (20 if knows else 16) if is_wide else 0)
    label_width = max(8, width - fixed)
    lines: list[Text] = []
    if n_rows > 2:
        head = f"{'onset':>10}  {'lasted':>8}  {'label':<{label_width}}  conf"
        what = "each alone" if knows else "decided by"
        lines.append(Text(head + (f"   {what}" if is_wide else ""), style="dim"))
    for event in reversed(snapshot.stream.recent):
        if len(lines) == n_rows:
            break
        lasted_s = ((event.offset_t_ns or event.onset_t_ns) - event.onset_t_ns) / NS_PER_S
        line = Text(f"{stream_time(event.onset_t_ns / NS_PER_S):>10}  {duration(lasted_s):>8}  ")
        line.append(f"{cut(event.label, label_width):<{label_width}}", style="bold")
        line.append(f"  {share(event.confidence)}")
        if is_wide:
            shares = snapshot.stream.shares(event.number)
            line.append(f"   {said_by(*shares, event.alone)}", style="dim")
        line.truncate(width)
        lines.append(line)
    return panel("Recent events", lines, "dim")


def _narrow_recent(snapshot: DashboardSnapshot, width: int, n_rows: int) -> RenderableType:
    lines = []
    for event in list(reversed(snapshot.stream.recent))[:n_rows]:
        lasted_s = ((event.offset_t_ns or event.onset_t_ns) - event.onset_t_ns) / NS_PER_S
        end = f" {duration(lasted_s):>6} {share(event.confidence)}"
        room = max(1, width - 9 - len(end))
        line = Text(f"{stream_time(event.onset_t_ns / NS_PER_S):>8} ")
        line.append(f"{cut(event.label, room):<{room}}", style="bold").append(end)
        line.truncate(width)
        lines.append(line)
    return panel("Recent events", lines, "dim")


def picture(
    snapshot: DashboardSnapshot, columns: int, n_rows: int, *, colours: bool, ascii_only: bool
) -> RenderableType:
    """The newest picture, as the network sees it."""
    image, width = snapshot.picture, columns - FRAME_COLUMNS
    lines = [Text("no picture", style="dim")]
    if image is not None:
        lines = picture_lines(image, width, n_rows, colours=colours, ascii_only=ascii_only)
    return panel(cut(snapshot.source, max(1, width - 2)), lines, "dim")


def keys(controls: DashboardControls, columns: int) -> Text:
    """What the last key did, or which keys there are."""
    words = controls.said or "q quit  p pause  v picture  r record  ? help"
    return Text(cut(f" {words}", columns), style="bold yellow" if controls.said else "dim")


def help_panel(columns: int) -> RenderableType:
    """What the keys do."""
    width = columns - FRAME_COLUMNS
    lines = [Text(cut(f"{key:<5} {what}", width)) for key, what in HELP]
    return panel("Keys", lines, "yellow")


def warnings(snapshot: DashboardSnapshot, n_rows: int, columns: int) -> RenderableType:
    """The newest warnings, one a line."""
    texts = [cut(text, columns - 3) for text in snapshot.warnings[-n_rows:]]
    return Text("\n").join(Text(f" ! {text}", style="yellow") for text in texts)


def tiny(
    snapshot: DashboardSnapshot, columns: int, rows: int, glyphs: Glyphs
) -> list[RenderableType]:
    """As much as a very small terminal holds: where we are, what goes on, the likeliest labels."""
    lines = [run_line(snapshot, columns, glyphs)]
    lines += [_running_line(snapshot, e, max(30, columns), glyphs) for e in snapshot.stream.active]
    if snapshot.stream.prediction is not None:
        scores = snapshot.stream.prediction.scores(snapshot.run.window_weight)
        for index in np.argsort(-scores, kind="stable")[:5]:
            label = snapshot.run.labels[index]
            room = max(2, columns - 7)
            lines.append(Text(f"  {cut(label, room):<{room}} {share(float(scores[index]))}"))
    for line in lines:
        line.truncate(columns)
    return list(lines[: max(1, rows)])
