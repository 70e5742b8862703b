"""The same events through edges as on one machine, and when they are dated.

    python -m benchmarks.edge_events --clip clip.mp4

Two edges, in processes of their own, play the demo scene and a clip as they play. Their clocks are
5 s and 200 ppm off. A hub and the readers of `edge://` are here. What they hand on, with its time
on this clock, is recognized afterwards, and so is the source itself, each as fast as it goes: how
busy the machine is changes nothing. The difference of times is taken against when the scene was
really played.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import realtime.api.fed_stream
from benchmarks.edge_processes import Process
from realtime import Event, Recognizer, recognize
from realtime.buffers.signal import DataSignal
from realtime.clock import NS_PER_S, BootClock, Timeline
from realtime.cluster.edge.skewed_clock import SkewedClock
from realtime.cluster.ingest.edge_reader import EdgeReader
from realtime.cluster.ingest.hub import Hub
from realtime.cluster.ingest.welcome import welcome_of
from realtime.config import RunConfig, SourceConfig
from realtime.errors import SourceError
from realtime.packets import SAMPLE_RATE
from realtime.rings import Rings
from realtime.sources.base import Inlet
from realtime.stats import Stats

OFFSET_S, PPM = 5.0, 200.0
BLOCK = 800
Render = Callable[[], NDArray[np.uint8]]


class Kept:
    """Takes all that reaches a stream (`realtime.sources.base.Tap`), with its time."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, NDArray[np.uint8]]] = []
        self.sounds: list[tuple[int, NDArray[np.float32]]] = []

    def take_frame(self, time_ns: int, render: Render) -> Render:
        """Keep a frame."""
        image = render()
        self.frames.append((time_ns, image))
        return lambda: image

    def take_sound(self, first_index: int, samples: NDArray[np.float32]) -> None:
        """Keep samples by their index."""
        self.sounds.append((first_index, samples.copy()))


def main() -> int:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--pictures", choices=["jpeg", "raw"], default="jpeg")
    arguments = parser.parse_args()
    sources = {"demo": "demo"}
    if arguments.clip is not None:
        sources["clip"] = str(arguments.clip.resolve())
    with tempfile.TemporaryDirectory() as scratch:
        _compare(sources, arguments.pictures, Path(scratch))
    return 0


def _compare(sources: dict[str, str], pictures: str, folder: Path) -> None:
    welcome = welcome_of(RunConfig(source=SourceConfig(name="x", kind="demo"), publisher=None))
    hub = Hub("tcp://127.0.0.1:*", None, BootClock())
    hub.open(welcome)
    for name in sources:
        hub.link(name)
    hub.start()
    skew = f"{OFFSET_S},{PPM}"
    edges = {
        name: Process(
            folder,
            name,
            [
                *("realtime.edge", "--source", source, "--name", name, "--to", hub.endpoint),
                *("-v", "--test-clock", skew, "--pictures", pictures),
            ],
        )
        for name, source in sources.items()
    }
    got: dict[str, tuple[Kept, Rings, Stats]] = {}
    threads = [
        threading.Thread(target=lambda n=name: got.update({n: _receive(hub, n, welcome.size)}))
        for name in sources
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    hub.close()
    as_it_is = SimpleNamespace(size=welcome.size, resize=lambda image: image)
    print(f"{'stream':6} {'label':24} {'alone, s':>15} {'through an edge, s':>20} {'dated':>9}")
    worst_ms = 0.0
    for name, source in sources.items():
        alone = _whole(recognize(source, phases=("onset", "offset")))
        realtime.api.fed_stream.frame_transform = lambda _: as_it_is  # type: ignore[assignment]
        through = _whole(_recognized(*got[name][:2], name))
        realtime.api.fed_stream.frame_transform = _frame_transform
        found = re.search(r"the stream began at (\d+) ns", edges[name].log.read_text())
        began_ns = SkewedClock(OFFSET_S, PPM).real_ns(int(found[1])) if found else 0
        for k in range(max(len(alone), len(through))):
            one = alone[k] if k < len(alone) else None
            other = through[k] if k < len(through) else None
            off = ""
            if one and other and one.label == other.label:
                was_s = began_ns / NS_PER_S + one.onset_s / (1.0 + PPM / 1e6)
                worst_ms = max(worst_ms, abs(other.onset_s - was_s) * 1e3)
                off = f"{(other.onset_s - was_s) * 1e3:+.1f} ms"
            label = one.label if one else other.label if other else ""
            shown = _times(other, began_ns / NS_PER_S)
            print(f"{name:6} {label:24} {_times(one, 0.0):>15} {shown:>20} {off:>9}")
        counted = {k: n for k, n in got[name][2].counts().items() if k.startswith("edge")}
        clock = hub.link(name).clock
        print(f"       drift learned {-clock.drift * 1e6:.0f} ppm, shortest way "
              f"{clock.way_ns / 1e6:.2f} ms; lost: {counted or 'nothing'}")  # fmt: skip
    print(f"dated wrong by {worst_ms:.1f} ms at most; clocks {OFFSET_S:g} s, {PPM:g} ppm apart")


_frame_transform = realtime.api.fed_stream.frame_transform


def _receive(hub: Hub, name: str, size: int) -> tuple[Kept, Rings, Stats]:
    """Read an edge to its end, as a pool's capture thread does."""
    config = SourceConfig(name=name, kind="media", media=f"edge://{name}", nature="live")
    kept, stats, timeline = Kept(), Stats(), Timeline()
    rings = Rings(config, size, timeline, stats, DataSignal())
    inlet = Inlet(
        timeline=timeline,
        frames=rings.frames,
        sounds=rings.sounds,
        prepare=lambda image: image,
        live=True,
        clock=BootClock(),
        stats=stats,
        tap=kept,
        name=name,
    )
    until = time.monotonic() + 120
    while True:
        reader = EdgeReader(config, inlet, hub)
        try:
            reader.open()
            while reader.step():
                pass
        except SourceError as error:
            reader.close()
            if kept.frames or time.monotonic() > until:
                print(f"{name}: {error}", file=sys.stderr)
                return kept, rings, stats
            time.sleep(0.2)


def _recognized(kept: Kept, rings: Rings, name: str) -> list[Event]:
    """Recognize what was kept, in the order of time."""
    clock = rings.sounds.clock
    items: list[tuple[int, int, Any]] = [(t, 0, image) for t, image in kept.frames]
    for index, samples in kept.sounds:
        items.extend(
            (clock.time_at(index + at), 1, samples[at : at + BLOCK])
            for at in range(0, len(samples), BLOCK)
        )
    items.sort(key=lambda item: item[:2])
    events: list[Event] = []
    with Recognizer(name=name, phases=("onset", "offset")) as recognizer:
        for time_ns, kind, data in items:
            if kind:
                events += recognizer.feed_sound(data, SAMPLE_RATE, time_ns / NS_PER_S)
            else:
                events += recognizer.feed_frame(data, time_ns / NS_PER_S)
        events += recognizer.finish()
    return events


def _whole(events: Any) -> list[Event]:
    last = {event.id: event for event in events}
    return sorted(last.values(), key=lambda event: (event.onset_s, event.label))


def _times(event: Event | None, began_s: float) -> str:
    if event is None:
        return "-"
    offset = "-" if event.offset_s is None else f"{event.offset_s - began_s:.2f}"
    return f"{event.onset_s - began_s:.2f} {offset}"


if __name__ == "__main__":
    sys.exit(main())
