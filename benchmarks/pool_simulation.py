"""A pool of up to 100 actors and 10,000 streams on a simulated clock: more than one machine has.

    OMP_NUM_THREADS=1 python -m benchmarks.pool_simulation --to docs/lab --costs costs.json

Placement, scheduler and load governor are the live ones; only what computing costs is replayed,
from measurements on this machine's CPU or from published figures of a GPU, whose source
`benchmarks/pool_costs.py` names. Actors are there from the beginning, four to a node. After twelve
seconds one actor dies, after eighteen a node with all its actors; nobody says so, they are just not
heard any more. Prints a table and writes a figure. With `--costs` what was measured is kept in a
file, or taken from there.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import realtime.scheduler
from benchmarks.pool_costs import Costs, measured, published
from benchmarks.simulated_actor import GRID, SimulatedActor, SimulatedStream
from realtime.clock import NS_PER_S
from realtime.cluster.pool.placement import Give, Limits, Placement, Report, Start, Stop, TakeBack

TICK_NS = NS_PER_S // 5  # how often actors are heard and streams placed
WARM_NS = 4 * NS_PER_S  # decisions before this do not count
ACTOR_DIES_NS, NODE_DIES_NS = 12 * NS_PER_S, 18 * NS_PER_S
END_NS = 24 * NS_PER_S
ACTORS_A_NODE = 4
# kB a second and stream, docs/guide/cluster.md: JPEG 90 at the starter's pictures a second; sound.
KB_S = 15.7 * GRID + 32
CASES = (  # streams and actors
    ("cpu", 10, 1), ("cpu", 100, 10), ("cpu", 100, 5), ("cpu", 1000, 100), ("cpu", 1000, 50),
    ("A100", 10, 1), ("A100", 100, 5), ("A100", 100, 2), ("A100", 1000, 50), ("A100", 1000, 10),
    ("A100", 10_000, 100),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a case came to.

    Attributes:
        latency_ms: Median and 95th percentile of decisions, from when their second had ended.
        share_asked: Decisions told of those that hops of 0.25 s ask for, before anything died.
        busy: Share of the time that actors computed, before anything died.
        level: The mean level of actors then: 0 is all, 5 the least.
        moves: Streams given to another actor after the actor died, after the node died, for load.
        gap_s: The longest that a stream of the dead was without a decision, for actor and node.
        network_mb_s: Pictures and sound into all actors.
        seconds: That the simulation took.
    """

    machine: str
    n_streams: int
    n_actors: int
    most_frames: int
    latency_ms: tuple[float, float]
    share_asked: float
    busy: float
    level: float
    moves: tuple[int, int, int]
    gap_s: tuple[float, float]
    network_mb_s: float
    seconds: float


