"""A network camera over RTSP: its password is told nobody, and it comes back after a power cut."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from integration.live_devices import free_port
from integration.processes import start_stream
from integration.test_live_devices import wait_until_both_senses_work
from integration.test_unplugged_devices import GONE, Story
from realtime.client.subscriber import Subscriber

PYTHON = "/usr/bin/python3"  # the system's, which has Debian's python3-gi
SERVER = Path(__file__).with_name("rtsp_camera.py")
PASSWORD = "correct-horse"


def has_server() -> bool:
    """Whether GStreamer's RTSP server is there."""
    ask = "import gi; gi.require_version('GstRtspServer', '1.0')"
    try:
        return subprocess.run([PYTHON, "-c", ask], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


pytestmark = [
    pytest.mark.device,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not has_server(), reason="gir1.2-gst-rtsp-server-1.0 is not installed"),
]


@contextmanager
def camera_on(port: int) -> Iterator[None]:
    """An RTSP camera with power, from when it listens on."""
    process = subprocess.Popen([PYTHON, str(SERVER), str(port), "bob", PASSWORD])
    try:
        deadline = time.monotonic() + 20.0
        while not listens(port):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait(10)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


@contextmanager
def watching(port: int, endpoint: str) -> Iterator[None]:
    """The program on that camera; terminated at the end, and what it said is looked through."""
    process = start_stream(
        "--source", f"rtsp://bob:{PASSWORD}@127.0.0.1:{port}/camera", "--name", "gate",
        "--bind", endpoint, "--no-dashboard", "--backend", "torch", "--hop", "1",
    )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        stdout, stderr = process.communicate(timeout=30)
        print(stderr)
    assert process.returncode == 143
    assert "Traceback" not in stderr
    assert PASSWORD not in stdout + stderr


def test_a_camera_with_a_password_comes_back_after_a_power_cut() -> None:
    port = free_port()
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with Subscriber(endpoint, kinds=("prediction", "status")) as subscriber, ExitStack() as stack:
        with camera_on(port):
            stack.enter_context(watching(port, endpoint))
            wait_until_both_senses_work(subscriber)
            story = Story(subscriber)
        story.follow(lambda s: set(s.states.values()) <= set(GONE), "the camera is gone")
        with camera_on(port):
            story.follow(lambda s: set(s.states.values()) == {"ok"}, "the camera is back")
            story.follow_decisions(3, ("picture", "sound"))
        assert PASSWORD not in str(story)
