"""The real microphone path: sound through PulseAudio, pictures through a server, events by ZeroMQ.

The program is a process of its own; the test hears only what any subscriber hears.
"""

from __future__ import annotations

import time
import wave
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import av
import pytest

from integration.live_devices import (
    extract_sound,
    free_port,
    missing_programs,
    picture_server,
    sound_card,
)
from integration.processes import CLIPS, start_stream
from realtime.client.subscriber import Subscriber
from realtime.packets import SAMPLE_RATE
from realtime.sources.demo_pictures import HEIGHT, WIDTH, ScenePainter
from realtime.sources.demo_scene import SCRIPT, render_sound

pytestmark = [
    pytest.mark.device,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(missing_programs()), reason=f"not installed: {missing_programs()}"),
]

START_S = 180.0  # models load, PulseAudio settles; a loaded machine
SETTLE_S = 4.0  # PulseAudio's monitor delivers in lumps at first
EVENT_S = 40.0
LEAD_S = 2.0
VIDEO_HZ = 20


@dataclass(frozen=True)
class Played:
    """What a test plays and what must be heard of it."""

    video: Path
    sound: Path
    labels: frozenset[str]
    onset_s: float  # from the start of the sound


def empty_room(folder: Path) -> Path:
    """What the camera sees: nothing. It plays over and over, so that what it showed of the event
    would be seen before it is heard, and be told then.
    """
    video = folder / "room.mp4"
    room = ScenePainter().paint(0.0)
    with av.open(str(video), "w") as container:
        stream = container.add_stream("mpeg4", rate=VIDEO_HZ)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = 2_000_000
        for _ in range(4 * VIDEO_HZ):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(room, format="rgb24")))
        container.mux(stream.encode(None))
    return video


def siren_of_the_demo(folder: Path) -> Played:
    """The built-in scene's siren, from two quiet seconds before it on."""
    siren = SCRIPT[0]
    first = round((siren.onset_s - LEAD_S) * SAMPLE_RATE)
    part = render_sound()[first : round(siren.offset_s * SAMPLE_RATE)]
    sound = folder / "siren.wav"
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((part * 32767).astype("<i2").tobytes())
    return Played(empty_room(folder), sound, frozenset({siren.label}), LEAD_S)


def shots_of_a_real_clip(folder: Path) -> Played:
    """A real clip: shots from its first second on."""
    clip = CLIPS / "gunshot_1.mp4"
    if not clip.exists():
        pytest.skip(f"{clip.name} is not here")
    sound = extract_sound(clip, folder / "shots.wav")
    return Played(empty_room(folder), sound, frozenset({"Gunshot"}), onset_s=0.0)


@pytest.mark.parametrize("make_played", [siren_of_the_demo, shots_of_a_real_clip])
def test_event_played_into_the_microphone_reaches_a_subscriber(
    make_played: Callable[[Path], Played], tmp_path: Path
) -> None:
    played = make_played(tmp_path)
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with sound_card(tmp_path) as card, picture_server(played.video) as camera:
        process = start_stream(
            "--camera", camera.url, "--mic", "pulse", "--name", "door", "--bind", endpoint,
            "--no-dashboard",
            **card.environment,
        )  # fmt: skip
        try:
            with Subscriber(endpoint, kinds=("event", "prediction", "status")) as subscriber:
                wait_until_both_senses_work(subscriber)
                player = card.play(played.sound)
                played_at = time.time()
                onset = wait_for_onset(subscriber, played.labels, played_at)
                player.wait(30)
        finally:
            process.terminate()
            _, stderr = process.communicate(timeout=30)

    assert "Traceback" not in stderr
    assert process.returncode == 143
    began_s = datetime.fromisoformat(onset["onset"]["utc"]).timestamp() - played_at
    assert abs(began_s - played.onset_s) <= 1.0
    assert onset["senses"] == ["picture", "sound"]
    assert 0 < onset["quality"]["latency_ms"] < 5000
    assert abs(onset["quality"]["av_skew_ms"]) < 200
    assert onset["source"] == "door"
    assert 0.99 < sum(map(sum, onset["evidence"]["attention"])) < 1.01


def wait_until_both_senses_work(subscriber: Subscriber) -> None:
    """Return once predictions have rested on both senses for a while."""
    deadline = time.monotonic() + START_S
    since: float | None = None
    while time.monotonic() < deadline:
        received = subscriber.receive(1.0)
        if received is None or received.body["type"] != "prediction":
            continue
        newest: Any = received.body
        if newest["senses"] != ["picture", "sound"]:
            since = None
            continue
        since = since or time.monotonic()
        if time.monotonic() - since >= SETTLE_S:
            return
    pytest.fail("picture and sound did not both arrive")


def wait_for_onset(subscriber: Subscriber, labels: frozenset[str], after: float) -> dict[str, Any]:
    """Return the first onset of one of the labels that was told after `after`."""
    deadline = time.monotonic() + EVENT_S
    heard = []
    while time.monotonic() < deadline:
        received = subscriber.receive(1.0)
        if received is None or received.body["type"] != "event" or received.is_replay:
            continue
        event: Any = received.body
        sent = datetime.fromisoformat(event["sent"]["utc"]).timestamp()
        if event["phase"] == "onset" and sent > after:
            heard.append(event["label"])
            if event["label"] in labels:
                return dict(event)
    pytest.fail(f"no onset of {sorted(labels)}, but of {heard}")
