"""What extraction on a Ray cluster costs and survives, on this machine: makes clips, prints tables.

    python benchmarks/ray_extraction.py --clips 500 --to /tmp/ray-extraction

Plain command first, then a cluster of one node with one actor and with two, then with the driver
killed twice (SIGKILL, after a third and two thirds of the files). It tells clips a second, whether
the store is the plain one's, whether a part was ever written twice, resident memory over time, and
what Ray's object store held and spilled. Needs the extra `ray`, some minutes and an idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

_ROOT = Path(__file__).parents[1]
_PORT = 26379
_ADDRESS = f"127.0.0.1:{_PORT}"
_N_BROKEN = 5
_ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": str(_ROOT),
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
}


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--clips", type=int, default=500)
    parser.add_argument("--seconds", type=int, default=2, help="of each clip")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="where all goes")
    parser.add_argument("--only", choices=["timed", "killed"], help="go on in a folder of before")
    args = parser.parse_args()
    data = args.to / "data"
    if not data.exists():
        _make_clips(data, args.clips, args.seconds)
    clips = ["--folders", str(data), "--clips", str(args.seconds), "--half"]
    if args.only != "killed":
        print(
            "| run | seconds | clips a second | processor s a clip | "
            "MB at 1, 5, 9 tenths | load before |"
        )
        print("|---|---|---|---|---|---|")
        for workers in (1, 2):
            _timed(f"plain, --workers {workers}", args, [*clips, "--workers", str(workers)])
    _ray("start", "--head", "--node-ip-address=127.0.0.1", f"--port={_PORT}", "--num-cpus=2",
         "--include-dashboard=false")  # fmt: skip
    try:
        for n in (1, 2) if args.only != "killed" else ():
            cluster = ["--ray", _ADDRESS, "--workers", "1", "--actors", str(n)]
            _timed(f"Ray, {n} actor{'s'[: n - 1]} of one core", args, [*clips, *cluster])
        if args.only != "timed":
            _killed(args, [*clips, "--ray", _ADDRESS, "--workers", "1"])
    finally:
        _ray("stop")


def _make_clips(data: Path, n_clips: int, seconds: int) -> None:
    for k in range(n_clips):
        _make_clip(data / ("bark", "siren", "Background")[k % 3] / f"{k:05d}.mp4", k, seconds)
    for k in range(_N_BROKEN):
        whole = data / "bark" / f"{3 * k:05d}.mp4"
        (data / "bark" / f"broken-{k}.mp4").write_bytes(whole.read_bytes()[: 40 * k])


def _make_clip(path: Path, k: int, seconds: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scene = np.random.default_rng(k).integers(0, 255, (15, 20, 3)).astype(np.uint8)
    scene = np.kron(scene, np.ones((8, 8, 1), np.uint8))
    times = np.arange(16_000 * seconds) / 16_000
    tone = (0.3 * np.sin(2 * np.pi * (200 + k) * times)).astype(np.float32)
    with av.open(str(path), "w") as container:
        video = container.add_stream("h264", rate=8)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        audio = container.add_stream("aac", rate=16_000, layout="mono")
        for n in range(8 * seconds):
            frame = av.VideoFrame.from_ndarray(np.roll(scene, 4 * n, axis=1), format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, 8)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        block = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
        block.sample_rate, block.pts = 16_000, 0
        container.mux(audio.encode(block))
        container.mux(audio.encode(None))


def _start(args: argparse.Namespace, to: Path, flags: list[str]) -> subprocess.Popen[bytes]:
    log = (args.to / f"{to.name}.log").open("ab")
    command = [sys.executable, "-m", "extractors", "extract", *flags, "--to", str(to)]
    with log:
        return subprocess.Popen(command, cwd=_ROOT, env=_ENVIRONMENT, stdout=log, stderr=log)


def _timed(name: str, args: argparse.Namespace, flags: list[str]) -> None:
    to = args.to / re.sub(r"\W+", "-", name)
    load, began = os.getloadavg()[0], time.monotonic()
    running = _start(args, to, flags)
    of_processes: dict[int, float] = {}  # processor seconds, as each was seen last
    resident: list[tuple[int, float]] = []  # parts, and the largest process that computes
    while running.poll() is None:
        time.sleep(0.2)
        n_parts = len(list((to / "parts").glob("*.npz")))
        actors = _actors()
        if n_parts:
            largest = max(map(_rss, actors or [running.pid]))
            resident.append((n_parts, largest))
        for pid in (running.pid, *actors):
            of_processes[pid] = max(_processor_s(pid), of_processes.get(pid, 0.0))
    seconds = time.monotonic() - began
    if running.returncode:
        raise SystemExit(f"{name} ended with {running.returncode}: see {to}.log")
    processor = sum(of_processes.values()) / args.clips
    tenths = [next((mb for n, mb in resident if n >= args.clips * k / 10), 0.0) for k in (1, 5, 9)]
    print(
        f"| {name} | {seconds:.1f} | {args.clips / seconds:.2f} | "
        f"{processor:.3f} | {', '.join(f'{mb:.0f}' for mb in tenths)} | {load:.1f} |",
        flush=True,
    )


def _killed(args: argparse.Namespace, flags: list[str]) -> None:
    """Kill the driver twice, and look at what is left and at memory on the way."""
    to, parts = args.to / "killed", args.to / "killed" / "parts"
    seen: dict[str, set[tuple[int, int]]] = {}  # of each part: inode and time of each writing
    memory: list[tuple[int, float, float, float]] = []  # parts, driver, largest actor, raylet
    n_of_runs: list[int] = []
    stores: list[tuple[float, float]] = []
    for share in (1 / 3, 2 / 3, 2.0):
        before = len(seen)
        running = _start(args, to, flags)
        while running.poll() is None:
            time.sleep(0.2)
            for part in parts.glob("*.npz"):
                try:
                    found = part.stat()
                except FileNotFoundError:  # joined meanwhile
                    continue
                seen.setdefault(part.name, set()).add((found.st_ino, found.st_mtime_ns))
            n_done = len(seen)
            memory.append((n_done, *_resident(running.pid)))
            if len(memory) % 50 == 0:
                stores.append(_spilled())
            if n_done >= share * args.clips:
                running.send_signal(signal.SIGKILL)
                running.wait()
        n_of_runs.append(len(seen) - before)
    stores.append(_spilled())
    print(f"\nDriver killed twice; parts written by the three runs: {n_of_runs}")
    n_again = sum(len(each) > 1 for each in seen.values())
    print(f"parts seen: {len(seen)}, of them written more than once: {n_again}")
    names = [
        name
        for split in ("train", "val", "test")
        for name in json.loads((to / f"{split}_names.json").read_text(encoding="utf-8"))
    ]
    left_out = json.loads((to / "features.json").read_text(encoding="utf-8"))["left_out"]
    print(f"windows in the store: {len(names)}, different: {len(set(names))}")
    print(f"left out: {len(left_out)} of {_N_BROKEN} broken")
    plain = args.to / "plain-workers-2"
    for path in sorted(plain.iterdir()):
        same = path.read_bytes() == (to / path.name).read_bytes()
        print(f"  {path.name}: {'the same bytes' if same else _apart(path, to / path.name)}")
    print("\n| parts written | driver, MB | largest actor, MB | raylet, MB |")
    print("|---|---|---|---|")
    for k in np.linspace(0, len(memory) - 1, 13).astype(int):
        print("| {} | {:.0f} | {:.0f} | {:.0f} |".format(*memory[k]))
    held, spilled = (max(each[k] for each in stores) for k in (0, 1))
    print(f"\nobject store: at most {held:.2f} MiB held, {spilled:.2f} MiB spilled")
    print(f"({len(stores)} looks by `ray memory --stats-only`)")


def _apart(one: Path, other: Path) -> str:
    if one.suffix != ".npy":
        return "other bytes"
    first, second = np.load(one).astype(np.float64), np.load(other).astype(np.float64)
    return f"at most {np.abs(first - second).max():.2g} apart"


def _resident(driver: int) -> tuple[float, float, float]:
    """Return megabytes resident: the driver, the largest actor, the raylet."""
    actors = [_rss(pid) for pid in _actors()]
    return _rss(driver), max(actors, default=0.0), max(map(_rss, _named("raylet/raylet")))


def _actors() -> list[int]:
    return _named("ShardWorker")


def _named(part: str) -> list[int]:
    """Return the processes whose program or title has a part in it."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                title = (folder / "cmdline").read_bytes().split(b"\0")[0]
            except OSError:  # it has ended
                continue
            if part.encode() in title:
                found.append(int(folder.name))
    return found


def _processor_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _spilled() -> tuple[float, float]:
    """Return MiB in the object store, and MiB that were ever spilled from it."""
    said = _ray("memory", f"--address={_ADDRESS}", "--stats-only")
    held = re.search(r"Plasma memory usage (\S+) MiB", said)
    spilled = re.search(r"Spilled (\S+) MiB", said)
    if held is None:
        raise SystemExit(f"`ray memory` said: {said}")
    return float(held[1]), float(spilled[1]) if spilled else 0.0


def _ray(*flags: str) -> str:
    command = [sys.executable, "-m", "ray.scripts.scripts", *flags]
    done = subprocess.run(command, env=_ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"ray {' '.join(flags)}: {done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
