"""Servers on loopback that notifications and posts go to: one that answers, one that hangs."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WAIT_S = 20.0


def wait_until(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < until, "it never came to hold"
        time.sleep(0.01)


@dataclass
class WebServer:
    """What it was asked; it answers with the next of `answers`, 200 once they are used up."""

    port: int = 0
    answers: list[int] = field(default_factory=list)
    location: str = ""
    asked: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def web_server(*answers: int, location: str = "") -> Iterator[WebServer]:
    told = WebServer(answers=list(answers), location=location)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            told.asked.append((self.path, dict(self.headers), body))
            status = told.answers.pop(0) if told.answers else 200
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", told.location)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_GET = do_PUT = do_POST  # noqa: N815 - the library's names

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def silent_server(trickle: bytes = b"") -> Iterator[int]:
    """Take connections and never answer, or a byte every 50 ms; yield the port."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.05)
    over = threading.Event()
    taken: list[socket.socket] = []

    def serve() -> None:
        while not over.is_set():
            with suppress(TimeoutError):
                taken.append(listening.accept()[0])
            for connection in taken if trickle else ():
                with suppress(OSError):
                    connection.sendall(trickle)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        over.set()
        thread.join(WAIT_S)
        for connection in (*taken, listening):
            connection.close()
