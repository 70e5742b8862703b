"""A pool's socket for its edges: who may come in, and what one connection may cost.

Both addresses that edges know are of this kind: where they ask for their place
(`realtime.cluster.ingest.directory`) and where they send (`realtime.cluster.ingest.hub`). With
CURVE an edge speaks for the stream that its key is named after, and for no other. Whoever sends
what no edge would send is hung up on (`realtime.cluster.ingest.guard`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import zmq

from realtime.clock import Clock
from realtime.cluster.ingest.guard import Guard
from realtime.cluster.wire.endpoint import DEFAULT_ENDPOINT, check_endpoint, is_here
from realtime.cluster.wire.protocol import FromEdge, from_edge
from realtime.errors import OutputError, UsageError
from realtime.outputs.socket.allowed_clients import AllowedClients
from realtime.outputs.socket.bell import Bell
from realtime.outputs.socket.binding import bindable
from realtime.outputs.socket.curve_files import CLIENTS_FOLDER, read_server_keys
from realtime.outputs.socket.zap import Doorkeeper

logger = logging.getLogger(__name__)

MAX_WAIT_MS = 100
MAX_BATCH = 64  # messages between two looks at everything else
HWM = 16  # messages of one connection, each way
HEARTBEAT_MS, HEARTBEAT_TIMEOUT_MS = 1000, 3000  # a cut network shows within three seconds
HANDSHAKE_MS = 3000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entry:
    """A message that came in.

    Attributes:
        peer: Where an answer goes.
        descriptor: The connection's, for `EdgeDoor.hang_up`.
        user: Whose key it came with; None without CURVE.
        message: What was said.
    """

    peer: bytes
    descriptor: int
    user: str | None
    message: FromEdge


class EdgeDoor:
    """A ROUTER that edges come to; all but the attributes is for one thread.

    Args:
        endpoint: `tcp://HOST:PORT`; the port `*` is a free one.
        curve: Folder of the pool's keys; None only on loopback.
        clock: Dates the connections' allowances.

    Attributes:
        endpoint: With its port, once it is open.
        n_malformed: Messages that no edge would send.

    Raises:
        UsageError: The endpoint can be reached from other machines, and there are no keys.
    """

    def __init__(self, endpoint: str, curve: Path | None, clock: Clock) -> None:
        check_endpoint(endpoint, "--bind")
        if curve is None and not is_here(endpoint):
            raise UsageError(
                f"{endpoint} can be reached from other machines, and pictures and sound would not "
                f"be encrypted; give --curve DIR, or bind to loopback, such as {DEFAULT_ENDPOINT}"
            )
        self._asked_endpoint = endpoint
        self._curve = curve
        self._keys = None if curve is None else read_server_keys(curve)
        self._clock = clock
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._router: zmq.Socket[bytes] | None = None
        self._guard: Guard | None = None
        self._doorkeeper: Doorkeeper | None = None
        self._poller = zmq.Poller()
        self._side = 1
        self.endpoint = endpoint
        self.n_malformed = 0

    def open(self, max_bytes: int, *, side: int = 1, receive_bytes: int | None = None) -> None:
        """Bind.

        Args:
            max_bytes: Of one message; a longer one ends its connection.
            side: Of the pictures that may come, in pixels.
            receive_bytes: The kernel's buffer of a connection; None leaves it to the kernel.

        Raises:
            OutputError: The endpoint is taken or cannot be used.
        """
        self._side = side
        self._context = zmq.Context()
        router = self._router = self._context.socket(zmq.ROUTER)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.RCVHWM, HWM),
            (zmq.SNDHWM, HWM),
            (zmq.RCVBUF, -1 if receive_bytes is None else receive_bytes),
            (zmq.MAXMSGSIZE, max_bytes),
            (zmq.HANDSHAKE_IVL, HANDSHAKE_MS),
            (zmq.HEARTBEAT_IVL, HEARTBEAT_MS),
            (zmq.HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS),
            (zmq.IPV6, int(self._asked_endpoint.startswith("tcp://["))),
        ):
            router.setsockopt(option, value)
        guard = self._guard = Guard(router)
        try:
            if self._keys is not None and self._curve is not None:
                clients = AllowedClients(self._curve / CLIENTS_FOLDER)
                self._doorkeeper = Doorkeeper(clients, self._context)
                self._doorkeeper.guard(router, self._keys)
                self._poller.register(self._doorkeeper.socket, zmq.POLLIN)
            router.bind(bindable(self._asked_endpoint))
        except zmq.ZMQError as error:
            self.close()
            reason = "is taken by another program" if error.errno == zmq.EADDRINUSE else str(error)
            raise OutputError(
                f"edges cannot be let in at {self._asked_endpoint}: it {reason}; choose another "
                "address with --bind"
            ) from error
        self._poller.register(router, zmq.POLLIN)
        self.endpoint = router.getsockopt_string(zmq.LAST_ENDPOINT)
        guard.bound(self.endpoint)

    @property
    def n_hung_up(self) -> int:
        """How many connections were ended for what they sent; any thread."""
        return 0 if self._guard is None else self._guard.n_hung_up

    def wait(self, wait_ms: int = MAX_WAIT_MS, *, bell: Bell | None = None) -> None:
        """Wait until somebody comes or says something, or a bell rings; so long at most."""
        if bell is None:
            self._poller.poll(wait_ms)
            return
        self._poller.register(bell.fileno(), zmq.POLLIN)
        if bell.fileno() in dict(self._poller.poll(wait_ms)):
            bell.silence()

    def entries(self) -> Iterator[Entry]:
        """Yield what has come, at most `MAX_BATCH`; who says what no edge would is hung up on.

        Raises:
            ValueError: It is not open.
        """
        router, guard = self._router, self._guard
        if router is None or guard is None:
            raise ValueError("open it first")
        if self._doorkeeper is not None:
            self._doorkeeper.answer()
        guard.look(self._clock.now_ns())
        for _ in range(MAX_BATCH):
            if not router.poll(0):
                return
            frames = router.recv_multipart(zmq.NOBLOCK, copy=False)
            descriptor = int(frames[0].get(zmq.SRCFD))
            if not guard.admits(descriptor, self._clock.now_ns()):
                continue
            try:
                if len(frames) != 2:
                    raise ValueError(f"a message has one frame, got {len(frames) - 1}")
                message = from_edge(frames[1].bytes, self._side)
            except ValueError as error:
                self.hang_up(descriptor, error)
                continue
            yield Entry(
                peer=frames[0].bytes,
                descriptor=descriptor,
                user=None if self._keys is None else str(frames[1].get("User-Id")),
                message=message,
            )

    def hang_up(self, descriptor: int, why: object) -> None:
        """End the connection of somebody who is no edge."""
        self.n_malformed += 1
        if self._guard is not None:
            self._guard.hang_up(descriptor, self._clock.now_ns(), f"it is no edge: {why}")

    def send(self, peer: bytes, message: bytes) -> None:
        """Send to a peer; whoever has gone, or takes nothing, is sent nothing."""
        if self._router is None:
            return
        try:
            self._router.send_multipart((peer, message), zmq.NOBLOCK)
        except zmq.ZMQError as error:
            logger.debug("an edge could not be told: %s", error)

    def close(self) -> None:
        """Hang up on all. May be called again, and the door opened again."""
        if self._guard is not None:
            self._guard.close()
            self._guard = None
        self._poller = zmq.Poller()
        if self._router is not None:
            self._router.close(linger=0)
            self._router = None
        if self._doorkeeper is not None:
            self._doorkeeper.close()
            self._doorkeeper = None
        if self._context is not None:
            self._context.term()
            self._context = None


def why_not(name: str, user: str | None, expected: Iterable[str]) -> str | None:
    """Return why an edge of a name may not come in; None where it may.

    Args:
        name: The stream that it would send.
        user: Whose key it has; None without CURVE.
        expected: The streams that there are.
    """
    if user is not None and user != name:
        return f"this key is {user}'s, who may not send as {name}; give --name {user}"
    names = sorted(expected)
    if name not in names:
        return f"no edge called {name} is expected here; expected: {', '.join(names) or 'none'}"
    return None