def simulate(costs: Costs, n_streams: int, n_actors: int, most_frames: int) -> Result:
    """Run one case; ``most_frames`` is what the scheduler takes of early pictures at once."""
    began = time.perf_counter()
    realtime.scheduler.MAX_EARLY_FRAMES = most_frames  # a constant there, asked about here
    random = np.random.default_rng(n_streams + n_actors)
    per_actor = -(-n_streams // n_actors)
    placement = Placement(Limits(streams_per_actor=per_actor, spare_actors=0))
    actors = {
        f"actor-{k:03d}": SimulatedActor(
            f"actor-{k:03d}", f"node-{k // ACTORS_A_NODE:03d}", costs, 0
        )
        for k in range(n_actors)
    }
    streams = {
        f"stream-{k:05d}": SimulatedStream(f"stream-{k:05d}", int(random.integers(NS_PER_S)))
        for k in range(n_streams)
    }
    for actor in actors.values():
        placement.starting(actor.name, "starter", 0)
    placement.want(dict.fromkeys(streams, "starter"))
    hit: list[set[str]] = []
    busy_ns, levels = [0, 0], 0.0
    for now_ns in range(0, END_NS, TICK_NS):
        if now_ns == WARM_NS:
            busy_ns[0] = sum(actor.busy_ns for actor in actors.values())
        if now_ns == ACTOR_DIES_NS:
            busy_ns[1] = sum(actor.busy_ns for actor in actors.values())
            levels = float(np.mean([actor.level for actor in actors.values()]))
        if now_ns in (ACTOR_DIES_NS, NODE_DIES_NS) and len(actors) > ACTORS_A_NODE:
            first = next(iter(actors.values()))
            dead = [
                each for each in actors.values()
                if each is first or (now_ns == NODE_DIES_NS and each.node == first.node)
            ]  # fmt: skip
            hit.append({name for each in dead for name in each.streams})
            for each in dead:
                del actors[each.name]
        for actor in actors.values():
            actor.run_until(now_ns)
            placement.heard(
                Report(actor=actor.name, node=actor.node, bundle="starter",
                       streams=frozenset(actor.streams), level=actor.level),
                now_ns,
            )  # fmt: skip
        for decision in placement.step(now_ns):
            match decision:
                case Give(stream=name, actor=to) if to in actors and name not in actors[to].streams:
                    actors[to].take(streams[name])
                case TakeBack(stream=name, actor=of) if of in actors and name in actors[of].streams:
                    actors[of].release(name)
                case Start() | Stop() | Give() | TakeBack():
                    pass  # there is no room for more, and the dead have ended
    before = [
        (latency, told)
        for each in streams.values()
        for latency, told in zip(each.latencies_ns, each.told_ns, strict=True)
        if WARM_NS <= told < ACTOR_DIES_NS
    ]
    span_s = (ACTOR_DIES_NS - WARM_NS) / NS_PER_S
    moves = [move for move in placement.moves if move.before is not None]
    lost = [move.at_ns for move in moves if move.why == "not heard"]
    gaps = [
        max((_gap(streams[name], at_ns) for name in names), default=0) / NS_PER_S
        for names, at_ns in zip(hit, (ACTOR_DIES_NS, NODE_DIES_NS), strict=False)
    ]
    low, high = np.percentile([latency for latency, _ in before], (50, 95)) / 1e6
    return Result(
        machine=costs.name,
        n_streams=n_streams,
        n_actors=n_actors,
        most_frames=most_frames,
        latency_ms=(float(low), float(high)),
        share_asked=len(before) / (n_streams * span_s * 4),
        busy=(busy_ns[1] - busy_ns[0]) / (n_actors * (ACTOR_DIES_NS - WARM_NS)),
        level=levels,
        moves=(
            sum(at_ns < NODE_DIES_NS for at_ns in lost),
            sum(at_ns >= NODE_DIES_NS for at_ns in lost),
            sum(move.why == "load" for move in moves),
        ),
        gap_s=(gaps[0], gaps[1]) if len(gaps) == 2 else (float("nan"), float("nan")),
        network_mb_s=n_streams * KB_S / 1000,
        seconds=time.perf_counter() - began,
    )


def _gap(stream: SimulatedStream, at_ns: int) -> int:
    """Return how long a stream was without a decision, around a time."""
    told = np.array([at_ns - NS_PER_S, *stream.told_ns, END_NS])
    return int(told[told > at_ns][0] - told[told <= at_ns][-1])


def main() -> None:
    """Print a line a case, and draw."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="of the figure")
    parser.add_argument("--costs", type=Path, help="what was measured, as JSON; made if missing")
    parser.add_argument("--backend", default="openvino", help="of the trunks on the CPU")
    parser.add_argument("--most-streams", type=int, default=10_000, help="leave larger cases out")
    args = parser.parse_args()
    logging.getLogger("realtime.scheduler").setLevel(logging.ERROR)
    cpu = _costs(args.costs, args.backend)
    machines = {"cpu": cpu, "A100": published(cpu)}
    for what, of_sizes in (
        ("pictures", cpu.frames_ms), ("seconds of sound", cpu.sounds_ms), ("clips", cpu.head_ms)
    ):  # fmt: skip
        told = ", ".join(f"{n}: {ms:.1f}" for n, ms in of_sizes.items())
        print(f"{cpu.name}, ms by {what} at once: {told}")
    print(
        "| run | streams | actors | at once | p50 ms | p95 ms | told | busy | level | moved | "
        "gap s | MB/s |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    results = []
    for machine, n_streams, n_actors in CASES:
        for most_frames in (4,) if machine == "cpu" else (4, 32):  # a batch costs a GPU nothing
            if n_streams > args.most_streams:
                continue
            results.append(simulate(machines[machine], n_streams, n_actors, most_frames))
            print(_row(results[-1]), flush=True)
    _draw(results, args.to / "2026-12-01-pool-simulation.svg")


def _costs(path: Path | None, backend: str) -> Costs:
    if path is not None and path.is_file():
        kept = json.loads(path.read_text(encoding="utf-8"))
        tables = {key: {int(n): ms for n, ms in kept[key].items()} for key in kept if key != "name"}
        return Costs(name=kept["name"], **tables)
    costs = measured(backend)
    if path is not None:
        path.write_text(json.dumps(asdict(costs)), encoding="utf-8")
    return costs


def _row(each: Result) -> str:
    gaps = "–" if np.isnan(each.gap_s[0]) else f"{each.gap_s[0]:.1f}, {each.gap_s[1]:.1f}"
    moved = ", ".join(map(str, each.moves))
    return (
        f"| {each.machine} | {each.n_streams:,} | {each.n_actors} | {each.most_frames} | "
        f"{each.latency_ms[0]:.0f} | {each.latency_ms[1]:.0f} | {each.share_asked:.0%} | "
        f"{each.busy:.0%} | {each.level:.1f} | {moved} | {gaps} | {each.network_mb_s:.1f} |"
    )


def _draw(results: list[Result], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "pool"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    kinds = {(each.machine, each.most_frames): [] for each in results}
    for each in results:
        kinds[each.machine, each.most_frames].append(each)
    for (machine, most_frames), own in kinds.items():
        loads = [each.n_streams / each.n_actors for each in own]
        sizes = [30 * np.log10(each.n_streams) for each in own]  # larger dots for larger pools
        label = f"{machine.split(',')[0]}, {most_frames} pictures at once"
        for axis, values in (
            (axes[0], [each.latency_ms[1] for each in own]),
            (axes[1], [100 * each.share_asked for each in own]),
        ):
            axis.scatter(loads, values, s=sizes, alpha=0.5, label=label)
    for axis, what in zip(axes, ("p95 of latency, ms", "decisions told, %"), strict=True):
        axis.set(xscale="log", xlabel="streams an actor", ylabel=what, ylim=(0, None))
        axis.set_xticks([10, 20, 50, 100], ["10", "20", "50", "100"], minor=False)
        axis.set_xticks([], minor=True)
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=8)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
