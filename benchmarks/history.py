"""A day of events in a history: its size, what writing one costs, how long questions take.

python benchmarks/history.py --events 10000
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from realtime.clock import NS_PER_S, ManualClock, Timeline, WallClock
from realtime.config import HistoryConfig
from realtime.outputs.history.output import History
from realtime.outputs.history.reader import HistoryReader, Wanted
from realtime.outputs.history.schema import open_to_read
from realtime.outputs.stamper import MessageStamper
from realtime.outputs.wire import Quality
from realtime.packets import Event, Phase, Prediction
from realtime.stats import Stats

DAY_S = 86_400
LABELS = tuple(f"Label {number}" for number in range(128))
N_ASKED = 20


def main() -> None:
    """Write a day, ask of it, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000, help="of the day (10000)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "history.db")
        clock = ManualClock()
        wall = WallClock.fixed(datetime(2026, 1, 1, tzinfo=UTC))
        stamper = MessageStamper("a1b2c3d4", clock, wall)
        timeline = Timeline(wall, 0)
        timeline.start(0)
        history = History(HistoryConfig(file=str(path)), None, clock, Stats())
        history.open()
        random = np.random.default_rng(0)
        costs_s = []
        for number in range(arguments.events):
            onset_ns = round(number * DAY_S / arguments.events * NS_PER_S)
            label = LABELS[int(random.integers(len(LABELS)))]
            for phase, offset_ns in ((Phase.ONSET, None), (Phase.OFFSET, onset_ns + NS_PER_S)):
                event = Event(
                    number=number,
                    phase=phase,
                    label=label,
                    confidence=float(random.random()),
                    score=0.5,
                    onset_t_ns=onset_ns,
                    offset_t_ns=offset_ns,
                    reason=None if offset_ns is None else "quiet",
                )
                source = f"camera-{number % 4}"
                message = stamper.event(source, timeline, event, prediction(), LABELS, Quality())
                began_s = time.perf_counter()
                history.write(message)
                history.tick()
                costs_s.append(time.perf_counter() - began_s)
        history.close()
        print(f"{arguments.events} events, {path.stat().st_size / 1e6:.1f} MB")
        quantiles = np.percentile(np.array(costs_s) * 1e3, (50, 99, 100))
        print(
            "a message, ms: "
            + ", ".join(f"{value:.2f}" for value in quantiles)
            + " (50, 99, 100 %)"
        )
        with closing(open_to_read(path)) as connection:
            reader = HistoryReader(connection)
            middle = next(reader.events(Wanted(limit=1)))["onset_ms"] - DAY_S * 500
            for name, ask in questions(reader, middle).items():
                print(f"{name}: {median_ms(ask):.1f} ms")


def questions(reader: HistoryReader, since_ms: int) -> dict[str, Callable[[], object]]:
    """Return what a page asks, by name."""
    of_label = Wanted(limit=50, labels=("label 7",))
    return {
        "the newest 50": lambda: list(reader.events(Wanted(limit=50))),
        "the newest 50 of a label": lambda: list(reader.events(of_label)),
        "all of half a day": lambda: list(reader.events(Wanted(since_ms=since_ms))),
        "by label": lambda: reader.counts("label", Wanted()),
        "by hour": lambda: reader.counts("hour", Wanted()),
    }


def median_ms(ask: Callable[[], object]) -> float:
    """Return how long a question takes."""
    times_s = []
    for _ in range(N_ASKED):
        began_s = time.perf_counter()
        ask()
        times_s.append(time.perf_counter() - began_s)
    return statistics.median(times_s) * 1e3


def prediction() -> Prediction:
    """Return a decision of ten clips."""
    attention = np.full((10, 2), 0.05, np.float32)
    scores = np.linspace(0, 1, len(LABELS), dtype=np.float32)
    return Prediction(
        end_t_ns=12 * NS_PER_S,
        window=scores,
        newest=scores,
        attention=attention,
        present=np.ones((10, 2), np.bool_),
        newest_ns=0,
        latency_ms=40.0,
        compute_ms=35.0,
        av_skew_ms=0.0,
        gap_samples=0,
    )


if __name__ == "__main__":
    main()
