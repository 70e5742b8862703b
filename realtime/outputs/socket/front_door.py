"""The event socket's door to the world: it lets little in, whoever knocks.

A subscriber says little: a handshake and topics, some hundred bytes, later perhaps heartbeats. One
that means harm sends a message of frames without end, ever new topics, a million requests a second
or a million connections. libzmq bounds a frame (`ZMQ_MAXMSGSIZE`) and nothing else of these: 4.3.5
counts only whole messages (`pipe.cpp`), queues what comes to an XPUB without a bound (`xpub.cpp`),
keeps some 50 bytes for each byte of a topic and walks through all of them when anybody leaves
(`generic_mtrie_impl.hpp`), inside whatever call the publishing thread is in.

So libzmq listens where nobody else comes in, on a socket in a private folder, and this stands in
front. It passes on bytes, both ways and unread (they may be encrypted), and bounds what comes in:
how many connections there are, how fast new ones are taken, how much one says and how much all do.
Who says more is not hung up on, but read as slowly as it may talk; the rest waits on its side. Who
leaves is shown to libzmq after a while, so that its walks leave time to publish. What goes out is
not bounded here: libzmq keeps `send_hwm` messages for whoever does not read.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from realtime.clock import NS_PER_MS, NS_PER_S, Clock
from realtime.outputs.socket.allowance import Allowance
from realtime.threads.worker import Worker

logger = logging.getLogger(__name__)

MAX_CONNECTIONS = 128
NEW_AT_ONCE, NEW_PER_S = 50, 50  # connections taken; the rest waits in the kernel
ONE_AT_ONCE, ONE_PER_S = 16 << 10, 64  # bytes: hundreds of topics, then a client's heartbeats
ALL_AT_ONCE, ALL_PER_S = 64 << 10, 64 << 10  # bytes
MAX_ALIVE_BYTES = 512 << 10  # said by all that are connected; then who said most has to go
LEAVE_NS = 500  # for each of these bytes, between two that leave: three times what libzmq takes
IN_BYTES = 4 << 10  # a read from outside
OUT_BYTES = 64 << 10  # a read from libzmq, and what waits for a slow reader
LOOK_NS = 20 * NS_PER_MS  # when somebody waits for an allowance
IDLE_NS = NS_PER_S // 2
END_NS = NS_PER_S // 2  # what a subscriber has to take its last messages
TELL_NS = 60 * NS_PER_S
_READ, _WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE


@dataclass(slots=True, kw_only=True, eq=False)
class _Link:
    """One subscriber: its connection, ours to libzmq, and what is on its way."""

    outer: socket.socket
    inner: socket.socket
    allowance: Allowance
    inward: bytearray = field(default_factory=bytearray)
    outward: bytearray = field(default_factory=bytearray)
    n_said: int = 0
    is_told: bool = False  # that it says too much
    end_by_ns: int | None = None  # libzmq has closed its side: what is left goes out until then


class FrontDoor:
    """Passes bytes between a listening socket and libzmq's, in a thread of its own.

    `start` and `close` are its owner's, `n_connections` and `wake` anybody's, `step` its thread's.

    Args:
        listener: Bound and listening, TCP or Unix; closed at the end.
        inner: Path of the Unix socket that libzmq listens on.
        on_excess: Called in the thread, once for each connection that says more than it may.
        clock: What allowances are measured on.
    """

    def __init__(
        self,
        listener: socket.socket,
        inner: str,
        on_excess: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._listener = listener
        self._inner = inner
        self._on_excess = on_excess
        self._clock = clock
        now_ns = clock.now_ns()
        self._newcomers = Allowance(NEW_AT_ONCE, NEW_PER_S, now_ns)
        self._all = Allowance(ALL_AT_ONCE, ALL_PER_S, now_ns)
        self._links: list[_Link] = []
        self._leaving: deque[_Link] = deque()  # libzmq is not told yet
        self._leave_due_ns = 0
        self._told_ns: int | None = None
        self._close_by_ns: int | None = None
        self._bell, self._rope = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._bell, _READ)
        self._events: dict[socket.socket, int] = {}
        listener.setblocking(False)
        self._worker = Worker("publish-door", self.step, threading.Event(), self._ended)

    @property
    def error(self) -> Exception | None:
        """What ended the thread before its time, a programmer's mistake."""
        return self._worker.error

    @property
    def n_connections(self) -> int:
        """How many are connected now."""
        return len(self._links)

    def start(self) -> None:
        """Begin to let people in."""
        self._worker.start()

    def close(self, timeout_s: float) -> None:
        """Let nobody in; end once what libzmq gave has gone out, or after `timeout_s`."""
        self._close_by_ns = self._clock.now_ns() + int(timeout_s * NS_PER_S)
        self.wake()
        self._worker.join(timeout_s + 1.0)
        self._rope.close()

    def wake(self) -> None:
        """Have `step` return if it waits; any thread."""
        with contextlib.suppress(BrokenPipeError):  # its thread has ended
            self._rope.send(b"\0")

    def step(self) -> bool:
        """Wait until something comes or may go on, at most half a second, and pass it on.

        Returns:
            Whether there is more to do.
        """
        now_ns = self._clock.now_ns()
        wait_ns = self._set_events(now_ns)
        for key, events in self._selector.select(wait_ns / NS_PER_S):
            if key.fileobj is self._listener:
                self._admit(self._clock.now_ns())
            elif key.fileobj is self._bell:
                self._bell.recv(1)
            elif key.data in self._links:  # not dropped just now
                self._move(key.data, key.fileobj is key.data.outer, events)
        if self._close_by_ns is None:
            return True
        return bool(self._links) and self._clock.now_ns() < self._close_by_ns

    def _set_events(self, now_ns: int) -> int:
        """Say what to wait for; return for how long."""
        self._let_leave(now_ns)
        is_held = bool(self._leaving)
        # Nobody says more before those that had to go are forgotten: else all would have to.
        n_all = self._all.left(now_ns) if self._n_alive() <= MAX_ALIVE_BYTES else 0
        for link in tuple(self._links):
            if link.end_by_ns is not None and (not link.outward or now_ns >= link.end_by_ns):
                self._drop(link)
                continue
            is_open = link.end_by_ns is None
            may_say = n_all > 0 and link.allowance.left(now_ns) > 0
            hears = is_open and not link.inward
            is_held |= not is_open or (hears and not may_say)
            self._want(
                link.outer,
                (_READ if hears and may_say else 0) | (_WRITE if link.outward else 0),
                link,
            )
            fetches = is_open and len(link.outward) < OUT_BYTES
            self._want(link.inner, (_READ if fetches else 0) | (_WRITE if link.inward else 0), link)
        is_open = self._close_by_ns is None
        has_room = is_open and len(self._links) + len(self._leaving) < MAX_CONNECTIONS
        may_come = has_room and self._newcomers.left(now_ns) > 0
        is_held |= not is_open or (has_room and not may_come)
        self._want(self._listener, _READ if may_come else 0, None)
        if not is_open:
            self._listener.close()
        return LOOK_NS if is_held else IDLE_NS

    def _want(self, what: socket.socket, events: int, link: _Link | None) -> None:
        before = self._events.get(what, 0)
        if events == before:
            return
        if before == 0:
            self._selector.register(what, events, link)
        elif events == 0:
            self._selector.unregister(what)
        else:
            self._selector.modify(what, events, link)
        self._events[what] = events

    def _admit(self, now_ns: int) -> None:
        self._newcomers.take(1)
        with contextlib.ExitStack() as undo:
            try:
                inner = undo.enter_context(socket.socket(socket.AF_UNIX))
                outer = undo.enter_context(self._listener.accept()[0])
            except BlockingIOError:  # it has gone again
                return
            except OSError as error:  # no descriptor is free
                self._newcomers.take(NEW_AT_ONCE)
                self._tell(now_ns, f"a subscriber cannot be let in: {error.strerror}")
                return
            outer.setblocking(False)
            inner.setblocking(False)
            try:
                if outer.family != socket.AF_UNIX:
                    outer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                inner.connect(self._inner)
            except OSError:  # it has gone, or libzmq has more waiting than it takes
                return
            undo.pop_all()
        allowance = Allowance(ONE_AT_ONCE, ONE_PER_S, now_ns)
        self._links.append(_Link(outer=outer, inner=inner, allowance=allowance))

    def _move(self, link: _Link, is_outer: bool, events: int) -> None:
        """Pass on what came, in whichever way; a link that broke is dropped."""
        now_ns = self._clock.now_ns()
        try:
            if is_outer and events & _READ:
                self._hear(link, now_ns)
            elif not is_outer and events & _READ:
                self._fetch(link, now_ns)
            _send(link.inner, link.inward)
            _send(link.outer, link.outward)
        except OSError:  # either side has gone
            self._drop(link)

    def _hear(self, link: _Link, now_ns: int) -> None:
        n_most = min(IN_BYTES, self._all.left(now_ns), link.allowance.left(now_ns))
        if n_most <= 0:
            return
        said = link.outer.recv(n_most)
        if not said:
            raise ConnectionResetError
        self._all.take(len(said))
        link.allowance.take(len(said))
        link.n_said += len(said)
        link.inward += said
        if link.allowance.left(now_ns) <= 0 and not link.is_told:
            link.is_told = True
            self._on_excess()
            self._tell(now_ns, "a subscriber says more than topics: from now on it is read slowly")
        if sum(other.n_said for other in self._links) > MAX_ALIVE_BYTES:
            self._drop(max(self._links, key=lambda other: other.n_said))

    def _fetch(self, link: _Link, now_ns: int) -> None:
        given = link.inner.recv(OUT_BYTES - len(link.outward))
        if given:
            link.outward += given
        else:
            link.end_by_ns = now_ns + END_NS
            link.inward.clear()

    def _n_alive(self) -> int:
        """Return how many bytes libzmq may have kept of."""
        return sum(link.n_said for link in (*self._links, *self._leaving))

    def _drop(self, link: _Link) -> None:
        if link not in self._links:
            return
        self._links.remove(link)
        self._leaving.append(link)
        link.outward.clear()
        for end in (link.outer, link.inner):
            self._want(end, 0, link)
            self._events.pop(end, None)
        link.outer.close()

    def _let_leave(self, now_ns: int) -> None:
        while self._leaving and now_ns >= self._leave_due_ns:
            self._leave_due_ns = now_ns + LEAVE_NS * self._n_alive()
            self._leaving.popleft().inner.close()

    def _tell(self, now_ns: int, sentence: str) -> None:
        if self._told_ns is None or now_ns - self._told_ns >= TELL_NS:
            self._told_ns = now_ns
            logger.warning("%s (more of the kind within a minute are only counted)", sentence)

    def _ended(self, error: Exception | None) -> None:
        for link in tuple(self._links):
            self._drop(link)
        for link in self._leaving:
            link.inner.close()
        self._selector.close()
        self._listener.close()
        self._bell.close()


def _send(to: socket.socket, waiting: bytearray) -> None:
    if waiting:
        try:
            n = to.send(waiting)
        except BlockingIOError:
            return
        del waiting[:n]
