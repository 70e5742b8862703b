"""An RTSP camera without a picture: G.711 sound over RTP, over UDP only if told so.

Enough of RFC 2326 for one client after the other; no password.
"""

from __future__ import annotations

import re
import socket
import socketserver
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SDP = (
    "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=cam\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 0 RTP/AVP 0\r\na=control:track1\r\n"
)
PACKET_S = 0.02
PACKET_SAMPLES = 160  # at 8 kHz
MU_LAW_TONE = bytes(0x80 if k % 16 < 8 else 0x00 for k in range(PACKET_SAMPLES))  # 500 Hz, loud


class _Handler(socketserver.StreamRequestHandler):
    server: RtspServer

    def handle(self) -> None:
        stop = threading.Event()
        try:
            while self._answer(stop):
                pass
        except OSError:  # the reader hung up
            pass
        finally:
            stop.set()

    def _answer(self, stop: threading.Event) -> bool:
        lines: list[str] = []
        while (line := self.rfile.readline().decode()) not in ("\r\n", ""):
            lines.append(line.strip())
        if not lines:
            return False
        method = lines[0].split()[0]
        fields = {k.lower(): v for k, v in (x.split(": ", 1) for x in lines[1:] if ": " in x)}
        code, extra, body = "200 OK", "Session: 1\r\n", ""
        transport = fields.get("transport", "")
        if method == "OPTIONS":
            extra = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
        elif method == "DESCRIBE":
            body = SDP
            extra = f"Content-Type: application/sdp\r\nContent-Length: {len(SDP)}\r\n"
        elif method == "SETUP":
            self.server.setups.append(transport)
            if "TCP" in transport:
                code, extra = self.server.answer_to_tcp, ""
            ports = re.search(r"client_port=(\d+)", transport)
            self.client_port = int(ports[1]) if ports else None
            extra += f"Transport: {transport};server_port=50000-50001\r\n"
        head = f"RTSP/1.0 {code}\r\nCSeq: {fields.get('cseq', '0')}\r\n{extra}\r\n"
        self.wfile.write((head + body).encode())
        if method == "PLAY" and self.client_port is not None:
            threading.Thread(target=self._send, args=(self.client_port, stop), daemon=True).start()
        return method != "TEARDOWN"

    def _send(self, port: int, stop: threading.Event) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            number = 0
            while not stop.wait(PACKET_S):
                head = struct.pack(">BBHII", 0x80, 0, number & 0xFFFF, number * PACKET_SAMPLES, 7)
                out.sendto(head + MU_LAW_TONE, ("127.0.0.1", port))
                number += 1


class RtspServer(socketserver.ThreadingTCPServer):
    """Listens on a free port of loopback.

    Attributes:
        setups: The transports that were asked for.
        answer_to_tcp: What TCP is refused with.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, answer_to_tcp: str = "461 Unsupported transport") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.setups: list[str] = []
        self.answer_to_tcp = answer_to_tcp

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.server_address[1]}/camera"

    def handle_error(self, *args: Any) -> None:
        pass


@contextmanager
def rtsp_server(answer_to_tcp: str = "461 Unsupported transport") -> Iterator[RtspServer]:
    """A running server, gone afterwards."""
    server = RtspServer(answer_to_tcp)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
