"""An edge's connection to its pool: says hello, answers questions for the time, sends samples.

One thread steps it. A pool that is not there, or that does not ask for four seconds, gets another
hello; meanwhile nothing is sent and nothing piles up: libzmq keeps eight messages, the kernel a
quarter of a megabyte, and the rest waits in the outlet, where the newest wins.

A pool of several recognizers says which of them to send to. Then there are two connections: `home`,
the one address that the edge was told, which says where to go and says it again when that changes;
and `work`, to the recognizer. With any other pool they are one. A recognizer that takes over gets
the last window first.
"""

from __future__ import annotations

import logging
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import zmq

from realtime.buffers.signal import DataSignal
from realtime.clock import NS_PER_MS, NS_PER_S, Clock
from realtime.cluster.edge.line import Line
from realtime.cluster.edge.outlet import WINDOW_NS, Outlet
from realtime.cluster.wire.endpoint import check_endpoint, is_here
from realtime.cluster.wire.protocol import (
    Answer,
    Ask,
    At,
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
    from realtime.cluster.edge.grid_timeline import GridTimeline

logger = logging.getLogger(__name__)

SILENT_NS = 4 * NS_PER_S  # a pool asks twice a second, also while it loads its networks
HELLO_NS, UNCONNECTED_NS = NS_PER_S // 2, NS_PER_S // 50
MAX_WAIT_MS, BEHIND_WAIT_MS = 100, 5
TOLD_NS = NS_PER_S  # a recognizer's edge asks its pool so often whether it is still the one
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
        self._unanswered_ns: int | None = clock.now_ns()  # since when; None once somebody answered
        self.refused = ""
        self._outlet: Outlet | None = None
        self._timeline: GridTimeline | None = None
        self._bell = Bell()
        self.news: DataSignal = RingingSignal(self._bell)
        self._keys = keys
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._poller = zmq.Poller()
        self._poller.register(self._bell.fileno(), zmq.POLLIN)
        try:
            self._home = self._work = self._line(endpoint)
        except UsageError:
            self._context.term()
            self._bell.close()
            raise
        self._home_due_ns = clock.now_ns()

    @property
    def place(self) -> str:
        """Where samples are sent."""
        return self._work.endpoint

    def serve(self, outlet: Outlet | None, timeline: GridTimeline | None) -> None:
        """Send what an outlet has from now on; its grid is kept on the pool's."""
        self._outlet, self._timeline = outlet, timeline
        if outlet is not None and self._work is not self._home:
            outlet.keep(WINDOW_NS)

    def step(self) -> None:
        """Wait for a question or for something to send, at most 0.1 s."""
        now_ns = self._clock.now_ns()
        self._look_for_pool(now_ns)
        until_hello_ms = -((now_ns - self._hello_due_ns) // NS_PER_MS)
        is_behind = self.wanted and self._outlet is not None and self._outlet.is_behind
        most_ms = BEHIND_WAIT_MS if is_behind else MAX_WAIT_MS
        ready = dict(self._poller.poll(max(1, min(most_ms, until_hello_ms))))
        if self._bell.fileno() in ready:
            self._bell.silence()
        for line in (self._home, self._work):
            # What it says may end the other one, and put another in its place.
            if line in (self._home, self._work):
                for frames in line.receive(_MAX_BATCH):
                    self._hear(line, frames, self._clock.now_ns())
        if self._outlet is None:
            return
        if self.wanted:
            self._outlet.send(self._work.send, self._work.has_room)
        else:
            self._outlet.hold()

    def close(self) -> None:
        """Say goodbye and hang up. May be called again."""
        if not self._context.closed:
            for line in {self._home, self._work}:
                if self.welcome is not None and line.has_room():
                    line.send(Bye().pack())
                line.close(_BYE_MS)
        self._context.term()
        self._bell.close()

    def _line(self, endpoint: str) -> Line:
        line = Line(self._context, endpoint, self._keys)
        self._poller.register(line.socket, zmq.POLLIN)
        return line

    def _look_for_pool(self, now_ns: int) -> None:
        if self._unanswered_ns is not None and now_ns - self._unanswered_ns >= SILENT_NS:
            self._unanswered_ns = None
            logger.warning(
                "no pool answers at %s; is it started there, and does it know this edge's key? "
                "It is looked for",
                self._endpoint,
            )
        if self._asked_ns is not None and now_ns - self._asked_ns >= SILENT_NS:
            logger.warning("the pool at %s is silent; it is looked for", self._work.endpoint)
            self._asked_ns, self.wanted = None, False
        if self._asked_ns is not None:
            self._hello_due_ns = now_ns + HELLO_NS
        elif now_ns >= self._hello_due_ns:
            self._hello_due_ns = now_ns + UNCONNECTED_NS
            if self._work.has_room():
                self._hello_due_ns = now_ns + HELLO_NS
                self._work.send(self._hello.pack())
        if self._work is not self._home and now_ns >= self._home_due_ns:
            self._home_due_ns = now_ns + TOLD_NS
            if self._home.has_room():
                self._home.send(self._hello.pack())

    def _go_to(self, endpoint: str, now_ns: int) -> None:
        """Send to another recognizer from now on."""
        if self._work is not self._home and self._work.endpoint == endpoint:
            return
        try:
            check_endpoint(endpoint, "a recognizer")
            if self._keys is None and not is_here(endpoint):
                raise UsageError(f"{endpoint} is not on this machine, and nothing is encrypted")
            line = self._line(endpoint)
        except UsageError as error:
            logger.warning("the pool at %s sent this edge astray: %s", self._endpoint, error)
            return
        logger.info("the recognizer at %s has this stream", endpoint)
        if self._work is not self._home:
            self._poller.unregister(self._work.socket)
            if self._work.has_room():
                self._work.send(Bye().pack())
            self._work.close(_BYE_MS)
        self._work = line
        self._asked_ns, self.wanted, self.refused = None, False, ""
        self._hello_due_ns, self._home_due_ns = now_ns, now_ns + TOLD_NS
        if self._outlet is not None:
            self._outlet.keep(WINDOW_NS)

    def _hear(self, line: Line, frames: list[bytes], now_ns: int) -> None:
        try:
            if len(frames) != 1:
                raise ValueError("a message has one frame")
            message = from_pool(frames[0])
        except ValueError as error:
            logger.debug("a broken message of the pool was passed over: %s", error)
            return
        self._unanswered_ns = None
        if isinstance(message, At):
            if line is self._home:
                self._go_to(message.endpoint, now_ns)
        elif isinstance(message, Refused):
            if message.reason != self.refused:
                self.refused = message.reason
                logger.warning("the pool at %s: %s", line.endpoint, clean(message.reason))
        elif line is not self._work:
            logger.debug("a recognizer that had this stream before was not heeded")
        elif isinstance(message, Ask):
            if line.has_room():
                sent_ns = self._clock.now_ns()
                answer = Answer(nonce=message.nonce, received_ns=now_ns, sent_ns=sent_ns)
                line.send(answer.pack())
            if self._asked_ns is None:
                logger.info("the pool at %s is there", line.endpoint)
            self._asked_ns = now_ns
            is_new = message.wanted and not self.wanted and message.t_ns < 0
            if is_new and self._outlet is not None and self._work is not self._home:
                self._outlet.replay()  # a recognizer that has nothing of this stream
            self.wanted = message.wanted
            is_begun = self._timeline is not None and self._timeline.epoch_ns is not None
            if is_begun and self._timeline is not None and message.t_ns >= 0:
                self._timeline.follow(message.edge_ns, message.t_ns, message.drift)
        elif isinstance(message, Welcome):
            self.welcome, self.refused = message, ""
        elif isinstance(message, Who):
            self._asked_ns, self.wanted, self._hello_due_ns = None, False, now_ns
