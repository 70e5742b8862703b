"""A streaming evaluation as a table on the terminal, as JSON and as one HTML page with plots."""

import base64
import html
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from research.streaming.scoring import StreamResult, by_label, by_snr, summarize
from weights.files import written_whole

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0}td,th{padding:.2rem .7rem;border-bottom:1px solid #ddd}
td{text-align:right}td:first-child,th:first-child{text-align:left}img{max-width:100%}
"""
COLUMNS = (
    ("events", "events"),
    ("precision", "precision"),
    ("recall", "recall"),
    ("F1", "f1"),
    ("F1, onset only", "onset_f1"),
    ("found", "found"),
    ("onset error", "onset_error_s"),
    ("offset error", "offset_error_s"),
    ("delay", "delay_s"),
    ("false", "false_events"),
    ("false an hour", "false_events_an_hour"),
)


def figures_of(results: Sequence[StreamResult], settings: dict[str, Any]) -> dict[str, Any]:
    """Put all results into one object that JSON can hold.

    Args:
        results: One a stream; those of real clips are named `clip/…`.
        settings: What was run.

    Returns:
        Settings, a summary of each stream, and all composed streams by label and by SNR.
    """
    composed = [r for r in results if not r.name.startswith("clip/")]
    clips = [r for r in results if r.name.startswith("clip/")]
    busy = [r for r in clips if not r.found]
    streams: dict[str, Any] = {r.name: summarize([r]) for r in composed}
    if clips:
        streams["clips with events"] = summarize([r for r in clips if r.found])
        streams["clips without (other_*)"] = summarize(busy)
    return {
        "settings": settings,
        "streams": streams,
        "by_snr": {r.name: by_snr([r]) for r in composed if by_snr([r])},
        "by_label": by_label(composed),
        "clips": {r.name.removeprefix("clip/"): _clip(r) for r in clips},
    }


def _clip(result: StreamResult) -> dict[str, Any]:
    found = [f.truth.label for f in result.found if f.detection is not None]
    return {
        "events": len(result.found),
        "found": found,
        "false": [
            {
                "label": d.label,
                "onset_s": d.onset_s,
                "offset_s": d.offset_s,
                "confidence": d.confidence,
            }
            for d in result.false
        ],
    }


def print_tables(figures: dict[str, Any], console: Console) -> None:
    """Print what `figures_of` gave."""
    collar_s = figures["settings"]["collar_s"]
    console.print(
        f"Event-based: onset within {collar_s:g} s, offset within {collar_s:g} s or half of the "
        "event. found: a detection of the label overlaps the event at all; false: it overlaps "
        "none. Errors and delay in seconds, median / 95th percentile."
    )
    for title, rows in _tables(figures):
        table = Table(title, *(name for name, _ in COLUMNS))
        for name, row in rows.items():
            table.add_row(name, *(_cell(row.get(key)) for _, key in COLUMNS))
        console.print(table)
    for name, clip in figures["clips"].items():
        false = ", ".join(
            f"{d['label']} {d['confidence']:.2f} [{d['onset_s']:.1f}–{d['offset_s']:.1f}]"
            for d in clip["false"]
        )
        found = f"{len(clip['found'])} of {clip['events']} found"
        console.print(f"{name}: {found}; false: {false or 'none'}", soft_wrap=True)


def write_report(folder: Path, figures: dict[str, Any], results: Sequence[StreamResult]) -> Path:
    """Write `streaming.json` and `streaming.html`.

    Args:
        folder: Where to.
        figures: From `figures_of`.
        results: What the plots are drawn from.

    Returns:
        The page.
    """
    with written_whole(folder / "streaming.json") as temporary:
        temporary.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")
    parts = [
        f"<h2>{html.escape(title)}</h2>{_html_table(title, rows)}"
        for title, rows in _tables(figures)
    ]
    plots = _plots(figures, results)
    parts += [f'<img alt="{name}" src="data:image/png;base64,{data}">' for name, data in plots]
    if not plots:
        parts.append("<p>For the plots: pip install 'mafnet-live[report]'.</p>")
    settings = html.escape(json.dumps(figures["settings"], ensure_ascii=False))
    title = f"Streaming evaluation of the bundle {figures['settings']['bundle']}"
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1><p><code>{settings}</code></p>"
        f"{''.join(parts)}</html>\n"
    )
    with written_whole(folder / "streaming.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    return folder / "streaming.html"


def _tables(figures: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    levels = {
        f"{stream}, {level} dB": row
        for stream, rows in figures["by_snr"].items()
        for level, row in rows.items()
    }
    tables = [("stream", figures["streams"]), ("level over the bed", levels)]
    return [(t, rows) for t, rows in [*tables, ("label", figures["by_label"])] if rows]


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, dict):
        return f"{value['median']:.2f} / {value['p95']:.2f}"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _html_table(title: str, rows: dict[str, Any]) -> str:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in (title, *(n for n, _ in COLUMNS)))
    body = "".join(
        f"<tr><td>{html.escape(name)}</td>"
        + "".join(f"<td>{_cell(row.get(key))}</td>" for _, key in COLUMNS)
        + "</tr>"
        for name, row in rows.items()
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _plots(figures: dict[str, Any], results: Sequence[StreamResult]) -> list[tuple[str, str]]:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return []
    drawn: list[tuple[str, Any]] = []
    if figures["by_snr"]:
        figure = Figure(figsize=(7, 3.4), layout="constrained")
        axes = figure.add_subplot()
        for stream, rows in figures["by_snr"].items():
            levels = [float(level) for level in rows]
            axes.plot(levels, [row["found"] for row in rows.values()], "o-", label=stream)
        axes.set(xlabel="level over the bed, dB", ylabel="share found", ylim=(0, 1))
        axes.legend()
        drawn.append(("found by level", figure))
    pairs = [
        (f.truth, f.detection)
        for r in results
        if not r.name.startswith("clip/")
        for f in r.found
        if f.detection is not None
    ]
    if pairs:
        figure = Figure(figsize=(9, 3), layout="constrained")
        for place, (name, values) in enumerate(
            (
                ("onset: said − true, s", [d.onset_s - t.onset_s for t, d in pairs]),
                ("offset: said − true, s", [d.offset_s - t.offset_s for t, d in pairs]),
                ("delay of the onset's message, s", [d.told_s - t.onset_s for t, d in pairs]),
            ),
            start=1,
        ):
            axes = figure.add_subplot(1, 3, place)
            axes.hist(values, bins=30, color="steelblue")
            axes.set(xlabel=name, ylabel="events found" if place == 1 else "")
        drawn.append(("errors of time", figure))
    labels = {k: v for k, v in figures["by_label"].items() if v["events"]}
    if labels:
        figure = Figure(figsize=(9, 0.22 * len(labels) + 1.2), layout="constrained")
        axes = figure.add_subplot()
        axes.barh(list(labels), [row["found"] for row in labels.values()], color="steelblue")
        axes.invert_yaxis()
        axes.set(xlabel="share found", xlim=(0, 1))
        drawn.append(("found by label", figure))
    return [(name, _png(figure)) for name, figure in drawn]


def _png(figure: Any) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return base64.b64encode(buffer.getvalue()).decode()
