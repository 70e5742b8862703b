"""Microphone and camera are unplugged and come back under a running program, for real.

The sound server and the picture server are killed and started again; what is told of it is read
from the event socket, as any subscriber would.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from integration.live_devices import free_port, missing_programs, picture_server, sound_card
from integration.processes import start_stream
from integration.test_live_devices import siren_of_the_demo, wait_until_both_senses_work
from realtime.subscribe import Subscriber

pytestmark = [
    pytest.mark.device,
    pytest.mark.timeout(400),
    pytest.mark.skipif(bool(missing_programs()), reason=f"not installed: {missing_programs()}"),
]

STATE_S = 90.0  # the two short waits, a library's time-outs, a loaded machine
GONE = ("reconnecting", "lost")


class Story:
    """Every change of the senses' states, in the order in which it was told."""

    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber
        self._began = time.monotonic()
        self.told: list[tuple[float, str, str, str]] = []
        self.states: dict[str, str] = {}
        self.n_decisions: dict[tuple[str, ...], int] = {}

    def follow(self, until: Callable[[Story], bool], what: str) -> None:
        deadline = time.monotonic() + STATE_S
        while not until(self):
            if time.monotonic() > deadline:
                pytest.fail(f"not told within {STATE_S:g} s: {what}\n{self}")
            received = self._subscriber.receive(1.0)
            if received is not None and not received.is_replay:
                self._take(received.body)

    def path(self, sense: str) -> list[str]:
        """The states that a sense went through."""
        return [state for _, name, state, _ in self.told if name == sense]

    def _take(self, body: Any) -> None:
        if body["type"] == "prediction":
            senses = tuple(body["senses"])
            self.n_decisions[senses] = self.n_decisions.get(senses, 0) + 1
        if body["type"] != "status":
            return
        for sense, now in body["senses"].items():
            if self.states.get(sense) != now["state"]:
                self.states[sense] = now["state"]
                moment = time.monotonic() - self._began
                self.told.append((moment, sense, now["state"], now["detail"]))

    def __str__(self) -> str:
        lines = [
            f"{t:6.1f} s  {sense:8}{state:13}{detail}" for t, sense, state, detail in self.told
        ]
        return "\n".join(lines)


def test_both_senses_come_back_when_their_servers_were_killed(tmp_path: Path) -> None:
    played = siren_of_the_demo(tmp_path)
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with sound_card(tmp_path) as card, picture_server(played.video) as camera:
        card.hum()
        process = start_stream(
            "--camera", camera.url, "--mic", "pulse", "--name", "door", "--bind", endpoint,
            "--no-dashboard",
            **card.environment,
        )  # fmt: skip
        try:
            with Subscriber(endpoint, kinds=("prediction", "status")) as subscriber:
                wait_until_both_senses_work(subscriber)
                story = Story(subscriber)
                story.states = {"picture": "ok", "sound": "ok"}

                card.stop()
                story.follow(lambda s: s.states["sound"] in GONE, "the microphone is gone")
                n_seeing = story.n_decisions.get(("picture",), 0)
                story.follow(
                    lambda s: sum(s.n_decisions.values()) > 20 + n_seeing, "decisions go on"
                )
                assert "picture" not in {sense for _, sense, _, _ in story.told}
                card.start()
                card.hum()
                story.follow(lambda s: s.states["sound"] == "ok", "the microphone is back")

                camera.stop()
                story.follow(lambda s: s.states["picture"] in GONE, "the camera is gone")
                camera.start()
                story.follow(lambda s: s.states["picture"] == "ok", "the camera is back")

                card.stop()
                camera.stop()
                story.follow(lambda s: set(s.states.values()) <= set(GONE), "both are gone")
                card.start()
                card.hum()
                camera.start()
                story.follow(lambda s: set(s.states.values()) == {"ok"}, "both are back")
                wait_until_both_senses_work(subscriber)
        finally:
            process.terminate()
            _, stderr = process.communicate(timeout=30)
    print(story)
    print(stderr)

    assert "Traceback" not in stderr
    assert process.returncode == 143
    for sense in ("picture", "sound"):
        path = story.path(sense)
        assert path[-1] == "ok"
        assert path.count("ok") == 2
        assert set(path) <= {"ok", "stale", *GONE}
        assert stderr.count(f"door {sense} ok") == 3  # at the start, and twice again


def test_a_sound_server_that_hangs_holds_nothing_up_and_its_microphone_comes_back(
    tmp_path: Path,
) -> None:
    played = siren_of_the_demo(tmp_path)
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with sound_card(tmp_path) as card, picture_server(played.video) as camera:
        card.hum()
        process = start_stream(
            "--camera", camera.url, "--mic", "pulse", "--name", "door", "--bind", endpoint,
            "--no-dashboard",
            **card.environment,
        )  # fmt: skip
        try:
            with Subscriber(endpoint, kinds=("prediction", "status")) as subscriber:
                wait_until_both_senses_work(subscriber)
                story = Story(subscriber)
                story.states = {"picture": "ok", "sound": "ok"}
                card.hang()
                story.follow(lambda s: s.states["sound"] in GONE, "the microphone is gone")
                n_seeing = sum(story.n_decisions.values())
                story.follow(
                    lambda s: sum(s.n_decisions.values()) >= 100 + n_seeing, "decisions go on"
                )
                assert "picture" not in {sense for _, sense, _, _ in story.told}
                card.come_to()
                story.follow(lambda s: s.states["sound"] == "ok", "the microphone is back")
                card.hang()
                story.follow(lambda s: s.states["sound"] in GONE, "it is gone again")
        finally:
            process.terminate()
            _, stderr = process.communicate(timeout=30)  # a call that hangs does not keep it
    print(story)
    print(stderr)

    assert "Traceback" not in stderr
    assert process.returncode == 143
