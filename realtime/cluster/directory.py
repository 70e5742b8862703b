"""The one address that edges of a pool of several recognizers know: it tells each where to go.

An edge says hello here, and keeps the connection. It is told which recognizer has its stream, and
told again, unasked, when that changes. No picture comes this way. Who sends what no edge would send
is hung up on, as at the hub.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

import zmq

from realtime.clock import NS_PER_S, Clock
from realtime.cluster.endpoint import DEFAULT_ENDPOINT, check_endpoint, is_here
from realtime.cluster.guard import Guard
from realtime.cluster.protocol import At, Bye, Hello, Refused, from_edge
from realtime.errors import OutputError, UsageError
from realtime.outputs.socket.allowed_clients import AllowedClients
from realtime.outputs.socket.bell import Bell
from realtime.outputs.socket.binding import bindable
from realtime.outputs.socket.curve_files import CLIENTS_FOLDER, read_server_keys
from realtime.outputs.socket.zap import Doorkeeper
from realtime.threads.worker import Worker

logger = logging.getLogger(__name__)

GONE_NS = 10 * NS_PER_S  # an edge says hello every second
MAX_WAIT_MS, MAX_BATCH = 100, 64
MAX_BYTES = 512  # a hello has some 130, CURVE's longest command 300
_HWM = 16
_HEARTBEAT_MS, _HEARTBEAT_TIMEOUT_MS, _HANDSHAKE_MS = 1000, 3000, 3000
_WAIT = "no recognizer has room for this stream yet; it is asked again"


class Directory:
    """Tells edges where to go; any thread may call `tell` and `places`.

    Args:
        endpoint: `tcp://HOST:PORT`; the port `*` is a free one.
        curve: Folder of the pool's keys; None only on loopback.
        expected: The streams that there are.
        clock: The pool's.

    Raises:
        UsageError: The endpoint can be reached from other machines, and there are no keys.
    """

    def __init__(
        self, endpoint: str, curve: Path | None, expected: Iterable[str], clock: Clock
    ) -> None:
        check_endpoint(endpoint, "--bind")
        if curve is None and not is_here(endpoint):
            raise UsageError(
                f"{endpoint} can be reached from other machines, and pictures and sound would not "
                f"be encrypted; give --curve DIR, or bind to loopback, such as {DEFAULT_ENDPOINT}"
            )
        self._asked_endpoint = endpoint
        self._curve = curve
        self._keys = None if curve is None else read_server_keys(curve)
        self._expected = frozenset(expected)
        self._clock = clock
        self._lock = threading.Lock()
        self._places: dict[str, str] = {}
        self._told: dict[str, tuple[bytes, str, int]] = {}  # by name: peer, endpoint, heard
        self._sessions: dict[str, int] = {}
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._router: zmq.Socket[bytes] | None = None
        self._guard: Guard | None = None
        self._doorkeeper: Doorkeeper | None = None
        self._bell = Bell()
        self._poller = zmq.Poller()
        self._stop = threading.Event()
        self._worker = Worker("directory", self.step, self._stop)
        self.endpoint = endpoint

    def open(self) -> None:
        """Bind and begin.

        Raises:
            OutputError: The endpoint is taken or cannot be used.
        """
        router = self._router = self._context.socket(zmq.ROUTER)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.RCVHWM, _HWM),
            (zmq.SNDHWM, _HWM),
            (zmq.MAXMSGSIZE, MAX_BYTES),
            (zmq.HANDSHAKE_IVL, _HANDSHAKE_MS),
            (zmq.HEARTBEAT_IVL, _HEARTBEAT_MS),
            (zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS),
            (zmq.IPV6, int(self._asked_endpoint.startswith("tcp://["))),
        ):
            router.setsockopt(option, value)
        self._guard = Guard(router)
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
        self.endpoint = router.getsockopt_string(zmq.LAST_ENDPOINT)
        self._guard.bound(self.endpoint)
        self._poller.register(router, zmq.POLLIN)
        self._poller.register(self._bell.fileno(), zmq.POLLIN)
        self._worker.start()

    @property
    def error(self) -> Exception | None:
        """What ended the thread before its time."""
        return self._worker.error

    def tell(self, places: Mapping[str, str]) -> None:
        """Say where each stream is recognized, by name; those that are there are told."""
        with self._lock:
            if places == self._places:
                return
            self._places = dict(places)
        self._bell.ring()

    def present(self) -> list[str]:
        """Return the names of the edges that are there."""
        now_ns = self._clock.now_ns()
        told = dict(self._told)
        return sorted(name for name, (_, _, heard) in told.items() if now_ns - heard < GONE_NS)

    def close(self) -> None:
        """Hang up on all. May be called again."""
        self._stop.set()
        if not self._worker.join(1.0):
            logger.warning("ended without waiting for directory")
            return
        if self._guard is not None:
            self._guard.close()
            self._guard = None
        if self._router is not None:
            self._router.close(linger=0)
            self._router = None
        if self._doorkeeper is not None:
            self._doorkeeper.close()
            self._doorkeeper = None
        self._context.term()
        self._bell.close()

    def step(self) -> bool:
        """Wait for a hello, at most 0.1 s, and answer; tell those whose place has changed."""
        router, guard = self._router, self._guard
        if router is None or guard is None:
            raise ValueError("open the directory first")
        ready = dict(self._poller.poll(MAX_WAIT_MS))
        if self._bell.fileno() in ready:
            self._bell.silence()
        if self._doorkeeper is not None:
            self._doorkeeper.answer()
        guard.look(self._clock.now_ns())
        for _ in range(MAX_BATCH):
            if not router.poll(0):
                break
            self._take(router, guard, router.recv_multipart(zmq.NOBLOCK, copy=False))
        with self._lock:
            places = self._places
        for name, (peer, told, heard_ns) in self._told.items():
            endpoint = places.get(name)
            if endpoint is not None and endpoint != told:
                self._send(router, peer, At(endpoint=endpoint).pack())
                self._told[name] = (peer, endpoint, heard_ns)
        return True

    def _take(self, router: zmq.Socket[bytes], guard: Guard, frames: list[zmq.Frame]) -> None:
        now_ns = self._clock.now_ns()
        descriptor = int(frames[0].get(zmq.SRCFD))
        if not guard.admits(descriptor, now_ns):
            return
        try:
            if len(frames) != 2:
                raise ValueError(f"a message has one frame, got {len(frames) - 1}")
            message = from_edge(frames[1].bytes, 1)
            if not isinstance(message, Hello | Bye):
                raise ValueError("samples go to a recognizer")
        except ValueError as error:
            guard.hang_up(descriptor, now_ns, f"it is no edge: {error}")
            return
        if isinstance(message, Hello):
            user = None if self._keys is None else str(frames[1].get("User-Id"))
            answer = self._answer(message, frames[0].bytes, user, now_ns)
            self._send(router, frames[0].bytes, answer)
        else:
            peer = frames[0].bytes
            self._told = {name: told for name, told in self._told.items() if told[0] != peer}

    def _answer(self, hello: Hello, peer: bytes, user: str | None, now_ns: int) -> bytes:
        name = hello.name
        if user is not None and user != name:
            reason = f"this key is {user}'s, who may not send as {name}; give --name {user}"
            return Refused(reason=reason).pack()
        if name not in self._expected:
            known = ", ".join(sorted(self._expected)) or "none"
            reason = f"no edge called {name} is expected here; expected: {known}"
            return Refused(reason=reason).pack()
        _, _, heard_ns = self._told.get(name, (b"", "", now_ns - GONE_NS))
        is_other = self._sessions.get(name) != hello.session
        if is_other and now_ns - heard_ns < 3 * NS_PER_S:
            reason = (
                f"an edge called {name} is there already; give another --name, or end the other one"
            )
            return Refused(reason=reason).pack()
        with self._lock:
            endpoint = self._places.get(name, "")
        self._sessions[name] = hello.session
        self._told[name] = (peer, endpoint, now_ns)
        return At(endpoint=endpoint).pack() if endpoint else Refused(reason=_WAIT).pack()

    def _send(self, router: zmq.Socket[bytes], peer: bytes, message: bytes) -> None:
        try:
            router.send_multipart((peer, message), zmq.NOBLOCK)
        except zmq.ZMQError as error:  # it has gone
            logger.debug("an edge could not be told: %s", error)
