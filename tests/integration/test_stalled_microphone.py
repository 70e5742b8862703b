"""A sound server that stalls before a picture that its sound denies: nothing is invented."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from integration.live_devices import free_port, missing_programs, picture_server, sound_card
from integration.processes import start_stream
from integration.test_live_devices import siren_of_the_demo, wait_until_both_senses_work
from realtime.client.subscriber import Subscriber

pytestmark = [
    pytest.mark.device,
    pytest.mark.timeout(400),
    pytest.mark.skipif(bool(missing_programs()), reason=f"not installed: {missing_programs()}"),
]

STALLS_S = (0.5, 1.0, 1.0, 1.0, 4.0)
AFTER_S = 6.0
BACK_S = 60.0  # the last stall has the microphone opened again
BOTH = ("picture", "sound")


def test_stalled_sound_server_starts_no_event_of_what_is_seen(tmp_path: Path) -> None:
    siren = siren_of_the_demo(tmp_path)  # its picture alone says Siren, whatever is heard
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with sound_card(tmp_path) as card, picture_server(siren.video) as camera:
        card.hum()
        process = start_stream(
            "--camera", camera.url, "--mic", "pulse", "--name", "door", "--bind", endpoint,
            "--no-dashboard",
            **card.environment,
        )  # fmt: skip
        told: list[dict[str, Any]] = []
        try:
            with Subscriber(endpoint, kinds=("event", "prediction", "status")) as subscriber:
                wait_until_both_senses_work(subscriber)
                listen(subscriber, 3.0, told)
                for stall_s in STALLS_S:
                    card.hang()
                    listen(subscriber, stall_s, told)
                    card.come_to()
                    listen(subscriber, AFTER_S, told)
                deadline = time.monotonic() + BACK_S
                while heard(told)[-1] != BOTH and time.monotonic() < deadline:
                    listen(subscriber, 1.0, told)
        finally:
            process.terminate()
            _, stderr = process.communicate(timeout=30)

    assert "Traceback" not in stderr
    assert ("picture",) in heard(told), "no stall was felt"
    assert heard(told)[-1] == BOTH, "the sound did not come back"
    assert [body["label"] for body in told if body["type"] == "event"] == []


def listen(subscriber: Subscriber, seconds: float, told: list[dict[str, Any]]) -> None:
    """Take in what comes meanwhile."""
    deadline = time.monotonic() + seconds
    while (left_s := deadline - time.monotonic()) > 0:
        received = subscriber.receive(left_s)
        if received is not None and not received.is_replay:
            told.append(dict(received.body))


def heard(told: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Return which senses the newest second had, prediction by prediction."""
    return [tuple(body["newest_senses"]) for body in told if body["type"] == "prediction"]
