"""The page in the browser: how fast it answers of 10,000 events, and what it costs recognition.

    python benchmarks/web_page.py [--events 10000] [--seconds 60]

The first table asks each address 30 times, one after another, over loopback. The second runs the
demo scene as it plays, once alone and once with four who watch live, and one who asks for events,
the time line and pictures without a pause: what a busy house does, many times over. In the third
run four also ask for the moving log-mel, as the page does. Compare rows
of one run: machines and their load differ.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from realtime.clock import BootClock
from realtime.config import HistoryConfig, RunConfig, SourceConfig, WebConfig
from realtime.outputs.history.schema import open_to_write
from realtime.outputs.history.store import HistoryStore
from realtime.pipeline import Pipeline
from realtime.stats import StatsSnapshot
from realtime.web.server import WebPage

N_TIMES = 30
N_WATCHERS = 4
LABELS = ("Siren", "Speech", "Bark", "Music", "Clock", "Car horn", "Knock", "Kettle")


def main() -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=10_000, metavar="N", help="in the history")
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="of each run")
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        history = Path(folder, "history.db")
        fill(history, arguments.events)
        console.print(answer_times(history, arguments.events))
        console.print(cost(history, arguments.seconds))
    return 0


def fill(history: Path, n_events: int) -> None:
    """Write a day of events, one message each."""
    store = HistoryStore(open_to_write(history), keep_events=10 * n_events)
    store.put(bodies(n_events))
    with closing(open_to_write(history)) as connection:
        connection.execute(
            "INSERT INTO corrections (event, verdict, label, made_ms) "
            "SELECT id, 'other', 'Kettle', onset_ms FROM events WHERE rowid % 20 = 0"
        )
    store.close()


def bodies(n_events: int, run: str = "bench") -> Iterator[dict[str, Any]]:
    """Yield an offset message for each event of a run, evenly over the last day."""
    began = datetime.now(UTC) - timedelta(days=1)
    for n in range(n_events):
        onset_s = 86_400 * n / n_events
        times = {
            name: {"utc": (began + timedelta(seconds=t_s)).isoformat(), "t_s": t_s}
            for name, t_s in (("onset", onset_s), ("offset", onset_s + 3), ("sent", onset_s + 4))
        }
        yield {
            "id": f"{run}-hall-{n}", "run": run, "source": ("hall", "yard")[n % 2],
            "label": LABELS[n % len(LABELS)], "phase": "offset", "reason": "quiet",
            "confidence": 0.5 + 0.5 * (n % 100) / 100, **times,
            "evidence": {"picture": 0.3, "sound": 0.7, "alone": {"picture": 0.2, "sound": 0.8}},
        }  # fmt: skip


def get(address: str) -> bytes:
    """Return an answer; each over a connection of its own."""
    with urllib.request.urlopen(address, timeout=60) as answer:
        content: bytes = answer.read()
        return content


def answer_times(history: Path, n_events: int) -> Table:
    """Ask each address; return the table of how long it took."""
    page = WebPage(
        WebConfig(bind="127.0.0.1:0"), view=lambda: None, newest_frame=lambda source: None,
        newest_sound=lambda source, from_index: None,
        history=history, recordings=None, known_labels=LABELS, clock=BootClock(),
    )  # fmt: skip
    port = page.open()
    table = Table("address", "median ms", "slowest ms", "kB", title=f"{n_events:,} events")
    middle = f"bench-hall-{n_events // 2}"
    for path in (
        "/events",
        "/events.js",
        "/api/events",
        f"/api/events?before={middle}",
        "/api/events?label=Kettle&source=yard&confidence=0.9",
        "/api/events?reviewed=0&limit=20",
        f"/api/events/{middle}",
        "/api/time-line",
        "/api/names",
    ):
        took_ms, content = [], b""
        for _ in range(N_TIMES):
            began_s = time.perf_counter()
            content = get(f"http://127.0.0.1:{port}{path}")
            took_ms.append(1000 * (time.perf_counter() - began_s))
        median, slowest = statistics.median(took_ms), max(took_ms)
        table.add_row(path, f"{median:.1f}", f"{slowest:.1f}", f"{len(content) / 1000:.1f}")
    page.close(5.0)
    return table


def cost(history: Path, seconds: float) -> Table:
    """Run the demo without and with visitors; return the table of latencies."""
    table = Table("run", "answers", "latency p50 ms", "p95 ms", "p99 ms", "dropped frames")
    kinds = (("alone", 0, 0), ("with visitors", N_WATCHERS, 0), ("and they listen", 4, N_WATCHERS))
    for name, n_watchers, n_listeners in kinds:
        figures, n_answers = run(history, seconds, n_watchers, n_listeners)
        late = (figures.latency_p50_ms, figures.latency_p95_ms, figures.latency_p99_ms)
        table.add_row(
            name,
            f"{n_answers:,}",
            *("-" if value is None else f"{value:.0f}" for value in late),
            str(figures.count("dropped_frames")),
        )
    return table


def run(
    history: Path, seconds: float, n_watchers: int, n_listeners: int
) -> tuple[StatsSnapshot, int]:
    """Run the demo as it plays; return its figures and how many answers its visitors got."""
    address = f"127.0.0.1:{18_080 + n_watchers + n_listeners}"
    config = RunConfig(
        source=SourceConfig(name="demo", kind="demo", pace=True, loop=True),
        publisher=None,
        history=HistoryConfig(file=str(history)),
        web=WebConfig(bind=address),
        duration_s=seconds,
    )
    pipeline = Pipeline(config)
    pipeline.open()
    stop, n_answers = threading.Event(), [0]
    visitors = [
        threading.Thread(target=watch, args=(f"http://{address}", stop, n_answers))
        for _ in range(n_watchers)
    ]
    visitors += [
        threading.Thread(target=listen, args=(f"http://{address}", stop, n_answers))
        for _ in range(n_listeners)
    ]
    if visitors:
        visitors.append(
            threading.Thread(target=wander, args=(f"http://{address}", stop, n_answers))
        )
    pipeline.start()
    for visitor in visitors:
        visitor.start()
    while not pipeline.wait(1.0):
        pass
    stop.set()
    figures = pipeline.view().stats
    pipeline.close()
    for visitor in visitors:
        visitor.join(10.0)
    return figures, n_answers[0]


def watch(address: str, stop: threading.Event, n_answers: list[int]) -> None:
    """Read the stream of what happens until the run ends."""
    try:
        with urllib.request.urlopen(f"{address}/api/live/stream", timeout=60) as answer:
            for line in answer:
                if line.startswith(b"data: "):
                    json.loads(line[6:])
                    n_answers[0] += 1
                if stop.is_set():
                    return
    except OSError:  # the page ended with its run
        return


def listen(address: str, stop: threading.Event, n_answers: list[int]) -> None:
    """Ask for the newest sound as the page's log-mel does, until the run ends."""
    after = 0
    while not stop.wait(0.3):
        try:
            told = json.loads(get(f"{address}/api/sources/demo/log-mel?after={after}"))
        except OSError:  # no sound yet, or the page ended with its run
            continue
        after = told["end"]
        n_answers[0] += 1


def wander(address: str, stop: threading.Event, n_answers: list[int]) -> None:
    """Ask for one thing after another until the run ends."""
    paths = ("/api/events", "/api/time-line", "/api/sources/demo/picture", "/events", "/api/names")
    while not stop.is_set():
        for path in paths:
            try:
                get(f"{address}{path}")
            except OSError:  # no picture yet, or the page ended with its run
                continue
            n_answers[0] += 1


if __name__ == "__main__":
    raise SystemExit(main())
