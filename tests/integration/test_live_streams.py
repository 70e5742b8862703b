"""Live streams on loopback: what is in them is recognized, and they come back after a hang-up."""

from __future__ import annotations

import subprocess
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from integration.live_devices import free_port, missing_programs
from integration.live_streams import (
    LABEL,
    DatagramSender,
    FragmentSender,
    PlaylistSender,
    RelaySender,
    Sender,
    sending,
    write_loop,
)
from integration.processes import start_stream
from integration.test_rtsp_camera import PYTHON, SERVER, has_server, listens
from integration.test_unplugged_devices import GONE
from realtime.client.subscriber import Subscriber

pytestmark = [
    pytest.mark.device,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(missing_programs()), reason=f"not installed: {missing_programs()}"),
]

WAIT_S = 240.0  # models load; a loaded machine


class Follower:
    """Reads what is told of one stream."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self.told: list[str] = []
        self.lag_s = 0.0
        self.details: list[str] = []
        self.senses: list[str] = []

    def onset(self, *, senses: list[str]) -> dict[str, Any]:
        """Return the next onset of what is in the stream, decided by these senses."""
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            body = self._next()
            if body and body["type"] == "event" and body["phase"] == "onset":
                assert body["label"] == LABEL, f"{body['label']} is not in it\n{self}"
                if body["senses"] == senses:
                    return body
        pytest.fail(f"no {LABEL} of {senses} within {WAIT_S:g} s\n{self}")

    def gone(self) -> None:
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            body = self._next()
            if body and body["type"] == "status":
                states = {sense["state"] for sense in body["senses"].values()} - {"absent"}
                if states <= set(GONE):
                    return
        pytest.fail(f"the stream was not told to be gone\n{self}")

    def _next(self) -> Any:
        received = self._subscriber.receive(1.0)
        if received is None or received.is_replay:
            return None
        body: Any = received.body
        if body["type"] == "status":
            self.lag_s = max(self.lag_s, body["lag_s"])
            senses = {name: sense["state"] for name, sense in body["senses"].items()}
            self.told.append(f"{body['sent']['t_s']:7.1f} {senses} {body['detail']}")
        elif body["type"] == "event":
            self.told.append(f"{body['sent']['t_s']:7.1f} {body['phase']} {body['label']}")
        return body

    def __str__(self) -> str:
        return "\n".join(self.told)


@contextmanager
def following(url: str, *flags: str) -> Iterator[Follower]:
    """The program on a stream; terminated at the end, and what it said is looked through."""
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with Subscriber(endpoint, kinds=("event", "status")) as subscriber:
        process = start_stream(
            "--source", url, "--name", "stream", "--bind", endpoint, "--no-dashboard",
            "--backend", "torch", "--hop", "1", "--wait", *flags,
        )  # fmt: skip
        follower = Follower(subscriber)
        try:
            yield follower
        finally:
            process.terminate()
            _, stderr = process.communicate(timeout=60)
            print(follower, stderr, sep="\n\n")
    assert "Traceback" not in stderr
    assert process.returncode == 143


@pytest.mark.parametrize(
    ("make", "key_frames_s", "lag_s"),
    [
        (PlaylistSender, 2.0, (4.0, 9.0)),
        (DatagramSender, 2.0, (0.0, 2.0)),
        (RelaySender, 15.0, (0.0, 2.0)),
        (FragmentSender, 2.0, (1.5, 4.0)),
    ],
    ids=["HLS", "UDP", "15 s between key frames", "fragmented MP4"],
)
def test_what_is_in_a_live_stream_is_recognized_and_again_after_its_server_hung_up(
    make: Any, key_frames_s: float, lag_s: tuple[float, float], tmp_path: Path
) -> None:
    video, _ = write_loop(tmp_path, key_frames_s=key_frames_s)
    sender: Sender = make(video, tmp_path)
    with following(sender.url) as follower:
        with sending(sender):
            onset = follower.onset(senses=["picture", "sound"])
        follower.gone()
        with sending(sender):
            again = follower.onset(senses=["picture", "sound"])

    print(f"| {make.__name__} | lag {follower.lag_s:.1f} s | {onset['quality']['latency_ms']} ms |")
    assert lag_s[0] <= follower.lag_s <= lag_s[1]
    for event in (onset, again):
        assert event["quality"]["latency_ms"] >= 1000 * lag_s[0]
        told_s = datetime.fromisoformat(event["sent"]["utc"])
        began_s = datetime.fromisoformat(event["onset"]["utc"])
        assert 0 < (told_s - began_s).total_seconds() < lag_s[1] + 10.0


@contextmanager
def rtsp_sound(wav: Path, port: int, transport: str) -> Iterator[None]:
    raw = wav.with_suffix(".s16")
    with wave.open(str(wav)) as file:
        raw.write_bytes(file.readframes(file.getnframes()))
    process = subprocess.Popen([PYTHON, str(SERVER), str(port), "", "", str(raw), transport])
    try:
        deadline = time.monotonic() + 30.0
        while not listens(port):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait(10)


@pytest.mark.skipif(not has_server(), reason="gir1.2-gst-rtsp-server-1.0 is not installed")
@pytest.mark.parametrize("transport", ["any", "udp"])
def test_g711_sound_over_rtsp_is_recognized_over_udp_where_tcp_is_refused(
    transport: str, tmp_path: Path
) -> None:
    _, wav = write_loop(tmp_path)
    port = free_port()
    with (
        rtsp_sound(wav, port, transport),
        following(f"rtsp://127.0.0.1:{port}/camera") as follower,
    ):
        onset = follower.onset(senses=["picture", "sound"])

    assert onset["label"] == LABEL
