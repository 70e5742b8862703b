"""Microphone and camera are unplugged and come back under a running program, for real.

The sound server and the picture server are killed and started again; what is told of it is read
from the event socket, as any subscriber would.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from integration.live_devices import (
    PictureServer,
    SoundCard,
    free_port,
    missing_programs,
    picture_server,
    sound_card,
)
from integration.processes import start_stream
from integration.test_live_devices import siren_of_the_demo, wait_until_both_senses_work
from realtime.client.subscriber import Subscriber

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
        self.states = {"picture": "ok", "sound": "ok"}
        self.n_decisions: dict[tuple[str, ...], int] = {}

    def follow(self, until: Callable[[Story], bool], what: str) -> None:
        deadline = time.monotonic() + STATE_S
        while not until(self):
            if time.monotonic() > deadline:
                pytest.fail(f"not told within {STATE_S:g} s: {what}\n{self}")
            received = self._subscriber.receive(1.0)
            if received is not None and not received.is_replay:
                self._take(received.body)

    def follow_decisions(self, n: int, senses: tuple[str, ...] | None = None) -> None:
        """Follow until `n` more decisions were made, by these senses or any."""

        def made() -> int:
            by_senses = self.n_decisions
            return sum(by_senses.values()) if senses is None else by_senses.get(senses, 0)

        before = made()
        self.follow(lambda _: made() >= before + n, "decisions go on")

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


@dataclass
class Scene:
    """A running program with devices that can be pulled out, and what it tells."""

    card: SoundCard
    camera: PictureServer
    story: Story
    process: subprocess.Popen[str]


@contextmanager
def running(folder: Path) -> Iterator[Scene]:
    """A program that has seen and heard for a while; terminated at the end, and its log printed."""
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    video = siren_of_the_demo(folder).video
    with sound_card(folder) as card, picture_server(video) as camera:
        card.hum()
        process = start_stream(
            "--camera", camera.url, "--mic", "pulse", "--name", "door", "--bind", endpoint,
            "--no-dashboard", "--backend", "torch", "--hop", "1",
            **card.environment,
        )  # fmt: skip
        story = None
        try:
            with Subscriber(endpoint, kinds=("prediction", "status")) as subscriber:
                wait_until_both_senses_work(subscriber)
                story = Story(subscriber)
                yield Scene(card, camera, story, process)
        finally:
            process.terminate()
            _, stderr = process.communicate(timeout=30)
            print(story, stderr, sep="\n\n")
        assert "Traceback" not in stderr
        assert process.returncode == 143


def test_both_senses_come_back_when_their_servers_were_killed(tmp_path: Path) -> None:
    with running(tmp_path) as scene:
        card, camera, story = scene.card, scene.camera, scene.story
        card.stop()
        story.follow(lambda s: s.states["sound"] in GONE, "the microphone is gone")
        story.follow_decisions(5)
        assert story.path("picture") == []
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
        story.follow_decisions(2, senses=("picture", "sound"))

    for sense in ("picture", "sound"):
        path = story.path(sense)
        assert path[-1] == "ok"
        assert path.count("ok") == 2
        assert set(path) <= {"ok", "stale", *GONE}


def test_a_sound_server_that_hangs_holds_nothing_up_and_its_microphone_comes_back(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as scene:
        card, story = scene.card, scene.story
        card.hang()
        story.follow(lambda s: s.states["sound"] in GONE, "the microphone is gone")
        story.follow_decisions(25)  # longer than a driver's call may take
        assert story.path("picture") == []
        card.come_to()
        story.follow(lambda s: s.states["sound"] == "ok", "the microphone is back")
        card.hang()
        story.follow(lambda s: s.states["sound"] in GONE, "it is gone again")
    # the program has ended though a call hangs
