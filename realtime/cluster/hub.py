"""The pool's door to its edges: one socket, one thread, a `Link` for each stream that is expected.

Place in the flow: edges → here → the links' queues → `realtime.cluster.edge_reader`, in each
stream's capture thread, where pictures are decoded. What came is only measured here, so that no
edge costs another one time. Whoever sends what no edge would send is hung up on
(`realtime.cluster.guard`). With CURVE an edge speaks for the stream that its key is named after,
and for no other.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import zmq

from realtime.clock import NS_PER_MS, Clock
from realtime.cluster.endpoint import DEFAULT_ENDPOINT, check_endpoint, is_here
from realtime.cluster.guard import Guard
from realtime.cluster.link import Link
from realtime.cluster.protocol import (
    Answer,
    Bye,
    FromEdge,
    Hello,
    Refused,
    Welcome,
    Who,
    from_edge,
    max_bytes,
)
from realtime.errors import OutputError, UsageError
from realtime.outputs.socket.allowed_clients import AllowedClients
from realtime.outputs.socket.binding import bindable
from realtime.outputs.socket.curve_files import CLIENTS_FOLDER, read_server_keys
from realtime.outputs.socket.zap import Doorkeeper
from realtime.threads.worker import Worker

logger = logging.getLogger(__name__)

MAX_WAIT_MS = 100
MAX_BATCH = 64  # messages between two looks at everything else
RECEIVE_HWM, SEND_HWM = 16, 16  # messages of one connection
HEARTBEAT_MS, HEARTBEAT_TIMEOUT_MS = 1000, 3000  # a cut network shows within three seconds
HANDSHAKE_MS = 3000
RECEIVE_BYTES = 256 << 10  # of the kernel: what is older than this is no use to anybody


class Hub:
    """Receives what edges send; `open`, `link` and `close` are the main thread's.

    Args:
        endpoint: `tcp://HOST:PORT`; the port `*` is a free one.
        curve: Folder of the pool's keys; None only on loopback.
        clock: The run's clock, on which all is dated.
    """

    def __init__(self, endpoint: str, curve: Path | None, clock: Clock) -> None:
        check_endpoint(endpoint, "--bind")
        if curve is None and not is_here(endpoint):
            raise UsageError(
                f"{endpoint} can be reached from other machines, and pictures and sound would not "
                f"be encrypted; give --curve DIR, or bind to loopback, such as {DEFAULT_ENDPOINT}"
            )
        self._asked_endpoint = endpoint
        self._keys = None if curve is None else read_server_keys(curve)
        self._curve = curve
        self._clock = clock
        self._links: dict[str, Link] = {}
        self._by_peer: dict[bytes, Link] = {}
        self._welcome: Welcome | None = None
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._router: zmq.Socket[bytes] | None = None
        self._guard: Guard | None = None
        self._doorkeeper: Doorkeeper | None = None
        self._stop = threading.Event()
        self._worker = Worker("edge-hub", self.step, self._stop, lambda _: self._close_sockets())
        self.endpoint = endpoint
        self.n_malformed = 0

    def open(self, welcome: Welcome) -> None:
        """Bind.

        Args:
            welcome: The pictures that the edges are asked for.

        Raises:
            OutputError: The endpoint is taken or cannot be used.
        """
        self._welcome = welcome
        self._context = zmq.Context()
        router = self._router = self._context.socket(zmq.ROUTER)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.RCVHWM, RECEIVE_HWM),
            (zmq.SNDHWM, SEND_HWM),
            (zmq.RCVBUF, RECEIVE_BYTES),
            (zmq.MAXMSGSIZE, max_bytes(welcome.size)),
            (zmq.HANDSHAKE_IVL, HANDSHAKE_MS),
            (zmq.HEARTBEAT_IVL, HEARTBEAT_MS),
            (zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS),
            (zmq.IPV6, int(self._asked_endpoint.startswith("tcp://["))),
        ):
            router.setsockopt(option, value)
        self._guard = Guard(router)
        try:
            if self._keys is not None and self._curve is not None:
                clients = AllowedClients(self._curve / CLIENTS_FOLDER)
                self._doorkeeper = Doorkeeper(clients, self._context)
                self._doorkeeper.guard(router, self._keys)
            router.bind(bindable(self._asked_endpoint))
        except zmq.ZMQError as error:
            self._close_sockets()
            reason = "is taken by another program" if error.errno == zmq.EADDRINUSE else str(error)
            raise OutputError(
                f"edges cannot be let in at {self._asked_endpoint}: it {reason}; choose another "
                "address with --bind"
            ) from error
        self.endpoint = router.getsockopt_string(zmq.LAST_ENDPOINT)
        self._guard.bound(self.endpoint)

    def link(self, name: str) -> Link:
        """Return the link of a stream, which is expected from now on; any thread."""
        return self._links.setdefault(name, Link(name))

    def forget(self, name: str) -> None:
        """Expect a stream no more; its edge is told that it is not known. Any thread."""
        self._links.pop(name, None)

    def start(self) -> None:
        """Begin to let edges in."""
        self._worker.start()

    def close(self) -> None:
        """Hang up on all. May be called again."""
        self._stop.set()
        if not self._worker.join(1.0):
            logger.warning("ended without waiting for edge-hub")
            return
        self._close_sockets()

    @property
    def size(self) -> int:
        """The side of the pictures that edges are asked for; 1 before `open`."""
        return 1 if self._welcome is None else self._welcome.size

    @property
    def error(self) -> Exception | None:
        """What ended the thread before its time, a programmer's mistake."""
        return self._worker.error

    @property
    def n_hung_up(self) -> int:
        """How many connections were ended for what they sent."""
        return 0 if self._guard is None else self._guard.n_hung_up

    def now_ns(self) -> int:
        """Return the time on the pool's clock."""
        return self._clock.now_ns()

    def step(self) -> bool:
        """Wait for a message, at most 0.1 s; take what came and ask what is due."""
        router, guard = self._router, self._guard
        if router is None or guard is None:
            raise ValueError("open the hub first")
        self._answer_doorkeeper()
        router.poll(self._wait_ms())
        self._answer_doorkeeper()
        guard.look(self._clock.now_ns())
        for _ in range(MAX_BATCH):
            if not router.poll(0):
                break
            self._take(router, guard, router.recv_multipart(zmq.NOBLOCK, copy=False))
        now_ns = self._clock.now_ns()
        for link in list(self._links.values()):
            question = link.ask(now_ns)
            if question is not None and link.peer is not None:
                self._send(router, link.peer, question.pack())
        return True

    def _take(self, router: zmq.Socket[bytes], guard: Guard, frames: list[zmq.Frame]) -> None:
        now_ns = self._clock.now_ns()
        descriptor = int(frames[0].get(zmq.SRCFD))
        if not guard.admits(descriptor, now_ns):
            return
        peer = frames[0].bytes
        try:
            if len(frames) != 2:
                raise ValueError(f"a message has one frame, got {len(frames) - 1}")
            message = from_edge(frames[1].bytes, self.size)
        except ValueError as error:
            self.n_malformed += 1
            guard.hang_up(descriptor, now_ns, f"it is no edge: {error}")
            return
        if isinstance(message, Hello):
            user = None if self._keys is None else str(frames[1].get("User-Id"))
            self._send(router, peer, self._greet(message, peer, user, now_ns))
            return
        link = self._by_peer.get(peer)
        if link is None or link.peer != peer or self._links.get(link.name) is not link:
            self._by_peer.pop(peer, None)
            self._send(router, peer, Who().pack())
            return
        self._hand_over(link, message, now_ns)

    def _hand_over(self, link: Link, message: FromEdge, now_ns: int) -> None:
        if isinstance(message, Bye):
            link.forget()
            return
        link.hear(now_ns)
        if isinstance(message, Answer):
            link.answered(message, now_ns)
        else:
            link.put(message, now_ns)

    def _greet(self, hello: Hello, peer: bytes, user: str | None, now_ns: int) -> bytes:
        link = self._links.get(hello.name)
        reason: str | None
        if user is not None and user != hello.name:
            reason = f"this key is {user}'s, who may not send as {hello.name}; give --name {user}"
        elif link is None:
            known = ", ".join(sorted(self._links)) or "none"
            reason = f"no edge called {hello.name} is expected here; expected: {known}"
        else:
            reason = link.greet(hello, peer, now_ns)
        if reason is not None or link is None or self._welcome is None:
            return Refused(reason=reason or "").pack()
        self._by_peer = {
            known: other for known, other in self._by_peer.items() if other is not link
        }
        self._by_peer[peer] = link
        return self._welcome.pack()

    def _wait_ms(self) -> int:
        now_ns = self._clock.now_ns()
        due_ns = min((x.due_ns() for x in self._links.values() if x.is_heard(now_ns)), default=None)
        if due_ns is None:
            return MAX_WAIT_MS
        return max(0, min(MAX_WAIT_MS, -((now_ns - due_ns) // NS_PER_MS)))

    def _send(self, router: zmq.Socket[bytes], peer: bytes, message: bytes) -> None:
        try:
            router.send_multipart((peer, message), zmq.NOBLOCK)
        except zmq.ZMQError as error:  # it has gone
            logger.debug("an edge could not be told: %s", error)

    def _answer_doorkeeper(self) -> None:
        if self._doorkeeper is not None:
            self._doorkeeper.answer()

    def _close_sockets(self) -> None:
        if self._guard is not None:
            self._guard.close()
            self._guard = None
        if self._router is not None:
            self._router.close(linger=0)
            self._router = None
        if self._doorkeeper is not None:
            self._doorkeeper.close()
            self._doorkeeper = None
        if self._context is not None:
            self._context.term()
            self._context = None
