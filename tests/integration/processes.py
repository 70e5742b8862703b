"""Runs `run_stream.py` as a user does: in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CLIPS = ROOT.parent / "shared" / "data" / "clips"
TIMEOUT_S = 240  # a loaded two-core machine


def run_stream(*flags: str, timeout_s: float = TIMEOUT_S) -> subprocess.CompletedProcess[str]:
    """Run to the end; stdout and stderr as text."""
    return _run_to_end(command(*flags), timeout_s)


def run_module(*arguments: str, timeout_s: float = TIMEOUT_S) -> subprocess.CompletedProcess[str]:
    """Run `python -m …` to the end; stdout and stderr as text."""
    return _run_to_end([sys.executable, "-m", *arguments], timeout_s)


def run_program(text: str) -> subprocess.CompletedProcess[str]:
    """Run a program's text to the end; stdout and stderr as text."""
    return _run_to_end([sys.executable, "-c", text], TIMEOUT_S)


def _run_to_end(words: list[str], timeout_s: float) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        words,
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def start_stream(*flags: str, **environ: str) -> subprocess.Popen[str]:
    """Start and return at once; the caller ends it."""
    return subprocess.Popen(
        command(*flags),
        cwd=ROOT,
        env=environment(**environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def command(*flags: str) -> list[str]:
    return [sys.executable, "-W", "error::ResourceWarning", str(ROOT / "run_stream.py"), *flags]


def environment(**changes: str) -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", **changes}


def json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]
