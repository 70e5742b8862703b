"""What the dashboard costs: processor time of drawing it, as a share of one core.

python benchmarks/dashboard.py [--seconds 60]

Snapshots that change four times a second are shown on a pseudo-terminal that somebody reads, as
main shows them: asked eight times a second. Time is simulated, so that what is measured is the
drawing alone; the dashboard draws less often what costs more.
"""

from __future__ import annotations

import argparse
import os
import pty
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TextIO

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from realtime.clock import NS_PER_S
from realtime.outputs.base import DashboardSnapshot, RunView, StreamView
from realtime.outputs.terminal.controls import DashboardControls
from realtime.outputs.terminal.dashboard import Dashboard
from realtime.packets import Event, Phase, Prediction, Sense, SenseState, SenseStatus
from realtime.stats import Stats

SIZES = ((80, 24), (120, 40), (200, 60))
SHOWN_HZ = 8
NOTHING_S = 0.001  # a call that draws nothing takes less
N_LABELS = 128


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="shown (60)")
    seconds = parser.parse_args().seconds
    table = Table(
        "terminal", "streams", "picture", "ms a drawing", "drawings a second", "share of a core"
    )
    for size in SIZES:
        for n_streams in (1, 8):
            for picture in (False, True):
                n_drawings, used_s = cost(size, n_streams, seconds, picture=picture)
                table.add_row(
                    f"{size[0]}x{size[1]}",
                    str(n_streams),
                    "yes" if picture else "no",
                    f"{1000 * used_s / n_drawings:.1f}",
                    f"{n_drawings / seconds:.1f}",
                    f"{100 * used_s / seconds:.1f} %",
                )
    Console().print(table)
    return 0


def cost(
    size: tuple[int, int], n_streams: int, seconds: float, *, picture: bool
) -> tuple[int, float]:
    """Return how many drawings `seconds` of stream take, and their processor time."""
    leader, follower = pty.openpty()
    reader = threading.Thread(target=read_all, args=(leader,), daemon=True)
    reader.start()
    now_s = [0.0]
    with os.fdopen(follower, "w") as stream:
        dashboard = Dashboard(
            console_on(stream, size),
            DashboardControls(has_keys=True, picture=picture),
            lambda: now_s[0],
        )
        used_s, n_drawings = 0.0, 0
        for snapshot in snapshots(n_streams, seconds, picture=picture):
            began_s = time.thread_time()
            dashboard.show(snapshot)
            one_s = time.thread_time() - began_s
            used_s += one_s
            n_drawings += one_s > NOTHING_S
            now_s[0] += 1 / SHOWN_HZ
        dashboard.close()
    reader.join(1.0)
    os.close(leader)
    return n_drawings, used_s


def console_on(stream: TextIO, size: tuple[int, int]) -> Console:
    """Return a terminal of all colours."""
    return Console(
        file=stream, width=size[0], height=size[1], force_terminal=True, color_system="truecolor"
    )


def read_all(leader: int) -> None:
    """Be whoever looks at the terminal."""
    try:
        while os.read(leader, 1 << 16):
            pass
    except OSError:  # it was closed
        return


def snapshots(n_streams: int, seconds: float, *, picture: bool) -> Iterator[DashboardSnapshot]:
    """Yield a stream's snapshots, eight a second; every other one is new."""
    random = np.random.default_rng(0)
    run = RunView(labels=tuple(f"Label {n}" for n in range(N_LABELS)), bundle="starter", backend="")
    for n in range(round(seconds * SHOWN_HZ)):
        if n % 2 == 0:
            image = random.integers(0, 255, (14, 14, 3), np.uint8).repeat(16, 0).repeat(16, 1)
            views = [view(f"camera-{k}", run, n / SHOWN_HZ, random) for k in range(n_streams)]
        yield replace(views[0], others=tuple(views[1:]), picture=image if picture else None)


def view(source: str, run: RunView, t_s: float, random: np.random.Generator) -> DashboardSnapshot:
    """Return one stream at one moment, with events and scores that move."""
    scores: NDArray[np.float32] = random.random(N_LABELS, np.float32)
    attention = random.random((10, 2), np.float32)
    prediction = Prediction(
        end_t_ns=round(t_s * NS_PER_S), window=scores, newest=scores,
        attention=attention / attention.sum(), present=np.ones((10, 2), np.bool_), newest_ns=0,
        latency_ms=40.0, compute_ms=35.0, av_skew_ms=0.0, gap_samples=0,
        alone=random.random((2, 2, N_LABELS), np.float32),
    )  # fmt: skip
    events = tuple(
        Event(
            number=k, phase=Phase.OFFSET, label=run.labels[k % 9], confidence=0.9, score=0.5,
            onset_t_ns=round((t_s - 9 * k - 5) * NS_PER_S),
            offset_t_ns=round((t_s - 9 * k) * NS_PER_S), reason="quiet", alone=(0.8, 0.7),
        )
        for k in range(20, 0, -1)
    )  # fmt: skip
    stats = Stats()
    stats.observe_step(35.0, 41.0)
    stats.observe_sound_level(-30.0 + t_s % 10)
    senses = tuple(
        SenseStatus(sense=sense, state=SenseState.OK, detail="a file") for sense in Sense
    )
    return DashboardSnapshot(
        source=source,
        run=run,
        stream=StreamView(t_s=t_s, prediction=prediction, recent=events, senses=senses),
        stats=stats.snapshot(),
        elapsed_s=t_s,
    )


if __name__ == "__main__":
    raise SystemExit(main())
