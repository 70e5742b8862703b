"""How much a publisher sent since its last whole message, and hanging up on one without end.

libzmq bounds a frame and how many whole messages wait; of a message of frames without end it keeps
all (`connections` says where). Bytes are counted on Linux and TCP, whenever `is_too_much` is asked:
what comes in between is kept.
"""

from __future__ import annotations

import struct

import zmq

from realtime.outputs.socket.connections import Connections

_EVENTS = zmq.EVENT_CONNECTED | zmq.EVENT_DISCONNECTED
_EVENT = "=hi"  # zmq_socket_monitor: 16-bit event, 32-bit value (the connection's descriptor)
MAX_NEWS = 100


class Unread:
    """Follows the connection of a socket that connects once; for the socket's thread.

    Args:
        socket: Not connected yet.
        endpoint: Where it will connect to.
        most: Bytes without a whole message that are too much.
    """

    def __init__(self, socket: zmq.Socket[bytes], endpoint: str, most: int) -> None:
        self._connections = Connections(endpoint=endpoint)
        self._monitor = socket.get_monitor_socket(_EVENTS)
        self._socket = socket
        self._most = most
        self._descriptor: int | None = None
        self._n_before = 0  # bytes that had come when the last message was taken

    def taken(self) -> None:
        """Take note that a whole message was taken."""
        self._n_before = self._received() or 0

    def is_too_much(self) -> bool:
        """Return whether more came than a message has; then the connection was ended."""
        self._follow()
        n_bytes = self._received()
        if n_bytes is None or n_bytes - self._n_before <= self._most:
            return False
        descriptor, self._descriptor = self._descriptor, None
        return descriptor is not None and self._connections.hang_up(descriptor)

    def close(self) -> None:
        """End the monitor; before the socket is closed."""
        self._socket.disable_monitor()
        self._monitor.close(linger=0)

    def _received(self) -> int | None:
        return None if self._descriptor is None else self._connections.received(self._descriptor)

    def _follow(self) -> None:
        for _ in range(MAX_NEWS):
            if not self._monitor.poll(0):
                return
            event, value = struct.unpack(_EVENT, self._monitor.recv_multipart(zmq.NOBLOCK)[0])
            self._descriptor = value if event == zmq.EVENT_CONNECTED else None
            self._n_before = 0
