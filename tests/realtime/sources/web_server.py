"""Servers on loopback that hand a file out as real ones do: in parts, whole, without a length."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

PIECE = 4096


class _Handler(BaseHTTPRequestHandler):
    """`/parts/NAME` with ranges, `/whole/NAME` without, `/chunks/NAME` without a length too;
    `/live/NAME` in real time without a length, for as long as its server's `cut_s`.
    """

    protocol_version = "HTTP/1.1"
    server: WebServer

    def do_GET(self) -> None:
        _, mode, name = self.path.split("/", 2)
        path = self.server.folder / name
        if not path.is_file():
            self.send_error(404)
            return
        self.server.requests.append(self.path)
        try:
            getattr(self, f"_send_{mode}")(path.read_bytes())
        except OSError:  # the reader hung up
            self.close_connection = True

    def _send_parts(self, data: bytes) -> None:
        asked = re.match(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
        first = int(asked[1]) if asked else 0
        last = int(asked[2]) if asked and asked[2] else len(data) - 1
        self.send_response(206 if asked else 200)
        self.send_header("Accept-Ranges", "bytes")
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("Content-Length", str(max(0, last - first + 1)))
        self.end_headers()
        self.wfile.write(data[first : last + 1])

    def _send_whole(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _send_chunks(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def _send_live(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        began, rate = time.monotonic(), len(data) / self.server.live_s
        piece = max(256, int(rate / 20))
        for start in range(0, len(data), piece):
            self.wfile.write(data[start : start + piece])
            ahead = start / rate - (time.monotonic() - began)
            if self.server.hang_up.wait(max(0.0, ahead)):
                return
            if time.monotonic() - began > self.server.cut_s:
                return

    def log_message(self, *args: object) -> None:
        pass


class WebServer(ThreadingHTTPServer):
    """Serves the files of a folder.

    Attributes:
        live_s: How long a file plays that is sent in real time.
        cut_s: After so much of it the server hangs up.
        requests: The paths that were asked for.
        hang_up: Ends all that is sent in real time.
    """

    daemon_threads = True
    block_on_close = False

    allow_reuse_address = True

    def __init__(self, folder: Path, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.folder = folder
        self.live_s, self.cut_s = 10.0, 1e9
        self.requests: list[str] = []
        self.hang_up = threading.Event()

    def url(self, mode: str, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{mode}/{name}"

    def handle_error(self, *args: Any) -> None:  # a reader that hangs up is no error
        pass


@contextmanager
def serving(folder: Path, port: int = 0) -> Iterator[WebServer]:
    """A running server, gone afterwards."""
    server = WebServer(folder, port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.hang_up.set()
        server.shutdown()
        server.server_close()


@contextmanager
def mute_port() -> Iterator[int]:
    """A port whose listener takes every call and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield int(listener.getsockname()[1])
