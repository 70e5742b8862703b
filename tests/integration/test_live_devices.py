"""The real microphone path: sound through PulseAudio, pictures through a server, events by ZeroMQ.

The program is a process of its own; the test hears only what any subscriber hears.
"""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from integration.live_devices import (
    extract_sound,
    free_port,
    missing_programs,
    picture_server,
    sound_card,
)
from integration.processes import CLIPS, start_stream
from realtime.subscribe import Subscriber

pytestmark = [
    pytest.mark.device,
    pytest.mark.timeout(300),
    pytest.mark.skipif(bool(missing_programs()), reason=f"not installed: {missing_programs()}"),
]

START_S = 90.0  # models load, PulseAudio settles; a loaded machine
SETTLE_S = 4.0  # PulseAudio's monitor delivers in lumps at first
EVENT_S = 40.0


@pytest.mark.parametrize(
    ("clip", "labels"),
    [
        ("bark_2.mp4", {"Bark"}),
        ("speech_1.mp4", {"Male speech, man speaking", "Female speech, woman speaking"}),
    ],
)
def test_events_of_a_played_clip_reach_a_subscriber(
    clip: str, labels: set[str], tmp_path: Path
) -> None:
    video = CLIPS / clip
    if not video.exists():
        pytest.skip(f"{video.name} is not here")
    sound = extract_sound(video, tmp_path / "sound.wav")
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with sound_card(tmp_path) as card, picture_server(video) as camera:
        process = start_stream(
            "--camera", camera, "--mic", "pulse", "--name", "door", "--bind", endpoint,
            "--no-dashboard",
            **card.environment,
        )  # fmt: skip
        try:
            with Subscriber(endpoint, kinds=("event", "prediction", "status")) as subscriber:
                wait_until_both_senses_work(subscriber)
                player = card.play(sound)
                played_at = time.time()
                onset = wait_for_onset(subscriber, labels, played_at)
                player.wait(30)
        finally:
            process.terminate()
            _, stderr = process.communicate(timeout=30)

    assert "Traceback" not in stderr
    assert process.returncode == 143
    began_s = datetime.fromisoformat(onset["onset"]["utc"]).timestamp() - played_at
    assert abs(began_s) <= 1.0
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


def wait_for_onset(subscriber: Subscriber, labels: set[str], after: float) -> dict[str, Any]:
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
    pytest.fail(f"no onset of {labels}, but of {heard}")
