"""Edges and a pool against one process: what faults cost, and what the way costs.

    python -m benchmarks.edges faults                   # kill -9 of an edge, a cut network
    python -m benchmarks.edges cost --streams 2         # latency, cores, bytes
    python -m benchmarks.edges pictures --clip clip.mp4 # raw against JPEG

Everything runs on this machine over loopback, in processes of their own. Each prints a table.
`benchmarks.edge_events` compares the events.
"""

from __future__ import annotations

import argparse
import itertools
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.edge_processes import Cable, Ear, Process, free_port
from realtime.cluster.wire.pictures import decode, encode
from realtime.cluster.wire.protocol import JPEG, RAW


def main() -> int:
    """Run a comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["faults", "cost", "pictures"])
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--streams", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--pictures", choices=["jpeg", "raw"], default="jpeg")
    parser.add_argument("--profile", choices=["full", "small"], default="small")
    parser.add_argument("--keep", type=Path, help="a folder for the logs")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        print(f"load average at the start: {Path('/proc/loadavg').read_text().split()[0]}")
        {"faults": faults, "cost": cost, "pictures": pictures}[arguments.what](arguments, folder)
    return 0


def pool(
    folder: Path, names: list[str], arguments: argparse.Namespace, *more: str
) -> tuple[Process, int, str]:
    """Start a pool; return it, its port for edges and where it publishes."""
    port, events = free_port(), free_port()
    edges = [word for name in names for word in ("--edge", name)]
    words = ["realtime.pool", "--bind", f"tcp://127.0.0.1:{port}", *edges, "--"]
    words += ["--bind", f"tcp://127.0.0.1:{events}", "--no-dashboard"]
    words += ["--profile", arguments.profile, *more]
    return Process(folder, "pool", words), port, f"tcp://127.0.0.1:{events}"


def edge(
    folder: Path, name: str, to: str, source: str, arguments: argparse.Namespace, *more: str
) -> Process:
    """Start an edge."""
    words = ["realtime.edge", "--source", source, "--name", name, "--to", to, "-v"]
    words += ["--pictures", arguments.pictures, *more]
    return Process(folder, f"edge-{name}-{time.monotonic_ns()}", words)


def wait_for_decisions(ear: Ear, names: list[str], n: int = 1) -> None:
    """Wait until each stream has decided."""
    ear.wait_for(lambda: all(len(ear.of("prediction", name)) >= n for name in names))


def faults(arguments: argparse.Namespace, folder: Path) -> None:
    """One edge is killed and started anew, the other's network is cut for ten seconds."""
    running, port, endpoint = pool(folder, ["killed", "cut"], arguments)
    ear = Ear(endpoint)
    ear.wait_for(lambda: ear.of("heartbeat"))
    cable = Cable(port)
    to = f"tcp://127.0.0.1:{port}"
    first = edge(folder, "killed", to, "demo", arguments, "--loop")
    other = edge(folder, "cut", cable.endpoint, "demo", arguments, "--loop")
    wait_for_decisions(ear, ["killed", "cut"], 10)
    time.sleep(10)
    rows = []
    began = time.monotonic()
    first.kill()
    time.sleep(3)
    first = edge(folder, "killed", to, "demo", arguments, "--loop")
    time.sleep(17)
    lost = counters(ear, began)
    rows.append(("kill -9, started again after 3 s", "killed", "cut", began, 20.0, lost))
    began = time.monotonic()
    cable.is_cut = True
    time.sleep(10)
    cable.is_cut = False
    time.sleep(20)
    rows.append(("network cut for 10 s", "cut", "killed", began, 30.0, counters(ear, began)))
    print(f"{'fault':34} {'told lost':>10} {'back':>7} {'no decision':>12} {'other stream':>13}"
          f" {'pictures':>9} {'sound':>7} {'ids':>9}")  # fmt: skip
    for what, name, beside, since, lasts_s, (pictures_lost, sound_s) in rows:
        until = since + lasts_s
        lost, back = states(ear, name, since, until)
        ids = [body["id"] for _, body in ear.of("event", name) if body["phase"] == "onset"]
        numbers = [int(re.findall(r"\d+", text)[-1]) for text in ids]
        go_on = "go on" if numbers == sorted(set(numbers)) else "repeat"
        print(f"{what:34} {lost:>10} {back:>7} {gap(ear, name, since, until):>10.1f} s "
              f"{gap(ear, beside, since, until):>11.1f} s {pictures_lost:>9} {sound_s:>5.1f} s "
              f"{go_on:>9}")  # fmt: skip
    print("pictures, sound: that an edge had and that did not come, as the pool counts them")
    ear.close()
    for each in (first, other, running):
        each.end()


def counters(ear: Ear, since: float) -> tuple[int, float]:
    """Return pictures and seconds of sound that were counted as lost since then."""
    beats = [(at, body["counters"]) for at, body in ear.of("heartbeat")]
    before = max((b for b in beats if b[0] < since), key=lambda b: b[0])[1]
    after = beats[-1][1]

    def gained(name: str) -> int:
        return int(after.get(name, 0)) - int(before.get(name, 0))

    return gained("edge_lost_pictures"), gained("edge_lost_samples") / 16_000


def states(ear: Ear, name: str, since: float, until: float) -> tuple[str, str]:
    """Return after how long a stream was told lost, and told well again."""
    lost = back = None
    for at, body in ear.of("heartbeat"):
        state = set(body["sources"].get(name, {}).values())
        if since <= at <= until:
            if lost is None and state == {"lost"}:
                lost = at - since
            elif lost is not None and back is None and state == {"ok"}:
                back = at - since
    return tuple("never" if t is None else f"{t:.1f} s" for t in (lost, back))  # type: ignore[return-value]


