"""How much came over a connection that libzmq made, and how to end it. No ZeroMQ here.

libzmq bounds a frame (`ZMQ_MAXMSGSIZE`), not a message of many frames (4.3.5: `pipe.cpp` counts
whole messages only), and has no word for "hang up on this one". Its monitor tells each connection's
file descriptor, though, and Linux counts what came over TCP: TCP_INFO's `tcpi_bytes_received`.
After a `shutdown` libzmq sees the end of the stream, closes its side and frees what it had kept of
an unfinished message.

A descriptor may have been closed and given to somebody else by the time its number is read here: it
is duplicated first, so that it stays what it is, and used only if it belongs to the endpoint.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_INFO_BYTES = 136
_RECEIVED_OFFSET = 128  # of tcpi_bytes_received in struct tcp_info (linux/tcp.h, since 4.1)
_RECEIVED = "=Q"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connections:
    """All connections of one endpoint, each by its descriptor; any thread.

    Attributes:
        endpoint: What was connected to, `tcp://HOST:PORT`; of others nothing is known.
    """

    endpoint: str

    def received(self, descriptor: int) -> int | None:
        """Return how many bytes came so far; None where nobody counts, or it has ended."""
        with self._open(descriptor) as connection:
            if connection is None:
                return None
            try:
                info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
            except (AttributeError, OSError):  # not Linux
                return None
        if len(info) < _INFO_BYTES:
            return None
        return int(struct.unpack_from(_RECEIVED, info, _RECEIVED_OFFSET)[0])

    def hang_up(self, descriptor: int) -> bool:
        """End a connection; return whether it was one."""
        with self._open(descriptor) as connection:
            if connection is None:
                return False
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:  # the other side was faster
                return False
        return True

    @contextmanager
    def _open(self, descriptor: int) -> Iterator[socket.socket | None]:
        try:
            connection = socket.socket(fileno=os.dup(descriptor))
        except OSError:  # closed, or no socket
            yield None
            return
        with connection:
            yield connection if self._is_ours(connection) else None

    def _is_ours(self, connection: socket.socket) -> bool:
        if connection.family not in (socket.AF_INET, socket.AF_INET6):
            return False
        try:
            peer = connection.getpeername()
        except OSError:  # it has ended just now
            return False
        return str(peer[1]) == self.endpoint.rpartition(":")[2]
