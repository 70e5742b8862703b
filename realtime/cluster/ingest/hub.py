"""The pool's door to its edges: one socket, one thread, a `Link` for each stream that is expected.

Place in the flow: edges → here → the links' queues → `realtime.cluster.ingest.edge_reader`, in each
stream's capture thread, where pictures are decoded. What came is only measured here, so that no
edge costs another one time.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from realtime.clock import NS_PER_MS, Clock
from realtime.cluster.ingest.edge_door import MAX_WAIT_MS, EdgeDoor, Entry, why_not
from realtime.cluster.ingest.link import MAX_WAITING, Link
from realtime.cluster.wire.protocol import Answer, Bye, Hello, Refused, Welcome, Who, max_bytes
from realtime.threads.worker import Worker

logger = logging.getLogger(__name__)

RECEIVE_BYTES = 256 << 10  # of the kernel: what is older than this is no use to anybody


class Hub:
    """Receives what edges send; `open`, `link` and `close` are the main thread's.

    Args:
        endpoint: `tcp://HOST:PORT`; the port `*` is a free one.
        curve: Folder of the pool's keys; None only on loopback.
        clock: The run's clock, on which all is dated.
        max_waiting: Messages that wait for a stream's reader.
    """

    def __init__(
        self, endpoint: str, curve: Path | None, clock: Clock, max_waiting: int = MAX_WAITING
    ) -> None:
        self._max_waiting = max_waiting
        self._door = EdgeDoor(endpoint, curve, clock)
        self._clock = clock
        self._links: dict[str, Link] = {}
        self._by_peer: dict[bytes, Link] = {}
        self._welcome: Welcome | None = None
        self._stop = threading.Event()
        self._worker = Worker("edge-hub", self.step, self._stop, lambda _: self._door.close())

    def open(self, welcome: Welcome) -> None:
        """Bind.

        Args:
            welcome: The pictures that the edges are asked for.

        Raises:
            OutputError: The endpoint is taken or cannot be used.
        """
        self._welcome = welcome
        size = welcome.size
        self._door.open(max_bytes(size), side=size, receive_bytes=RECEIVE_BYTES)

    def link(self, name: str) -> Link:
        """Return the link of a stream, which is expected from now on; any thread."""
        return self._links.setdefault(name, Link(name, self._max_waiting))

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
        self._door.close()

    @property
    def endpoint(self) -> str:
        """Where edges come to, with its port once it is open."""
        return self._door.endpoint

    @property
    def size(self) -> int:
        """The side of the pictures that edges are asked for; 1 before `open`."""
        return 1 if self._welcome is None else self._welcome.size

    @property
    def n_malformed(self) -> int:
        """How many messages came that no edge would send."""
        return self._door.n_malformed

    @property
    def error(self) -> Exception | None:
        """What ended the thread before its time, a programmer's mistake."""
        return self._worker.error

    @property
    def n_hung_up(self) -> int:
        """How many connections were ended for what they sent."""
        return self._door.n_hung_up

    def now_ns(self) -> int:
        """Return the time on the pool's clock."""
        return self._clock.now_ns()

    def step(self) -> bool:
        """Wait for a message, at most 0.1 s; take what came and ask what is due."""
        self._door.wait(self._wait_ms())
        for entry in self._door.entries():
            self._take(entry)
        now_ns = self._clock.now_ns()
        for link in list(self._links.values()):
            question = link.ask(now_ns)
            if question is not None and link.peer is not None:
                self._door.send(link.peer, question.pack())
        return True

    def _take(self, entry: Entry) -> None:
        now_ns, peer, message = self._clock.now_ns(), entry.peer, entry.message
        if isinstance(message, Hello):
            self._door.send(peer, self._greet(message, entry, now_ns))
            return
        link = self._by_peer.get(peer)
        if link is None or link.peer != peer or self._links.get(link.name) is not link:
            self._by_peer.pop(peer, None)
            self._door.send(peer, Who().pack())
        elif isinstance(message, Bye):
            link.forget()
        elif isinstance(message, Answer):
            link.hear(now_ns)
            link.answered(message, now_ns)
        else:
            link.hear(now_ns)
            link.put(message, now_ns)

    def _greet(self, hello: Hello, entry: Entry, now_ns: int) -> bytes:
        link = self._links.get(hello.name)
        reason = why_not(hello.name, entry.user, self._links)
        if reason is None and link is not None:
            reason = link.greet(hello, entry.peer, now_ns)
        if reason is not None or link is None or self._welcome is None:
            return Refused(reason=reason or "").pack()
        self._by_peer = {
            known: other for known, other in self._by_peer.items() if other is not link
        }
        self._by_peer[entry.peer] = link
        return self._welcome.pack()

    def _wait_ms(self) -> int:
        now_ns = self._clock.now_ns()
        due_ns = min((x.due_ns() for x in self._links.values() if x.is_heard(now_ns)), default=None)
        if due_ns is None:
            return MAX_WAIT_MS
        return max(0, min(MAX_WAIT_MS, -((now_ns - due_ns) // NS_PER_MS)))
