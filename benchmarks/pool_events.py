"""Events of a pool on Ray, with edges whose clocks are wrong, against those of one process."""

from __future__ import annotations

import argparse
import itertools
import re
import time
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from benchmarks.pool_scene import Pool
from realtime import Event, recognize
from realtime.clock import BootClock, WallClock
from realtime.cluster.edge.skewed_clock import SkewedClock
from realtime.command_line.flags import make_parser
from realtime.command_line.settings import make_config

OFFSET_S, PPM = 5.0, 200.0


def events(arguments: argparse.Namespace, folder: Path) -> None:
    """The same events as on one machine, dated by when they were captured."""
    played = {"demo": "demo"}
    if arguments.clip is not None:
        played["clip"] = str(arguments.clip.resolve())
    skew = ["--test-clock", f"{OFFSET_S},{PPM}"]
    sources = {name: ["--source", source, *skew] for name, source in played.items()}
    pool = Pool(folder, arguments.profile, sources, waits=len(sources) > 1)
    pool.ear.wait_for(lambda: all(e.process.poll() is not None for e in pool.edges.values()))
    time.sleep(12.0)  # an event that goes on ends when its stream is lost
    wall = WallClock(BootClock())
    print(f"{'stream':6} {'label':24} {'alone, s':>15} {'through the pool, s':>20} {'dated':>9}")
    worst_ms = 0.0
    for name, source in played.items():
        words = ["--source", source, "--profile", arguments.profile, "--no-publish"]
        alone_config = make_config(make_parser().parse_args(words))
        alone = _last(recognize(config=alone_config, phases=("onset", "offset")))
        bodies = [Event.from_message(body) for _, body in pool.ear.of("event", name)]
        through = _last(bodies)
        found = re.search(r"the stream began at (\d+) ns", pool.edges[name].log.read_text())
        began_ns = SkewedClock(OFFSET_S, PPM).real_ns(int(found[1])) if found else 0
        began = wall.utc(began_ns)
        for one, other in itertools.zip_longest(alone, through):
            off = ""
            if one and other and one.label == other.label and other.onset_utc is not None:
                was = began + timedelta(seconds=one.onset_s / (1.0 + PPM / 1e6))
                off_ms = (other.onset_utc - was).total_seconds() * 1e3
                worst_ms, off = max(worst_ms, abs(off_ms)), f"{off_ms:+.1f} ms"
            label = one.label if one else other.label
            print(f"{name:6} {label:24} {_span(one):>15} {_span(other):>20} {off:>9}")
    print(f"dated wrong by {worst_ms:.1f} ms at most; clocks {OFFSET_S:g} s, {PPM:g} ppm apart")
    pool.close()


def _last(told: Iterable[Event]) -> list[Event]:
    last = {event.id: event for event in told}
    return sorted(last.values(), key=lambda event: (event.onset_s, event.label))


def _span(event: Event | None) -> str:
    if event is None:
        return "-"
    offset = "-" if event.offset_s is None else f"{event.offset_s:.2f}"
    return f"{event.onset_s:.2f} {offset}"
