"""A day of stream in parts of two hours, each a run of its own: `make soak`.

What is done is written down in `runs/soak.jsonl`, one line a part, so that it goes on where it was
when it is called again; remove the file to begin anew. At the end it prints the whole as a table.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PART_S = 7200
DAY_S = 86_400
KEPT = ROOT / "runs" / "soak.jsonl"
TEST = "tests/faults/test_soak_stream.py"


def main() -> int:
    """Run the parts that are missing; return the exit code of the first that fails."""
    done = _done()
    for number in range(len(done), DAY_S // PART_S):
        print(f"part {number + 1} of {DAY_S // PART_S}", flush=True)
        began = time.monotonic()
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-m", "soak", TEST, "-s"],
            cwd=ROOT,
            env={**os.environ, "SOAK_STREAM_S": str(PART_S)},
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        if run.returncode:
            print(run.stdout)
            return run.returncode
        (line,) = (line for line in run.stdout.splitlines() if " s of stream in " in line)
        _keep({"commit": _commit(), "seconds": round(time.monotonic() - began), "said": line})
    print("| part | commit | what it printed |\n| --- | --- | --- |")
    for number, part in enumerate(_done(), start=1):
        print(f"| {number} | {part['commit']} | {part['said']} |")
    return 0


def _done() -> list[dict[str, object]]:
    if not KEPT.exists():
        return []
    return [json.loads(line) for line in KEPT.read_text(encoding="utf-8").splitlines()]


def _keep(part: dict[str, object]) -> None:
    KEPT.parent.mkdir(exist_ok=True)
    with KEPT.open("a", encoding="utf-8") as file:
        file.write(json.dumps(part) + "\n")


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
