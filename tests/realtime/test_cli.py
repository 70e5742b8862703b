"""What a second Ctrl-C leaves behind."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from realtime.cli import LEAVE_SCREEN

INTERRUPTED_TWICE = """
import signal, sys
from realtime.cli import _Interrupt

interrupted = _Interrupt()
interrupted.running = True
interrupted.screen = sys.stdout.fileno() if sys.argv[1] == "dashboard" else None
signal.raise_signal(signal.SIGINT)
signal.raise_signal(signal.SIGINT)
"""


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("shown", "left"), [("dashboard", LEAVE_SCREEN), ("plain", b"")])
def test_second_interrupt_ends_at_once_and_gives_the_terminal_back(shown: str, left: bytes) -> None:
    leader, follower = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_TWICE, shown],
        stdout=follower,
        timeout=30,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    os.set_blocking(leader, False)
    try:
        written = os.read(leader, 100)
    except BlockingIOError:
        written = b""
    os.close(follower)
    os.close(leader)

    assert done.returncode == 130
    assert written == left
