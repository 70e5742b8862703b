"""One connection of an edge: a DEALER that keeps little and gives a silent network up soon."""

from __future__ import annotations

import zmq

from realtime.errors import UsageError
from realtime.outputs.socket.curve_files import ClientKeys

SEND_HWM, RECEIVE_HWM = 8, 16
SEND_BYTES = 256 << 10
MAX_BYTES = 1024  # of what a pool says
_RECONNECT_MS, _RECONNECT_MAX_MS, _CONNECT_MS = 100, 1000, 2000
_HEARTBEAT_MS, _HEARTBEAT_TIMEOUT_MS = 1000, 3000


class Line:
    """A connection to a pool's endpoint, made again by itself; for one thread.

    Args:
        context: ZeroMQ's.
        endpoint: `tcp://HOST:PORT`.
        keys: The edge's; None for a pool on loopback.

    Raises:
        UsageError: The endpoint cannot be used.
    """

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], endpoint: str, keys: ClientKeys | None
    ) -> None:
        self.endpoint = endpoint
        self.socket = context.socket(zmq.DEALER)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.SNDHWM, SEND_HWM),
            (zmq.RCVHWM, RECEIVE_HWM),
            (zmq.SNDBUF, SEND_BYTES),
            (zmq.IMMEDIATE, 1),
            (zmq.MAXMSGSIZE, MAX_BYTES),
            (zmq.RECONNECT_IVL, _RECONNECT_MS),
            (zmq.RECONNECT_IVL_MAX, _RECONNECT_MAX_MS),
            (zmq.CONNECT_TIMEOUT, _CONNECT_MS),
            (zmq.HEARTBEAT_IVL, _HEARTBEAT_MS),
            (zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS),
            (zmq.IPV6, int(endpoint.startswith("tcp://["))),
        ):
            self.socket.setsockopt(option, value)
        if keys is not None:
            self.socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public)
            self.socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)
            self.socket.setsockopt(zmq.CURVE_SERVERKEY, keys.server)
        try:
            self.socket.connect(endpoint)
        except zmq.ZMQError as error:
            self.socket.close(linger=0)
            raise UsageError(f"cannot connect to {endpoint} ({error.strerror})") from error

    def has_room(self) -> bool:
        """Whether a message may go now."""
        return bool(self.socket.poll(0, zmq.POLLOUT))

    def send(self, message: bytes) -> None:
        """Send a message; only where there is room."""
        self.socket.send(message, zmq.NOBLOCK)

    def receive(self, n_most: int) -> list[list[bytes]]:
        """Return what came, at most so many messages; never waits."""
        messages: list[list[bytes]] = []
        while len(messages) < n_most and self.socket.poll(0):
            messages.append(self.socket.recv_multipart(zmq.NOBLOCK))
        return messages

    def close(self, linger_ms: int = 0) -> None:
        """Hang up."""
        self.socket.close(linger=linger_ms)