def gap(ear: Ear, name: str, since: float, until: float) -> float:
    """Return the longest time without a decision whose newest second had both senses, s.

    Not `senses`, which are those of the whole window: one that was lost is among them for ten
    seconds more.
    """
    decided = [
        at
        for at, body in ear.of("prediction", name)
        if since - 2 <= at <= until and len(body["newest_senses"]) == 2
    ]
    ends = [*decided, until]
    return max((b - a for a, b in itertools.pairwise(ends)), default=float("nan"))


def cost(arguments: argparse.Namespace, folder: Path) -> None:
    """Latency and cores of the same streams, twice each way, in turn."""
    n = arguments.streams
    rows = [(form, measured(form, n, arguments, folder)) for form in ("single", "pool") * 2]
    print_cost(rows, n)


def print_cost(rows: Sequence[tuple[str, tuple[float, ...]]], n: int) -> None:
    """Print what `measured` returned of each form, a stream of `n`."""
    print(f"{'':8} {'latency p50':>12} {'p95':>8} {'cores a stream':>15} {'of these edges':>15}"
          f" {'kB/s a stream':>14}")  # fmt: skip
    for form, (p50, p95, cores, at_edges, kb_s) in rows:
        print(f"{form:8} {p50:>9.0f} ms {p95:>5.0f} ms {cores / n:>15.2f} {at_edges / n:>15.2f}"
              f" {kb_s / n:>14.1f}", flush=True)  # fmt: skip


def measured(
    form: str, n: int, arguments: argparse.Namespace, folder: Path
) -> tuple[float, float, float, float, float]:
    """Return p50 and p95 of latency, cores in all and of edges, kB a second in all."""
    names = [f"demo-{k}" for k in range(n)]
    edges: list[Process] = []
    if form == "pool":
        running, port, endpoint = pool(folder, names, arguments)
    else:
        endpoint = f"tcp://127.0.0.1:{free_port()}"
        config = folder / "single.toml"
        tables = "\n".join(
            f'[[source]]\nname = "{name}"\nkind = "demo"\npace = true\nloop = true\n'
            for name in names
        )
        config.write_text(tables)
        running = Process(
            folder,
            "single",
            [
                *("realtime", "--config", str(config), "--bind", endpoint, "--no-dashboard"),
                *("--profile", arguments.profile),
            ],
        )
    ear = Ear(endpoint)
    ear.wait_for(lambda: ear.of("heartbeat"))
    if form == "pool":
        to = f"tcp://127.0.0.1:{port}"
        edges = [edge(folder, name, to, "demo", arguments, "--loop") for name in names]
    wait_for_decisions(ear, names, 12)
    began, cpu = time.monotonic(), [p.cpu_s() for p in (running, *edges)]
    time.sleep(arguments.seconds)
    lasted = time.monotonic() - began
    used = [p.cpu_s() - before for p, before in zip((running, *edges), cpu, strict=True)]
    figures = [body["latency_ms"] for at, body in ear.of("heartbeat") if at >= began][-1]
    ear.close()
    for each in (*edges, running):
        each.end()
    sent = 0.0
    for each in edges:
        found = re.search(r"sent ([\d.]+) MB.* in ([\d.]+) s", each.log.read_text())
        sent += 0.0 if found is None else 1e3 * float(found[1]) / float(found[2])
    at_edges = sum(used[1:]) / lasted
    return figures["p50"], figures["p95"], sum(used) / lasted, at_edges, sent


def pictures(arguments: argparse.Namespace, folder: Path) -> None:
    """Bytes, time and what becomes of the trunk's features, for each way a picture travels."""
    import av
    import torch

    from extractors.visual import load_visual_trunk
    from realtime.build import frame_transform
    from realtime.bundle_settings import find_bundle

    bundle = find_bundle("starter")
    transform = frame_transform(bundle)
    with av.open(str(arguments.clip)) as container:
        frames = [
            transform.resize_without_torch(f.to_ndarray(format="rgb24"))
            for f, _ in zip(container.decode(video=0), range(120), strict=False)
        ][::2]
    torch.set_num_threads(1)
    trunk = load_visual_trunk(bundle.visual.trunk, bundle.visual.weights).eval()
    with torch.inference_mode():
        exact = trunk(transform.normalize(torch.from_numpy(np.stack(frames))))
        print(f"{'':10} {'kB a picture':>13} {'kB/s at 16':>11} {'encode ms':>10} {'decode ms':>10}"
              f" {'features: cosine, mean and least':>33}")  # fmt: skip
        for name, coding, quality in (
            ("raw", RAW, 0), ("jpeg 95", JPEG, 95), ("jpeg 90", JPEG, 90), ("jpeg 80", JPEG, 80),
            ("jpeg 60", JPEG, 60),
        ):  # fmt: skip
            began = time.perf_counter()
            bodies = [encode(frame, coding, quality) for frame in frames]
            encoded = time.perf_counter()
            back = [decode(body, coding, transform.size) for body in bodies]
            decoded = time.perf_counter()
            kb = sum(map(len, bodies)) / len(bodies) / 1e3
            features = trunk(transform.normalize(torch.from_numpy(np.stack(back))))
            cosine = torch.nn.functional.cosine_similarity(exact, features)
            per = 1e3 / len(frames)
            print(f"{name:10} {kb:>13.1f} {16 * kb:>11.0f} {(encoded - began) * per:>10.2f} "
                  f"{(decoded - encoded) * per:>10.2f} {float(cosine.mean()):>22.4f} "
                  f"{float(cosine.min()):>10.4f}")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
