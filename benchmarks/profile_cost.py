"""What `--profile small` saves: processor time of a live-paced stream, full and small by turns.

    python benchmarks/profile_cost.py [--source demo] [--rounds 2]

Each run plays the source at its own speed in a process of its own. Printed are processor seconds
for a second of stream without what the start costs, the events told, and the ratio.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROFILES = ("full", "small")


def play(source: str, profile: str, duration_s: float | None) -> tuple[float, float, list[str]]:
    """Run once; return processor and wall seconds of the whole, and the labels of its events."""
    flags = ["--profile", profile, "--source", source, "--pace", "--log-json", "--no-publish"]
    if duration_s is not None:
        flags += ["--duration", f"{duration_s:g}"]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [sys.executable, "run_stream.py", *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    wall_s, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    return spent_s, wall_s, [m["label"] for m in messages if m["phase"] == "onset"]


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--source", default="demo")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=40.0, help="of the source, at most")
    options = parser.parse_args()
    short_s = options.seconds / 4
    cost: dict[str, list[float]] = {profile: [] for profile in PROFILES}
    for number in range(options.rounds):
        for profile in PROFILES:
            start_s, _, _ = play(options.source, profile, short_s)  # the start, and a little stream
            whole_s, wall_s, labels = play(options.source, profile, options.seconds)
            cost[profile].append((whole_s - start_s) / (options.seconds - short_s))
            print(
                f"round {number + 1}, {profile}: {cost[profile][-1]:.3f} s of processor for a "
                f"second of stream ({wall_s:.0f} s in all); events: {', '.join(labels) or 'none'}",
                flush=True,
            )
    full, small = (statistics.median(cost[profile]) for profile in PROFILES)
    print(f"small costs {small / full:.2f} of full ({small:.3f} and {full:.3f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
