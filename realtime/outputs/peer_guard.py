"""Ends connections that send a publisher more than any subscriber has to say.

A subscriber sends some hundred bytes in its life: a handshake and topics. One that means harm sends
a message without end, ever new topics, or a million small requests. libzmq takes all of it inside
whatever call the publishing thread is in: without this, ten seconds of one local connection cost
gigabytes, and nobody else got a message (`tests/realtime/outputs/test_hostile_subscriber.py`). So
this has a thread of its own. It asks the kernel what came over each connection (`connections`) and
hangs up. Who was hung up on may come back: a client of ZeroMQ does so by itself, and gets the last
state again.

Bytes are counted on Linux and TCP. An `ipc://` endpoint has no such figure; its file's mode says
who may connect. The number of connections is bounded on both.
"""

from __future__ import annotations

import logging
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import zmq

from realtime.clock import NS_PER_MS, NS_PER_S, Clock
from realtime.outputs.connections import Connections
from realtime.worker import Worker

logger = logging.getLogger(__name__)

EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED
MAX_CONNECTIONS = 128
BURST_BYTES = 16 << 10  # hundreds of topics; CURVE's handshake is below 1 kB
LEAST_BURST_BYTES = 2 << 10  # of who comes while others have to be hung up on
REFILL_BYTES_S = 64  # a client's own heartbeats, once a second, encrypted
LIFETIME_BYTES = 2 << 20
TOPIC_BYTES = 16 << 10  # libzmq keeps some 50 bytes for each
LOOK_NS = 20 * NS_PER_MS  # a flood has this time before it is seen,
QUICK_LOOK_NS = 2 * NS_PER_MS  # and this while somebody floods
IDLE_MS = 500
REST = 10  # looking takes at most one part in so many of a core
CALM_NS = 5 * NS_PER_S  # without a hang-up; until then
ADMIT_NS = NS_PER_S // 10  # one newcomer in this time is let in
TELL_NS = 60 * NS_PER_S
MAX_NEWS = 1000  # a step, so that a flood of connections does not keep it from looking
_EVENT = "=hi"  # zmq_socket_monitor: 16-bit event, 32-bit value (the connection's descriptor)


