"""A day of events in a history while recording: what it costs recognition, its size, its queries.

    python benchmarks/history_cost.py [--events 10000] [--rates 0.12 10] [--rounds 3] [--seconds 40]

The demo scene runs as it plays, in turn without and with history and recordings, so that the
machine's load is the same for all. The history holds a day's events from the start. While it runs,
more are told by the run's own thread at each of the rates, each with its trace: 10,000 a day are
0.12 a second. Compare rows of one run.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from history import median_ms, questions
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from web_page import bodies

from realtime.clock import BootClock
from realtime.config import HistoryConfig, RecordConfig, RunConfig, SourceConfig, WindowConfig
from realtime.outputs.history.output import History
from realtime.outputs.history.reader import HistoryReader, Wanted
from realtime.outputs.history.schema import open_to_read
from realtime.outputs.wire import Message
from realtime.packets import Prediction
from realtime.pipeline import Pipeline
from realtime.stats import Stats

HOP_S = 1.0  # that a slow machine keeps up: latency is of no use where it only grows


def main() -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=10_000, metavar="N", help="of the day")
    parser.add_argument(
        "--rates", type=float, nargs="+", default=[0.12, 10.0], metavar="HZ",
        help="events told a second of stream, beside the demo's own",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of each kind")
    parser.add_argument("--seconds", type=float, default=40.0, metavar="S", help="of each round")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder / "history.db", arguments.events)
        told = bodies(1_000_000, run="told")
        latencies: dict[float | None, list[tuple[float, float]]] = {
            rate: [] for rate in (None, *arguments.rates)
        }
        for _ in range(arguments.rounds):
            for rate, measured in latencies.items():
                measured += run(
                    None if rate is None else folder, told, arguments.seconds, rate or 0
                )
        table = Table(
            "history and recording", "decisions", "latency p50 ms", "p95", "step p50 ms", "p95"
        )
        for rate, measured in latencies.items():
            values: NDArray[np.float64] = np.percentile(measured, (50, 95), axis=0).T.ravel()
            kind = "without" if rate is None else f"with, {rate:g} events a second"
            table.add_row(kind, str(len(measured)), *(f"{value:.0f}" for value in values))
        Console().print(table)
        print_history(folder / "history.db")
    return 0


def fill(path: Path, n_events: int) -> None:
    """Write a day's events, as a run would have."""
    history = History(HistoryConfig(file=str(path)), None, BootClock(), Stats())
    history.open()
    for body in bodies(n_events):
        history.write(Message("event/bench/", {"type": "event", **body}))
        history.tick()
    history.close()


def run(
    folder: Path | None, events: Iterator[dict[str, Any]], seconds: float, events_hz: float
) -> list[tuple[float, float]]:
    """Run the demo; return each decision's latency and what its step took, ms.

    Args:
        folder: Where clips and history go; None for neither.
        events: Written as if they had been told, so many with each decision.
        seconds: Of stream.
        events_hz: How many events a second of stream.
    """
    latencies: list[tuple[float, float]] = []
    record = None if folder is None else RecordConfig(directory=str(folder))
    history = None if folder is None else HistoryConfig(file=str(folder / "history.db"))
    config = RunConfig(
        source=SourceConfig(name="demo", kind="demo", pace=True, loop=True),
        window=WindowConfig(hop_s=HOP_S), publisher=None, record=record, history=history,
        duration_s=seconds,
    )  # fmt: skip
    due = [0.0, 0.0]  # stream seconds, events

    def observe(prediction: Prediction) -> None:
        if prediction.latency_ms is not None:
            latencies.append((prediction.latency_ms, prediction.compute_ms))
        now_s = prediction.end_t_ns / 1e9
        due[1] += (now_s - due[0]) * events_hz
        due[0] = now_s
        while due[1] >= 1.0:
            due[1] -= 1.0
            body = next(events, None)
            if body is not None:
                whole = {"type": "event", **body, "source": "demo"}  # so that it gets a trace
                whole["onset"] = {**body["onset"], "t_s": max(0.0, now_s - 3.0)}
                whole["offset"] = {**body["offset"], "t_s": now_s}
                pipeline._output_threads.emit(Message("event/bench/", whole))

    pipeline = Pipeline(config, observe=observe)
    pipeline.open()
    pipeline.start()
    while not pipeline.wait(1.0):
        pass
    pipeline.close(10.0)
    pipeline.raise_failure()
    return latencies


def print_history(path: Path) -> None:
    """Print how large it is and how long questions take."""
    with closing(open_to_read(path)) as connection:
        reader = HistoryReader(connection)
        n_events = reader.n_events(Wanted())
        ((n_traces, n_bytes),) = connection.execute(
            "SELECT count(*), coalesce(avg(length(trace)), 0) FROM traces"
        )
        print(f"{n_events:,} events, {path.stat().st_size / 1e6:.1f} MB; ", end="")
        print(f"{n_traces} traces of {n_bytes:.0f} bytes")
        newest = next(reader.events(Wanted(limit=1)))["onset_ms"]
        for name, ask in questions(reader, newest - 43_200_000).items():
            print(f"{name}: {median_ms(ask):.1f} ms")


if __name__ == "__main__":
    raise SystemExit(main())
