"""A program that is killed in the middle of what it does, as a crash or a power cut ends it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent


def run_killed(script: str, folder: Path, *, beside: str) -> subprocess.CompletedProcess[bytes]:
    """Run a program's text until it kills itself by its last line.

    Args:
        script: Uses `folder`, and may import what lies beside the test.
        folder: What it works in.
        beside: The test's `__file__`.
    """
    paths = [str(TESTS.parent), str(TESTS), str(Path(beside).parent)]
    code = (
        f"import os, signal, sys; sys.path[:0] = {paths!r}\n"
        f"from pathlib import Path\nfolder = Path(sys.argv[1])\n{script}"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    words = [sys.executable, "-c", code, str(folder)]
    return subprocess.run(words, timeout=200, check=False, capture_output=True)
