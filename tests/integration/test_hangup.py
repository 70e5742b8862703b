"""A terminal that is closed ends the program as SIGTERM does, and everything is told and whole."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import time
from pathlib import Path

import pytest

from integration.processes import ROOT, TIMEOUT_S, command, environment

pytestmark = [pytest.mark.device, pytest.mark.timeout(600)]


@pytest.mark.parametrize("screen", ["dashboard", "plain"])
def test_recording_is_completed_when_the_terminal_is_closed(
    random_bundle: Path, tmp_path: Path, screen: str
) -> None:
    events = tmp_path / "events"
    flags = ["--source", "demo", "--pace", "--loop", "--hop", "1", "--no-publish"]
    flags += ["--bundle", str(random_bundle), "--record", str(events)]
    flags += ["--no-dashboard"] if screen == "plain" else []
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", *command(*flags)],  # the session leader of a terminal of its own
        cwd=ROOT,
        env=environment(TERM="xterm"),
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    os.set_blocking(leader, False)
    try:
        until_s = time.monotonic() + TIMEOUT_S
        while not list(events.rglob("*.part.mp4")):
            assert process.poll() is None
            assert time.monotonic() < until_s
            try:
                os.read(leader, 1 << 16)  # a terminal shows what is written to it
            except BlockingIOError:
                time.sleep(0.05)
        os.close(leader)
        assert process.wait(60) == 129
    finally:
        process.kill()
        process.wait()

    told = [json.loads(path.read_text()) for path in events.rglob("*_*.json")]
    assert {sidecar["state"] for sidecar in told} == {"complete"}
    assert list(events.rglob("*.part.mp4")) == []
    last = json.loads((events / "events.jsonl").read_text().splitlines()[-1])
    assert (last["phase"], last["reason"]) == ("offset", "stream ended")
