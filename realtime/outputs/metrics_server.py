"""The HTTP server of the figures' page: few are answered at once, and nobody is waited for long.

prometheus-client's own takes a thread and a descriptor for each connection for as long as it lasts:
a thousand of them, idle, left none to open a recording with. It knows no figures and no Prometheus.
"""

from __future__ import annotations

import logging
import socket
import socketserver
import threading
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

if TYPE_CHECKING:
    from wsgiref.types import WSGIApplication

logger = logging.getLogger(__name__)

MAX_AT_ONCE = 16  # a scrape takes milliseconds; who comes when all are busy is hung up on
SILENT_S = 5.0  # who says or takes nothing for so long is hung up on


class _Handler(WSGIRequestHandler):
    timeout = SILENT_S

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: whoever asks is no event."""


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, host: str, port: int) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family = found[0][0]
        self._free = threading.BoundedSemaphore(MAX_AT_ONCE)
        super().__init__((host, port), _Handler)

    def server_bind(self) -> None:
        """Bind; unlike `HTTPServer` it asks no name server what the address is called."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread, or not at all."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be made
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer one; its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say little: most of it is somebody who went before the answer came."""
        logger.debug("a request for figures was not answered", exc_info=True)


def serve(app: WSGIApplication, host: str, port: int) -> tuple[WSGIServer, threading.Thread]:
    """Answer requests in threads until the server's `shutdown`; raises OSError.

    Args:
        app: Answers one.
        host: An address of this machine.
        port: 0 picks a free one.
    """
    server = _Server(host, port)
    server.set_app(app)
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    return server, thread
