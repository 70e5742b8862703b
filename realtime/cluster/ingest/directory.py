"""The one address that edges of a pool of several recognizers know: it tells each where to go.

An edge says hello here, and keeps the connection. It is told which recognizer has its stream, and
told again, unasked, when that changes. No picture comes this way.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from realtime.clock import NS_PER_S, Clock
from realtime.cluster.ingest.edge_door import EdgeDoor, Entry, why_not
from realtime.cluster.ingest.link import SILENT_NS, is_there_already
from realtime.cluster.wire.protocol import At, Bye, Hello, Refused
from realtime.errors import OutputError
from realtime.outputs.socket.bell import Bell
from realtime.threads.worker import Worker

logger = logging.getLogger(__name__)

GONE_NS = 10 * NS_PER_S  # an edge says hello every second
MAX_BYTES = 512  # a hello has some 130, CURVE's longest command 300
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
        self._door = EdgeDoor(endpoint, curve, clock)
        self._expected = frozenset(expected)
        self._clock = clock
        self._lock = threading.Lock()
        self._places: dict[str, str] = {}
        self._told: dict[str, tuple[bytes, str, int]] = {}  # by name: peer, endpoint, heard
        self._sessions: dict[str, int] = {}
        self._bell = Bell()
        self._stop = threading.Event()
        self._worker = Worker("directory", self.step, self._stop)

    def open(self) -> None:
        """Bind and begin.

        Raises:
            OutputError: The endpoint is taken or cannot be used.
        """
        try:
            self._door.open(MAX_BYTES)
        except OutputError:
            self.close()
            raise
        self._worker.start()

    @property
    def endpoint(self) -> str:
        """Where edges come to, with its port once it is open."""
        return self._door.endpoint

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
        self._door.close()
        self._bell.close()

    def step(self) -> bool:
        """Wait for a hello, at most 0.1 s, and answer; tell those whose place has changed."""
        self._door.wait(bell=self._bell)
        for entry in self._door.entries():
            if isinstance(entry.message, Hello):
                self._door.send(entry.peer, self._answer(entry.message, entry))
            elif isinstance(entry.message, Bye):
                self._told = {k: told for k, told in self._told.items() if told[0] != entry.peer}
            else:
                self._door.hang_up(entry.descriptor, "samples go to a recognizer")
        with self._lock:
            places = self._places
        for name, (peer, told, heard_ns) in self._told.items():
            endpoint = places.get(name)
            if endpoint is not None and endpoint != told:
                self._door.send(peer, At(endpoint=endpoint).pack())
                self._told[name] = (peer, endpoint, heard_ns)
        return True

    def _answer(self, hello: Hello, entry: Entry) -> bytes:
        name, now_ns = hello.name, self._clock.now_ns()
        reason = why_not(name, entry.user, self._expected)
        if reason is not None:
            return Refused(reason=reason).pack()
        _, _, heard_ns = self._told.get(name, (b"", "", now_ns - GONE_NS))
        if self._sessions.get(name) != hello.session and now_ns - heard_ns < SILENT_NS:
            return Refused(reason=is_there_already(name)).pack()
        with self._lock:
            endpoint = self._places.get(name, "")
        self._sessions[name] = hello.session
        self._told[name] = (entry.peer, endpoint, now_ns)
        return At(endpoint=endpoint).pack() if endpoint else Refused(reason=_WAIT).pack()
