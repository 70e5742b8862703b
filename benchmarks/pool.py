"""A pool on Ray over several hosts of one machine: what faults cost, and what the way costs.

    python -m benchmarks.pool faults            # what is lost, and for how long
    python -m benchmarks.pool cost --streams 2  # latency, cores, bytes: against one process
    python -m benchmarks.pool events --clip clip.mp4  # those of one machine, and when dated
    python -m benchmarks.pool faults --only actor

Two hosts with a recognizer each, two with an edge, and this one, where events are heard. They are
network namespaces (`benchmarks.pool_hosts`), joined by CURVE and Ray's tokens: root is needed.
Each prints a table.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.edge_processes import Ear
from benchmarks.edges import gap, measured, print_cost, states
from benchmarks.pool_events import events
from benchmarks.pool_hosts import are_allowed
from benchmarks.pool_scene import HEAD, OTHER, SETTLE_S, Pool

EDGES = ["door", "yard"]
DEMO = ["--source", "demo", "--loop"]


def main() -> int:
    """Run a comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["faults", "cost", "events"])
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--streams", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--pictures", choices=["jpeg", "raw"], default="jpeg")
    parser.add_argument("--profile", choices=["full", "small"], default="small")
    parser.add_argument("--only", choices=[each.__name__ for each in FAULTS])
    parser.add_argument("--keep", type=Path, help="a folder for the logs")
    arguments = parser.parse_args()
    if not are_allowed():
        sys.stderr.write("benchmarks.pool wants root and network namespaces (`unshare -n`)\n")
        return 1
    with tempfile.TemporaryDirectory() as scratch:
        folder = (arguments.keep or Path(scratch)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        print(f"load average at the start: {Path('/proc/loadavg').read_text().split()[0]}")
        {"faults": faults, "cost": cost, "events": events}[arguments.what](arguments, folder)
    return 0


# Each does one fault to where `victim` is recognized, and returns how long it is looked at, s.


def actor(pool: Pool, victim: str) -> float:
    """Kill -9 of an actor."""
    os.kill(pool.place(victim)[1], signal.SIGKILL)
    return 20.0


def registry(pool: Pool, victim: str) -> float:
    """Kill -9 of the registry."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and b"ray::_RemoteRegistry" in _command(entry):
            os.kill(int(entry.name), signal.SIGKILL)
    return 20.0


def node(pool: Pool, victim: str) -> float:
    """Kill -9 of all of a node."""
    pool.hosts.kill_all(OTHER)
    return 20.0


def cable(pool: Pool, victim: str) -> float:
    """A node's cable pulled for 10 s."""
    pool.hosts.pull_cable(OTHER)
    time.sleep(10.0)
    pool.hosts.plug_in(OTHER)
    return 20.0


def edge(pool: Pool, victim: str) -> float:
    """Kill -9 of an edge, again after 3 s."""
    pool.hosts.kill_all(f"edge-{victim}")
    time.sleep(3.0)
    pool.edges[victim] = pool.edge(victim)
    return 20.0


def network(pool: Pool, victim: str) -> float:
    """An edge's network cut for 10 s."""
    pool.hosts.pull_cable(f"edge-{victim}")
    time.sleep(10.0)
    pool.hosts.plug_in(f"edge-{victim}")
    return 30.0


def front(pool: Pool, victim: str) -> float:
    """Kill -9 of the pool's own, again after 1 s."""
    pool.front.kill()
    time.sleep(1.0)
    pool.start_front()
    return 30.0


FAULTS: list[Callable[[Pool, str], float]] = [
    actor,
    registry,
    edge,
    network,
    cable,
    node,
    front,
]


def faults(arguments: argparse.Namespace, folder: Path) -> None:
    """Do one fault after the other, each once all is well."""
    pool = Pool(folder, arguments.profile, dict.fromkeys(EDGES, DEMO))
    print(f"{'fault':36} {'no decision':>12} {'other':>8} {'not heard':>10} {'told lost':>10}"
          f" {'back':>8} {'clips':>6} {'events':>28} {'ids':>8}", flush=True)  # fmt: skip
    for fault in FAULTS:
        if arguments.only not in (None, fault.__name__):
            continue
        pool.wait_until_apart()
        victim = next(name for name in EDGES if pool.place(name)[0] == OTHER)
        beside = next(name for name in EDGES if name != victim)
        since = time.monotonic()
        lasts_s = fault(pool, victim)
        time.sleep(max(0.0, since + lasts_s - time.monotonic()))
        until = since + lasts_s
        lost, back = states(pool.ear, victim, since, until)
        print(f"{fault.__doc__!s:36} {gap(pool.ear, victim, since, until):>10.1f} s"
              f" {gap(pool.ear, beside, since, until):>6.1f} s"
              f" {not_heard_s(pool.ear, victim, since, until):>8.1f} s {lost:>10} {back:>8}"
              f" {fewest_clips(pool.ear, victim, since, until):>6}"
              f" {went_on(pool.ear, victim, since, until):>28} {ids(pool.ear, victim):>8}",
              flush=True)  # fmt: skip
    print("no decision: longest time without one that had both senses; other: of the other stream")
    print("not heard: stream time that no decision's newest second had; clips: the fewest that a")
    print("decision had before it")
    pool.close()


def not_heard_s(ear: Ear, name: str, since: float, until: float) -> float:
    """Return how much of the stream's time lies between two decisions and in neither, s."""
    ends = [
        body["end"]["t_s"]
        for at, body in ear.of("prediction", name)
        if since - 2 <= at <= until and len(body["newest_senses"]) == 2
    ]
    jumps = [b - a for a, b in itertools.pairwise(ends)]
    return max(0.0, max(jumps, default=0.0) - 1.0)


def fewest_clips(ear: Ear, name: str, since: float, until: float) -> int:
    """Return of how many clips the decision was made that had the fewest."""
    told = [body for at, body in ear.of("prediction", name) if since <= at <= until]
    return min((len(b["evidence"]["clip_end_t_s"]) for b in told if b["evidence"]), default=0)


def went_on(ear: Ear, name: str, since: float, until: float) -> str:
    """Return what became of the event that went on when the fault came."""
    running: dict[str, Any] = {}
    fate = "none went on"
    for at, body in ear.of("event", name):
        if at < since:
            running = {} if body["phase"] == "offset" else {body["id"]: body}
        elif at <= until and body["id"] in running and fate in ("none went on", "carried on"):
            fate = str(body["reason"]) if body["phase"] == "offset" else "carried on"
            if body["phase"] == "offset":
                running = {}
    return fate if fate != "none went on" or not running else "not told"


def ids(ear: Ear, name: str) -> str:
    """Return whether the numbers of a stream's events go on, in each run of the pool's own."""
    of_run: dict[str, list[int]] = {}
    for _, body in ear.of("event", name):
        if body["phase"] == "onset":
            run, _, number = body["id"].rpartition("-")
            of_run.setdefault(run, []).append(int(number))
    is_well = all(numbers == sorted(set(numbers)) for numbers in of_run.values())
    return "go on" if is_well else "repeat"


def cost(arguments: argparse.Namespace, folder: Path) -> None:
    """Latency and cores of the same streams: one process, a local pool, a pool on Ray."""
    names = [f"demo-{k}" for k in range(arguments.streams)]
    rows: list[tuple[str, tuple[float, ...]]] = [
        (form, measured(form, arguments.streams, arguments, folder)) for form in ("single", "pool")
    ]
    pool = Pool(folder, arguments.profile, dict.fromkeys(names, DEMO))
    pool.ear.wait_for(lambda: all(len(pool.ear.of("prediction", name)) >= 12 for name in names))
    time.sleep(SETTLE_S)
    rows.append(("ray", _measured_on_ray(pool, arguments.seconds)))
    print_cost(rows, arguments.streams)
    print("ray: of its cores, those of the cluster's own processes, no stream among them: "
          f"{_idle_ray_cores(pool):.2f}")  # fmt: skip
    pool.close()


def _measured_on_ray(pool: Pool, seconds: float) -> tuple[float, float, float, float, float]:
    hosts = [HEAD, OTHER, *(f"edge-{name}" for name in pool.names)]
    began, before = time.monotonic(), {host: pool.hosts.cpu_s(host) for host in hosts}
    time.sleep(seconds)
    lasted = time.monotonic() - began
    used = {host: (pool.hosts.cpu_s(host) - before[host]) / lasted for host in hosts}
    latencies = [body["latency_ms"] for at, body in pool.ear.of("heartbeat") if at >= began][-1]
    at_edges = sum(used[f"edge-{name}"] for name in pool.names)
    for each in pool.edges.values():
        each.end()
    sent = 0.0
    for each in pool.edges.values():
        found = re.search(r"sent ([\d.]+) MB.* in ([\d.]+) s", each.log.read_text())
        sent += 0.0 if found is None else 1e3 * float(found[1]) / float(found[2])
    return latencies["p50"], latencies["p95"], sum(used.values()), at_edges, sent


def _idle_ray_cores(pool: Pool) -> float:
    """Return what is used while no edge sends."""
    time.sleep(5.0)
    before = pool.hosts.cpu_s(HEAD) + pool.hosts.cpu_s(OTHER)
    time.sleep(10.0)
    return (pool.hosts.cpu_s(HEAD) + pool.hosts.cpu_s(OTHER) - before) / 10.0


def _command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    sys.exit(main())
