"""A real mosquitto on loopback, and who listens to it."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from integration.live_devices import free_port

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
WAIT_S = 20.0

paho = pytest.importorskip("paho.mqtt.client")


class Broker:
    """mosquitto with a port of its own; it may be stopped and started again."""

    def __init__(self, folder: Path, *, password: str | None = None) -> None:
        self.port = free_port()
        self._folder = folder
        # Sessions outlive the broker: who listens gets what came while it was away.
        lines = [f"listener {self.port} 127.0.0.1", "persistence true", "max_queued_messages 0"]
        lines.append(f"persistence_location {folder}/")
        if password is None:
            lines.append("allow_anonymous true")
        else:
            words = folder / "passwords"
            subprocess.run(
                ["mosquitto_passwd", "-c", "-b", str(words), "hall", password], check=True
            )
            lines += ["allow_anonymous false", f"password_file {words}"]
        lines.append("user root")
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self._folder / "mosquitto.conf")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()  # it keeps sessions then, and not what is under way
            self._process.wait(10)


class Listener:
    """Takes all that the broker hands out."""

    def __init__(self, broker: Broker) -> None:
        self.events: list[dict[str, Any]] = []
        self.states: dict[str, str] = {}
        self._client = paho.Client(
            paho.CallbackAPIVersion.VERSION2, client_id="listener", clean_session=False
        )
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_message = self._take
        self._client.connect_async("127.0.0.1", broker.port)
        self._client.loop_start()

    def _take(self, client: object, data: object, message: Any) -> None:
        if message.topic.endswith("/event"):
            self.events.append(json.loads(message.payload))
        else:
            self.states[message.topic] = message.payload.decode()

    def wait_for(self, topic: str, payload: str) -> None:
        until = time.monotonic() + WAIT_S
        while self.states.get(topic) != payload:
            assert time.monotonic() < until, (topic, payload, self.states.get(topic))
            time.sleep(0.02)

    def wait_for_events(self, n: int) -> None:
        until = time.monotonic() + WAIT_S
        while len({event["seq"] for event in self.events}) < n:
            assert time.monotonic() < until, len(self.events)
            time.sleep(0.05)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