def allowance(age_ns: int, burst: int = BURST_BYTES) -> int:
    """Return how many bytes a connection of this age may have sent, `burst` of them at once."""
    return min(burst + REFILL_BYTES_S * (age_ns // NS_PER_S), LIFETIME_BYTES)


@dataclass(slots=True, kw_only=True)
class _Peer:
    """A connection that libzmq holds."""

    accepted_ns: int
    burst: int
    topics: set[bytes] = field(default_factory=set)
    is_ended: bool = False  # we hung up; libzmq has yet to close its side

    def n_topic_bytes(self) -> int:
        return sum(map(len, self.topics))


class PeerGuard:
    """Watches the connections of a bound socket, in a thread of its own.

    The socket's thread calls `watch` once the socket is bound, `note` for each request that came,
    and `close` at the end, after it disabled the monitor. From `watch` on the monitor is the
    guard's. `n_connections` is anybody's.

    Args:
        monitor: The socket's monitor, for `EVENTS`.
        on_end: Called in either thread for each connection that was ended.
        clock: What ages are measured on.
    """

    def __init__(
        self, monitor: zmq.Socket[bytes], on_end: Callable[[], None], clock: Clock
    ) -> None:
        self._monitor = monitor
        self._on_end = on_end
        self._clock = clock
        self._connections: Connections | None = None
        self._lock = threading.Lock()
        self._peers: dict[int, _Peer] = {}  # by descriptor
        self._next_look_ns = 0
        self._ended_ns: int | None = None  # when we hung up last
        self._admitted_ns = 0
        self._told_ns: int | None = None
        self._worker = Worker("publish-guard", self.step, threading.Event())

    @property
    def n_connections(self) -> int:
        """How many are connected now (0 for `inproc`, which has no connections)."""
        with self._lock:
            return sum(not peer.is_ended for peer in self._peers.values())

    def watch(self, endpoint: str) -> None:
        """Begin; `endpoint` is the one in force."""
        self._connections = Connections(endpoint=endpoint, is_bound=True)
        self._worker.start()

    def step(self) -> bool:
        """Wait for news, or until it is time to look; look.

        Returns:
            Whether the socket is still there.
        """
        wait_ms = IDLE_MS
        if self._peers:
            wait_ms = max(0, -((self._clock.now_ns() - self._next_look_ns) // NS_PER_MS))
        if self._monitor.poll(wait_ms) and not self._take_news():
            return False
        began_ns = self._clock.now_ns()
        if began_ns >= self._next_look_ns:
            self._look(began_ns)
            ended_ns = self._clock.now_ns()
            least_ns = LOOK_NS if self._is_calm(ended_ns) else QUICK_LOOK_NS
            self._next_look_ns = ended_ns + max(least_ns, REST * (ended_ns - began_ns))
        return True

    def note(self, descriptor: int, topic: bytes, *, is_wanted: bool) -> None:
        """Take note of a subscription (or its end) that came over a connection."""
        with self._lock:
            peer = self._peers.get(descriptor)
            if peer is None:
                return
            if not is_wanted:
                peer.topics.discard(topic)
                return
            peer.topics.add(topic)
            is_too_much = peer.n_topic_bytes() > TOPIC_BYTES
        if is_too_much:
            self._end(descriptor, f"it subscribed to more than {TOPIC_BYTES:,} bytes of topics")

    def close(self) -> None:
        """Wait for the thread, which ends once the monitor is disabled; close the monitor."""
        self._worker.join(2 * IDLE_MS / 1000)
        self._monitor.close(linger=0)
        with self._lock:
            self._peers.clear()

    def _take_news(self) -> bool:
        """Follow who comes and goes; return False once the socket's monitor has ended."""
        for _ in range(MAX_NEWS):
            if not self._monitor.poll(0):
                break
            event, value = struct.unpack(_EVENT, self._monitor.recv_multipart(zmq.NOBLOCK)[0])
            if event == zmq.EVENT_MONITOR_STOPPED:
                return False
            with self._lock:
                self._peers.pop(value, None)
            if event == zmq.EVENT_ACCEPTED:
                self._admit(value)
        return True

    def _admit(self, descriptor: int) -> None:
        now_ns = self._clock.now_ns()
        is_calm = self._is_calm(now_ns)
        burst = BURST_BYTES if is_calm else LEAST_BURST_BYTES
        with self._lock:
            self._peers[descriptor] = _Peer(accepted_ns=now_ns, burst=burst)
        if self.n_connections > MAX_CONNECTIONS:
            self._end(descriptor, f"{MAX_CONNECTIONS} are connected, which is the most")
        elif not is_calm and now_ns - self._admitted_ns < ADMIT_NS:
            self._end(descriptor, "others came just before it, some of which send too much")
        else:
            self._admitted_ns = now_ns

    def _is_calm(self, now_ns: int) -> bool:
        return self._ended_ns is None or now_ns - self._ended_ns >= CALM_NS

    def _look(self, now_ns: int) -> None:
        with self._lock:
            peers = [(key, peer) for key, peer in self._peers.items() if not peer.is_ended]
        for descriptor, peer in peers:
            n_bytes = None
            if self._connections is not None:
                n_bytes = self._connections.received(descriptor)
            if n_bytes is not None and n_bytes > allowance(now_ns - peer.accepted_ns, peer.burst):
                self._end(descriptor, f"it sent {n_bytes:,} bytes, and topics are all it may send")
                self._ended_ns = now_ns

    def _end(self, descriptor: int, why: str) -> None:
        if self._connections is None or not self._connections.hang_up(descriptor):
            return
        now_ns = self._clock.now_ns()
        with self._lock:
            peer = self._peers.get(descriptor)
            if peer is not None:
                peer.is_ended = True
            is_told = self._told_ns is not None and now_ns - self._told_ns < TELL_NS
            if not is_told:
                self._told_ns = now_ns
        self._on_end()
        if not is_told:
            logger.warning("a subscriber was hung up on: %s (more are only counted)", why)
