"""What a connection to the hub may cost: bytes and messages a second; who exceeds it is hung up on.

libzmq bounds a frame, and how many whole messages wait. It bounds neither a message of frames
without end (`realtime.outputs.socket.connections`) nor how fast small ones come. So each connection
has an allowance of both. Bytes are counted on Linux.
"""

from __future__ import annotations

import logging
import socket
import struct

import zmq

from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.outputs.socket.allowance import Allowance
from realtime.outputs.socket.connections import Connections

logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 256
MESSAGES_AT_ONCE, MESSAGES_PER_S = 800, 200  # an edge sends some 45 a second, a window at once
BYTES_AT_ONCE, BYTES_PER_S = 8 << 20, 4 << 20  # raw pictures are 2.4 MB a second
LOOK_NS = 100 * NS_PER_MS
TELL_NS = 60 * NS_PER_S
_EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED
_EVENT = "=hi"  # zmq_socket_monitor: 16-bit event, 32-bit value (the connection's descriptor)
_MAX_NEWS = 1000


class _Accepted(Connections):
    """Connections that came to an endpoint."""

    __slots__ = ()

    def _is_ours(self, connection: socket.socket) -> bool:
        if connection.family not in (socket.AF_INET, socket.AF_INET6):
            return False
        try:
            own = connection.getsockname()
        except OSError:
            return False
        return str(own[1]) == self.endpoint.rpartition(":")[2]


class _Peer:
    def __init__(self, now_ns: int) -> None:
        self.messages = Allowance(MESSAGES_AT_ONCE, MESSAGES_PER_S, now_ns)
        self.bytes = Allowance(BYTES_AT_ONCE, BYTES_PER_S, now_ns)
        self.n_bytes = 0
        self.is_over = False  # hung up on; the rest of what it sent is passed over


class Guard:
    """Follows the connections of a ROUTER; for its thread.

    Args:
        router: Not bound yet.

    Attributes:
        n_hung_up: Connections that were ended.
    """

    def __init__(self, router: zmq.Socket[bytes]) -> None:
        self.n_hung_up = 0
        self._router = router
        self._monitor = router.get_monitor_socket(_EVENTS)
        self._connections: Connections = _Accepted(endpoint="")
        self._peers: dict[int, _Peer] = {}
        self._look_due_ns = 0
        self._told_ns: int | None = None

    def bound(self, endpoint: str) -> None:
        """Say where it was bound, with its port."""
        self._connections = _Accepted(endpoint=endpoint)

    def look(self, now_ns: int) -> None:
        """See who came and went, and how many bytes each sent."""
        for _ in range(_MAX_NEWS):
            if not self._monitor.poll(0):
                break
            event, value = struct.unpack(_EVENT, self._monitor.recv_multipart(zmq.NOBLOCK)[0])
            self._peers.pop(value, None)
            if event == zmq.EVENT_ACCEPTED:
                self._peers[value] = _Peer(now_ns)
                if len(self._peers) > MAX_CONNECTIONS:
                    self.hang_up(value, now_ns, "too many are connected")
        if now_ns < self._look_due_ns:
            return
        self._look_due_ns = now_ns + LOOK_NS
        for descriptor, peer in list(self._peers.items()):
            n_bytes = self._connections.received(descriptor)
            if n_bytes is None or peer.is_over:
                continue
            n_new, peer.n_bytes = max(0, n_bytes - peer.n_bytes), n_bytes
            left = peer.bytes.left(now_ns)
            peer.bytes.take(n_new)
            if n_new > left:
                self.hang_up(descriptor, now_ns, "it sends more bytes than an edge does")

    def admits(self, descriptor: int, now_ns: int) -> bool:
        """Count a message of a connection; return whether it may be looked at."""
        peer = self._peers.setdefault(descriptor, _Peer(now_ns))
        if peer.is_over:
            return False
        if peer.messages.left(now_ns) < 1:
            self.hang_up(descriptor, now_ns, "it sends more messages than an edge does")
            return False
        peer.messages.take(1)
        return True

    def hang_up(self, descriptor: int, now_ns: int, why: str) -> None:
        """End a connection."""
        peer = self._peers.setdefault(descriptor, _Peer(now_ns))
        peer.is_over = True
        self.n_hung_up += 1
        self._connections.hang_up(descriptor)
        if self._told_ns is None or now_ns - self._told_ns >= TELL_NS:
            self._told_ns = now_ns
            logger.warning(
                "an edge was hung up on: %s (more within a minute are only counted)", why
            )

    def close(self) -> None:
        """End the monitor; before the socket is closed."""
        self._router.disable_monitor()
        self._monitor.close(linger=0)
