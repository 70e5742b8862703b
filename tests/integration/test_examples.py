"""Each program of `examples/` runs, beside a publisher that says what a recognizer would."""

from __future__ import annotations

import ast
import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from client_publisher import Publisher
from integration.processes import ROOT, environment
from realtime.outputs.wire import Message, Quality
from wire_samples import LABELS, make_event, make_prediction, make_stamper, make_timeline

EXAMPLES = ROOT / "examples"
PROGRAMS = sorted(EXAMPLES.glob("*.py"))
WAIT_S = 60.0  # a loaded machine imports for seconds

# What a robot has in place of ROS 2 here: the names that the example uses, and what was published.
ROS = """
class _Log:
    def info(self, text): print(text, flush=True)

class _Publisher:
    def publish(self, pose):
        stamp, turn = pose.header.stamp, pose.pose.orientation
        print("pose", pose.header.frame_id, stamp.sec, stamp.nanosec, round(turn.z, 4), flush=True)

class _Node:
    def create_publisher(self, kind, topic, depth):
        print("publishes", kind.__name__, topic, flush=True)
        return _Publisher()
    def get_logger(self): return _Log()
    def destroy_node(self): print("destroyed", flush=True)

def init(): pass
def create_node(name): return _Node()
def ok(): return True
def spin_once(node, timeout_sec): pass
"""
POSE = """
from types import SimpleNamespace as _Of

class PoseStamped:
    def __init__(self):
        self.header = _Of(frame_id="", stamp=_Of(sec=0, nanosec=0))
        self.pose = _Of(orientation=_Of(x=0.0, y=0.0, z=0.0, w=1.0))
"""

pytestmark = pytest.mark.timeout(180)


def messages(source: str = "left") -> list[Message]:
    """A siren begins and ends."""
    stamper, timeline = make_stamper(), make_timeline()
    return [
        stamper.event(source, timeline, event, make_prediction(), LABELS, Quality())
        for event in (make_event(), make_event(offset_s=12.5))
    ]


def start(name: str, *arguments: str, **environ: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(EXAMPLES / name), *arguments],
        cwd=ROOT,
        env=environment(PYTHONPATH=str(ROOT), **environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def say(publisher: Publisher, told: list[Message]) -> None:
    publisher.wait_for_subscription()
    time.sleep(0.1)
    for message in told:
        publisher.send_frames(message.topic.encode(), message.payload())


def interrupted(process: subprocess.Popen[str]) -> str:
    """Press Ctrl-C; return what was printed."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=WAIT_S)
    assert "Traceback" not in err
    assert process.returncode == 0, err
    return out


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n")


def test_events_are_printed(publisher: Publisher) -> None:
    process = start("print_events.py", publisher.endpoint)
    say(publisher, messages())

    line = line_of(process)
    interrupted(process)

    assert line.startswith("03:04:15 Siren at left, received ")


def test_events_of_two_recognizers_are_followed_in_one_loop(publisher: Publisher) -> None:
    other = Publisher()
    try:
        process = start("async_events.py", publisher.endpoint, other.endpoint)
        say(publisher, messages("hall"))
        say(other, messages("yard"))
        lines = {line_of(process), line_of(process)}
        interrupted(process)
    finally:
        other.close()

    assert lines == {
        f"{publisher.endpoint}: Siren at hall",
        f"{other.endpoint}: Siren at yard",
    }


def test_events_become_lines_of_a_table(publisher: Publisher, tmp_path: Path) -> None:
    path = tmp_path / "events.csv"
    for _ in range(2):  # the second run adds to the first
        process = start("events_to_csv.py", str(path), publisher.endpoint)
        before = path.stat().st_size if path.exists() else 0
        say(publisher, messages())
        until = time.monotonic() + WAIT_S
        while (path.stat().st_size if path.exists() else 0) <= max(before, 60):
            assert time.monotonic() < until, process.poll()
            time.sleep(0.02)
        interrupted(process)

    rows = list(csv.DictReader(path.read_text("utf-8").splitlines()))
    assert [row["label"] for row in rows] == ["Siren", "Siren"]
    assert rows[0]["seconds"] == "2.25"
    assert datetime.fromisoformat(rows[0]["onset"]) < datetime.fromisoformat(rows[0]["offset"])


def test_note_is_shown_on_the_desktop(publisher: Publisher, tmp_path: Path) -> None:
    notify = tmp_path / "notify-send"
    notify.write_text(
        f'#!/bin/sh\nprintf "%s|" "$@" > {tmp_path}/shown.part\n'
        f"mv {tmp_path}/shown.part {tmp_path}/shown\n"
    )
    notify.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    process = start("desktop_notification.py", "--endpoint", publisher.endpoint, PATH=path)
    say(publisher, messages())

    until = time.monotonic() + WAIT_S
    while not (tmp_path / "shown").exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    interrupted(process)

    assert (tmp_path / "shown").read_text() == "--app-name=mafnet|--|Siren|left, 97% sure|"


def test_without_notify_send_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    done = start("desktop_notification.py", PATH=str(tmp_path))
    _, err = done.communicate(timeout=WAIT_S)

    assert done.returncode == 1
    assert "libnotify-bin" in err


def test_robot_is_asked_to_face_the_camera(publisher: Publisher, tmp_path: Path) -> None:
    (tmp_path / "rclpy.py").write_text(ROS)
    (tmp_path / "geometry_msgs").mkdir()
    (tmp_path / "geometry_msgs" / "__init__.py").touch()
    (tmp_path / "geometry_msgs" / "msg.py").write_text(POSE)
    arguments = ("Siren", "--bearing", "left=1.5708", "--endpoint", publisher.endpoint)
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "robot_turns.py"), *arguments],
        cwd=ROOT,
        env=environment(PYTHONPATH=f"{ROOT}:{tmp_path}"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    told = messages()
    say(publisher, told)

    lines = [line_of(process) for _ in range(3)]
    rest = interrupted(process)

    onset = told[0].body["onset"]
    assert isinstance(onset, dict)
    at = datetime.fromisoformat(str(onset["utc"]))
    assert lines[0] == "publishes PoseStamped event_pose"
    assert lines[1] == (f"pose base_link {int(at.timestamp())} {at.microsecond * 1000} 0.7071")
    assert lines[2] == "Siren at left"
    assert rest == "destroyed\n"


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.name)
def test_example_is_short_and_says_how_it_is_run(program: Path) -> None:
    text = program.read_text("utf-8")

    assert 20 <= len(text.splitlines()) <= 60
    assert f"python examples/{program.name}" in (ast.get_docstring(ast.parse(text)) or "")
    assert program.name in (ROOT / "docs" / "guide" / "receiving.md").read_text("utf-8")


def test_dashboard_asks_for_figures_that_there_are() -> None:
    board = json.loads((EXAMPLES / "grafana.json").read_text("utf-8"))
    asked = " ".join(
        target["expr"] for panel in board["panels"] for target in panel.get("targets", ())
    )
    told = (ROOT / "docs" / "reference" / "metrics.md").read_text("utf-8")
    names = set(re.findall(r"mafnet_\w+", asked))

    counters = {"mafnet_dropped_frames_total", "mafnet_predictions_total"}  # as `<counter>`
    assert names - counters
    assert all(name in told for name in names - counters)
