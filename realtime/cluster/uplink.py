"""An edge's connection to its pool: says hello, answers questions for the time, sends samples.

One thread steps it. A pool that is not there, or that does not ask for four seconds, gets another
hello; meanwhile nothing is sent and nothing piles up: libzmq keeps eight messages, the kernel a
quarter of a megabyte, and the rest waits in the rings, where the newest wins.
"""

from __future__ import annotations

import logging
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import zmq

from realtime.buffers.signal import DataSignal
from realtime.clock import NS_PER_MS, NS_PER_S, Clock
from realtime.cluster.endpoint import check_endpoint
from realtime.cluster.protocol import (
    Answer,
    Ask,
    Bye,
    Hello,
    Refused,
    Welcome,
    Who,
    from_pool,
)
from realtime.errors import UsageError
from realtime.outputs.socket.bell import Bell
from realtime.outputs.socket.curve_files import read_client_keys
from weights.printable import clean

if TYPE_CHECKING:
    from realtime.cluster.grid_timeline import GridTimeline
    from realtime.cluster.outlet import Outlet

logger = logging.getLogger(__name__)

SILENT_NS = 4 * NS_PER_S  # a pool asks twice a second, also while it loads its networks
HELLO_NS = NS_PER_S // 2
MAX_WAIT_MS = 100
SEND_HWM, RECEIVE_HWM = 8, 16
SEND_BYTES = 256 << 10
MAX_BYTES = 1024  # of what a pool says
_RECONNECT_MS, _RECONNECT_MAX_MS, _CONNECT_MS = 100, 1000, 2000
_HEARTBEAT_MS, _HEARTBEAT_TIMEOUT_MS = 1000, 3000
_MAX_BATCH = 32
_BYE_MS = 300


class RingingSignal(DataSignal):
    """Rings a bell too, so that a poll wakes when a ring has something new."""

    def __init__(self, bell: Bell) -> None:
        super().__init__()
        self._bell = bell

    def notify(self) -> None:
        """Say that something is new."""
        super().notify()
        self._bell.ring()


class Uplink:
    """One edge's connection; for one thread.

    Args:
        endpoint: The pool's, `tcp://HOST:PORT`.
        name: The stream's.
        picture: Whether there will be pictures.
        sound: Whether there will be sound.
        curve: Folder of this edge's keys; None for a pool on loopback.
        clock: This machine's.

    Attributes:
        welcome: The pictures that the pool wants; None until it is known.
        wanted: Whether it wants samples now.
        refused: Why it does not let this edge in; "" where it does.
        news: Where the rings say that something is new.

    Raises:
        UsageError: The endpoint is wrong, or the keys cannot be used.
    """

    def __init__(
        self,
        endpoint: str,
        name: str,
        *,
        picture: bool,
        sound: bool,
        curve: Path | None,
        clock: Clock,
    ) -> None:
        check_endpoint(endpoint, "--to")
        keys = None if curve is None else read_client_keys(curve)
        self.welcome: Welcome | None = None
        self.wanted = False
        self._endpoint = endpoint
        self._clock = clock
        session = secrets.randbits(64)
        self._hello = Hello(name=name, session=session, picture=picture, sound=sound)
        self._hello_due_ns = clock.now_ns()
        self._asked_ns: int | None = None
        self.refused = ""
        self._outlet: Outlet | None = None
        self._timeline: GridTimeline | None = None
        self._bell = Bell()
        self.news: DataSignal = RingingSignal(self._bell)
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
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
            self._socket.setsockopt(option, value)
        if keys is not None:
            self._socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public)
            self._socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)
            self._socket.setsockopt(zmq.CURVE_SERVERKEY, keys.server)
        try:
            self._socket.connect(endpoint)
        except zmq.ZMQError as error:
            self.close()
            raise UsageError(f"cannot connect to {endpoint} ({error.strerror})") from error
        self._poller = zmq.Poller()
        self._poller.register(self._socket, zmq.POLLIN)
        self._poller.register(self._bell.fileno(), zmq.POLLIN)

    def serve(self, outlet: Outlet | None, timeline: GridTimeline | None) -> None:
        """Send what an outlet has from now on; its grid is kept on the pool's."""
        self._outlet, self._timeline = outlet, timeline

    def step(self) -> None:
        """Wait for a question or for something to send, at most 0.1 s."""
        now_ns = self._clock.now_ns()
        self._look_for_pool(now_ns)
        until_hello_ms = -((now_ns - self._hello_due_ns) // NS_PER_MS)
        ready = dict(self._poller.poll(max(1, min(MAX_WAIT_MS, until_hello_ms))))
        if self._bell.fileno() in ready:
            self._bell.silence()
        for _ in range(_MAX_BATCH):
            if not self._socket.poll(0):
                break
            self._hear(self._socket.recv_multipart(zmq.NOBLOCK), self._clock.now_ns())
        if self._outlet is None:
            return
        if self.wanted:
            self._outlet.send(self._send, self._has_room)
        else:
            self._outlet.pass_over()

    def close(self) -> None:
        """Say goodbye and hang up. May be called again."""
        if not self._socket.closed:
            if self.welcome is not None and self._has_room():
                self._send(Bye().pack())
            self._socket.close(linger=_BYE_MS)
        self._context.term()
        self._bell.close()

    def _look_for_pool(self, now_ns: int) -> None:
        if self._asked_ns is not None and now_ns - self._asked_ns >= SILENT_NS:
            logger.warning("the pool at %s is silent; it is looked for", self._endpoint)
            self._asked_ns, self.wanted = None, False
        if self._asked_ns is not None:
            self._hello_due_ns = now_ns + HELLO_NS
        elif now_ns >= self._hello_due_ns:
            self._hello_due_ns = now_ns + HELLO_NS
            if self._has_room():
                self._send(self._hello.pack())

    def _hear(self, frames: list[bytes], now_ns: int) -> None:
        try:
            if len(frames) != 1:
                raise ValueError("a message has one frame")
            message = from_pool(frames[0])
        except ValueError as error:
            logger.debug("a broken message of the pool was passed over: %s", error)
            return
        if isinstance(message, Ask):
            if self._has_room():
                sent_ns = self._clock.now_ns()
                answer = Answer(nonce=message.nonce, received_ns=now_ns, sent_ns=sent_ns)
                self._send(answer.pack())
            if self._asked_ns is None:
                logger.info("the pool at %s is there", self._endpoint)
            self._asked_ns, self.wanted = now_ns, message.wanted
            is_begun = self._timeline is not None and self._timeline.epoch_ns is not None
            if is_begun and self._timeline is not None and message.t_ns >= 0:
                self._timeline.follow(message.edge_ns, message.t_ns, message.drift)
        elif isinstance(message, Welcome):
            self.welcome, self.refused = message, ""
        elif isinstance(message, Refused):
            if message.reason != self.refused:
                self.refused = message.reason
                logger.warning("the pool at %s: %s", self._endpoint, clean(message.reason))
        elif isinstance(message, Who):
            self._asked_ns, self.wanted, self._hello_due_ns = None, False, now_ns

    def _has_room(self) -> bool:
        return bool(self._socket.poll(0, zmq.POLLOUT))

    def _send(self, message: bytes) -> None:
        self._socket.send(message, zmq.NOBLOCK)
