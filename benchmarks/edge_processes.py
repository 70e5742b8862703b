"""Pools and edges in processes of their own, what they say, and a network that can be cut."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from realtime.client.subscriber import Subscriber

ROOT = Path(__file__).parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
READY_S = 240.0


class Process:
    """A command whose stdout and stderr are kept in files."""

    def __init__(
        self,
        folder: Path,
        name: str,
        words: list[str],
        *,
        prefix: list[str] | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.out, self.log = folder / f"{name}.out", folder / f"{name}.log"
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        environ.update(environment or {})
        with self.out.open("w") as out, self.log.open("w") as log:
            self.process = subprocess.Popen(
                [*(prefix or []), sys.executable, "-m", *words],
                cwd=ROOT,
                env=environ,
                stdout=out,
                stderr=log,
            )
        atexit.register(self.kill)

    def cpu_s(self) -> float:
        """Return how much processor time it has used, s."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        """Ask it to end, and wait."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill()
            return -9

    def events(self) -> list[dict[str, Any]]:
        """Return the events that it printed."""
        lines = self.out.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


class Ear:
    """Hears what a recognizer publishes, in a thread, with the time of each message."""

    def __init__(self, endpoint: str) -> None:
        self.heard: list[tuple[float, dict[str, Any]]] = []
        self._endpoint = endpoint
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def of(self, kind: str, source: str | None = None) -> list[tuple[float, dict[str, Any]]]:
        """Return the messages of a kind, of a stream."""
        return [
            (at, body)
            for at, body in list(self.heard)
            if body["type"] == kind and source in (None, body.get("source"))
        ]

    def wait_for(self, what: Any, timeout_s: float = READY_S) -> None:
        """Wait until `what()` is true."""
        until = time.monotonic() + timeout_s
        while not what():
            if time.monotonic() > until:
                raise SystemExit("it does not come; see the logs")
            time.sleep(0.05)

    def close(self) -> None:
        """Hear no more."""
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:
        kinds = ("event", "prediction", "status", "heartbeat")
        with Subscriber(self._endpoint, kinds, on_notice=lambda _: None) as subscriber:
            while not self._stop.is_set():
                message = subscriber.receive(0.2)
                if message is not None:
                    self.heard.append((time.monotonic(), message.body))


class Cable:
    """Passes bytes on between edges and a pool, until it is cut: then nothing, not even an end."""

    def __init__(self, port: int) -> None:
        self.is_cut = False
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._admit, daemon=True).start()

    def _admit(self) -> None:
        while True:
            near, _ = self._listener.accept()
            far = socket.create_connection(("127.0.0.1", self._port))
            threading.Thread(target=self._pass_on, args=(near, far), daemon=True).start()

    def _pass_on(self, near: socket.socket, far: socket.socket) -> None:
        with near, far, selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
            selector.register(near, selectors.EVENT_READ, far)
            selector.register(far, selectors.EVENT_READ, near)
            while True:
                if self.is_cut:
                    time.sleep(0.02)
                    continue
                for key, _ in selector.select(0.1):
                    data = key.fileobj.recv(1 << 16)  # type: ignore[union-attr]
                    if not data:
                        return
                    key.data.sendall(data)


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
