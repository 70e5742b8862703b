"""A pool of two recognizers on Ray, on this machine: streams go on when one is killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.edge_processes import Ear, Process, free_port
from benchmarks.pool_hosts import are_allowed
from integration.processes import ROOT, environment, run_module

NAMES = ["door", "yard"]


def places(log: str) -> dict[str, int]:
    """Return the process that each stream is in."""
    found = re.findall(r"(\w+) (?:is recognized by|goes on at) .*?process (\d+)", log)
    return {name: int(pid) for name, pid in found}


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_streams_go_on_with_their_numbers_when_a_recognizer_or_the_registry_is_killed(
    tmp_path: Path,
) -> None:
    pytest.importorskip("ray")
    port, events = free_port(), free_port()
    words = ["realtime.pool", "--ray", "local", "--actors", "2", "--spare", "1"]
    words += ["--bind", f"tcp://127.0.0.1:{port}", *(w for n in NAMES for w in ("--edge", n))]
    words += ["--", "--bind", f"tcp://127.0.0.1:{events}", "--no-dashboard", "--profile", "small"]
    pool = Process(tmp_path, "pool", words)
    ear = Ear(f"tcp://127.0.0.1:{events}")
    to = f"tcp://127.0.0.1:{port}"
    edges = [
        Process(
            tmp_path,
            name,
            ["realtime.edge", "--source", "demo", "--loop", "--name", name, "--to", to],
        )
        for name in NAMES
    ]
    try:
        ear.wait_for(lambda: len(set(places(pool.log.read_text()).values())) == 2)
        ear.wait_for(lambda: all(len(ear.of("prediction", name)) >= 6 for name in NAMES))
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and b"ray::_RemoteRegistry" in command(entry):
                os.kill(int(entry.name), signal.SIGKILL)
        time.sleep(6.0)
        victim = places(pool.log.read_text())["door"]
        os.kill(victim, signal.SIGKILL)
        killed = time.monotonic()
        ear.wait_for(
            lambda: any(
                at > killed + 1.0 and len(body["newest_senses"]) == 2
                for at, body in ear.of("prediction", "door")
            ),
            60.0,
        )
        assert places(pool.log.read_text())["door"] != victim
        assert edges[0].process.poll() is None
        numbers = [
            int(body["id"].rpartition("-")[2])
            for _, body in ear.of("event", "door")
            if body["phase"] == "onset"
        ]
        assert numbers == sorted(set(numbers))
    finally:
        ear.close()
        codes = [each.end() for each in (*edges, pool)]
    assert codes == [143, 143, 143], pool.log.read_text()


@pytest.mark.soak
@pytest.mark.skipif("POOL_FAULTS" not in os.environ, reason="a quarter of an hour: POOL_FAULTS=1")
@pytest.mark.timeout(1800)
def test_faults_of_a_pool_of_several_hosts_cost_what_they_may() -> None:
    pytest.importorskip("ray")
    if not are_allowed():
        pytest.skip("no network namespaces here")
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks.pool", "faults"],
        cwd=ROOT,
        env=environment(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=1700,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    rows = [line for line in result.stdout.splitlines() if line.endswith(("go on", "repeat"))]
    assert len(rows) == 7, result.stdout
    assert not [row for row in rows if row.endswith("repeat")], result.stdout


def test_pool_on_ray_says_one_sentence_when_it_cannot_begin() -> None:
    for words, sentence in (
        (("--bind", "tcp://0.0.0.0:5570", "--edge", "a"), "give --curve DIR"),
        (("--edge", "a", "--", "--record", "events"), "--record needs pictures"),
        (("--edge", "a", "--", "--source", "demo"), "a pool on Ray has edges alone"),
    ):
        result = run_module("realtime.pool", "--ray", "local", *words)
        assert result.returncode == 2, result.stderr
        assert sentence in result.stderr
        assert "Traceback" not in result.stderr


def command(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
