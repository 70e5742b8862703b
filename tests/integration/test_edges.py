"""Edges and a pool in processes of their own: two clocks, a kill and a cut network."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from integration.processes import CLIPS, ROOT, environment, run_module

CLIP = CLIPS / "bark_1.mp4"


def bench(*words: str) -> str:
    result = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=environment(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.soak
@pytest.mark.timeout(1000)
def test_events_of_edges_are_dated_right_when_their_clocks_are_off() -> None:
    clip = ["--clip", str(CLIP)] if CLIP.is_file() else []
    said = bench("benchmarks.edge_events", *clip)

    rows = [line for line in said.splitlines() if line.startswith(("demo ", "clip "))]
    assert len(rows) >= 3, said
    for row in rows:  # a label that only one of both told has no such column
        off = re.search(r"([+-][0-9.]+) ms$", row)
        assert off is not None, said
        assert abs(float(off[1])) <= 20.0, said


@pytest.mark.soak
@pytest.mark.timeout(1000)
def test_stream_comes_back_when_its_edge_was_killed_or_cut_off() -> None:
    said = bench("benchmarks.edges", "faults")

    rows = [line for line in said.splitlines() if line.startswith(("kill", "network"))]
    assert len(rows) == 2, said
    for row in rows:
        assert "never" not in row, said
        assert row.split()[-1] == "on", said  # the numbers of its events go on


def test_edge_and_pool_say_one_sentence_when_they_cannot_begin(tmp_path: Path) -> None:
    for words, sentence in (
        (("realtime.pool", "--bind", "tcp://0.0.0.0:5570", "--edge", "a"), "give --curve DIR"),
        (("realtime.pool",), "a pool wants edges"),
        (("realtime.edge", "--source", "demo", "--to", "nowhere"), "--to wants an address"),
        (("realtime.edge",), "nothing to watch or hear"),
    ):
        result = run_module(*words)
        assert result.returncode == 2, result.stderr
        assert sentence in result.stderr
        assert "Traceback" not in result.stderr


def test_edge_loads_no_networks() -> None:
    program = (
        "import sys, realtime.cluster.edge.command, realtime.cluster.edge.capture\n"
        "from realtime.cluster.wire.protocol import Welcome\n"
        "print([m for m in ('torch', 'openvino', 'rich') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=environment(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert result.stdout.strip() == "[]"
