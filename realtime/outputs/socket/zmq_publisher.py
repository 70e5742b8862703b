"""Messages from a mailbox to ZeroMQ subscribers; `zap` beside it says who may subscribe.

A subscriber that stops reading must cost the others nothing: the socket is XPUB, which drops for
one peer at its high-water mark and never blocks. A subscriber that comes late must not wait for the
next change: on each subscription the last state of the matching topics goes out again, marked
`"replay": true`. XPUB cannot address one peer, so all subscribers of these topics see the repeat;
it has its old `topic_seq` and is no gap. However often somebody subscribes, these repeats come at
most ten times a second, and a step takes a bounded number of requests: a flood of them leaves time
to publish. What may come in at all is bounded by `front_door`, through which all connections go.

The thread blocks on one poll over subscriptions, connections and a wake-up from the mailbox. It
neither spins nor delays a message.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import zmq

from realtime.clock import NS_PER_MS, NS_PER_S, Clock, MonotonicClock
from realtime.config import PublisherConfig
from realtime.errors import OutputError
from realtime.outputs.socket.allowed_clients import AllowedClients
from realtime.outputs.socket.bell import Bell
from realtime.outputs.socket.binding import bind_failure, bindable, require_local
from realtime.outputs.socket.curve_files import CLIENTS_FOLDER, read_server_keys
from realtime.outputs.socket.front_door import FrontDoor
from realtime.outputs.socket.ipc_claim import IpcClaim
from realtime.outputs.socket.last_values import LastValues
from realtime.outputs.socket.listening import listen
from realtime.outputs.socket.zap import Clients, Doorkeeper
from realtime.outputs.wire import Message
from realtime.stats import Stats
from realtime.threads.mailbox import Mailbox

logger = logging.getLogger(__name__)

HANDSHAKE_MS = 3000  # who is not let in by then is hung up on, and may come back
LINGER_MS = 500  # what the last messages may take to leave; Ctrl-C never hangs longer
MAX_WAIT_MS = 100  # a stopped worker is noticed within this time
MAX_BATCH = 256  # messages a step, so that heartbeats and subscriptions get their turn
MAX_INBOUND_BYTES = 512  # a topic has 113 bytes, CURVE's longest command 300
MAX_REQUESTS = 256  # a step takes, likewise
MAX_PREFIXES = 64  # that wait for a replay; beyond it everything is repeated
REPLAY_NS = NS_PER_S // 10  # between two replays


class ZmqPublisher:
    """Publishes what the mailbox holds.

    Threads: a ZeroMQ socket may move to another thread across a full memory barrier, and
    `Thread.start` and `join` are such barriers. So main calls `open` before the publishing thread
    starts, which is how a taken port ends the program before it begins; from then on only the
    publishing thread calls `step` and, at its end, `close`. `endpoint`, `n_subscribers` and
    `published` may be called by any thread.

    Args:
        config: Where to bind and what to keep for slow subscribers.
        mailbox: Messages to publish, in order.
        heartbeat: Makes a heartbeat; called in the publishing thread.
        stats: Gets `messages`, `replayed_messages`, `dropped_messages`, `subscriptions`,
            `refused_clients` and `wordy_clients` (those that sent more than topics).
        clock: The run's clock.
        insecure: Allow an endpoint that other machines can reach, without encryption.
        context: ZeroMQ's context, for `inproc` endpoints; its own one if None.
        clients: Who may subscribe where there are keys; None for the `clients` beside them.

    Raises:
        UsageError: The endpoint can be reached from other machines, and there are neither keys
            (`config.curve`) nor `insecure`; or the keys cannot be used.
    """

    def __init__(
        self,
        config: PublisherConfig,
        mailbox: Mailbox[Message],
        heartbeat: Callable[[], Message],
        stats: Stats,
        clock: Clock,
        *,
        insecure: bool = False,
        context: zmq.Context[zmq.Socket[bytes]] | None = None,
        clients: Clients | None = None,
    ) -> None:
        self._clients = clients
        self._keys = None if config.curve is None else read_server_keys(Path(config.curve))
        if self._keys is None and not insecure:
            require_local(config.bind)
        self._config = config
        self._mailbox = mailbox
        self._heartbeat = heartbeat
        self._stats = stats
        self._clock = clock
        self._shared_context = context
        self._context: zmq.Context[zmq.Socket[bytes]] | None = None
        self._socket: zmq.Socket[bytes] | None = None
        self._door: FrontDoor | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._handle: int | None = None  # of the socket that libzmq listens on
        self._doorkeeper: Doorkeeper | None = None
        self._claim = IpcClaim(config.bind)
        self._poller = zmq.Poller()
        self._bell: Bell | None = None
        self._last_values = LastValues()
        self._published: dict[str, int] = {}
        self._prefixes: set[bytes] = set()  # subscribed to since the last replay
        self._replay_due_ns = 0
        self._endpoint = ""
        self._heartbeat_due_ns = 0
        self._n_dropped_seen = 0

    @property
    def endpoint(self) -> str:
        """The endpoint in force, with the port that was really taken; empty before `open`."""
        return self._endpoint

    @property
    def n_subscribers(self) -> int:
        """How many peers are connected now (0 for `inproc`, which has no connections)."""
        return 0 if self._door is None else self._door.n_connections

    def published(self) -> dict[str, int]:
        """Return the last `topic_seq` that went out, by topic."""
        return dict(self._published)

    def open(self) -> None:
        """Bind; call it once, before the publishing thread starts.

        Raises:
            OutputError: The endpoint is taken or cannot be used.
        """
        if self._socket is not None:
            raise ValueError("the publisher is open already")
        try:
            self._context = self._shared_context or zmq.Context()
            self._bell = Bell()
            publisher = self._context.socket(zmq.XPUB)
        except (zmq.ZMQError, OSError) as error:  # too many files are open
            self.close()
            raise OutputError(bind_failure(self._config.bind, error)) from error
        publisher.setsockopt(zmq.XPUB_VERBOSE, 1)  # every subscription is told, not only the first
        publisher.setsockopt(zmq.SNDHWM, self._config.send_hwm)
        publisher.setsockopt(zmq.LINGER, LINGER_MS)
        publisher.setsockopt(zmq.MAXMSGSIZE, MAX_INBOUND_BYTES)
        publisher.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
        self._socket = publisher
        try:
            if self._keys is not None and self._config.curve is not None:
                folder = Path(self._config.curve) / CLIENTS_FOLDER
                clients = self._clients or AllowedClients(folder)
                self._doorkeeper = Doorkeeper(clients, self._context)
                self._doorkeeper.guard(publisher, self._keys)
                self._poller.register(self._doorkeeper.socket, zmq.POLLIN)
            if self._config.bind.startswith("inproc://"):
                publisher.bind(self._config.bind)
                self._endpoint = self._config.bind
            else:
                self._open_door(publisher)
        except OutputError:
            self.close()
            raise
        except (zmq.ZMQError, OSError) as error:
            self.close()
            raise OutputError(bind_failure(self._config.bind, error)) from error
        self._poller.register(publisher, zmq.POLLIN)
        self._poller.register(self._bell.fileno(), zmq.POLLIN)
        self._heartbeat_due_ns = self._clock.now_ns()
        self._mailbox.wake_with(self._bell.ring)
        self._bell.ring()  # what was posted before

    def step(self) -> bool:
        """Wait for something to do, at most 0.1 s, and do it.

        Returns:
            Whether there is more to come: False once the mailbox is closed and empty.
        """
        publisher, bell = self._socket, self._bell
        if publisher is None or bell is None:
            raise ValueError("the publisher is not open; call open() first")
        if self._door is not None and self._door.error is not None:
            raise self._door.error
        until_heartbeat_ms = -((self._clock.now_ns() - self._heartbeat_due_ns) // NS_PER_MS)
        ready = dict(self._poller.poll(min(MAX_WAIT_MS, max(0, until_heartbeat_ms))))
        if bell.fileno() in ready:
            bell.silence()
        if self._doorkeeper is not None:
            n_refused = self._doorkeeper.answer()
            if n_refused:
                self._stats.count("refused_clients", n_refused)
        # Not only when polled: a batch of messages may have let new subscriptions in.
        self._answer_subscriptions(publisher)
        if not self._publish_batch(publisher):
            bell.ring()  # more is waiting, and its ring is silenced already
        now_ns = self._clock.now_ns()
        if now_ns >= self._heartbeat_due_ns:
            self._send(publisher, self._heartbeat())
            self._heartbeat_due_ns = now_ns + int(self._config.heartbeat_s * NS_PER_S)
        return not self._mailbox.closed

    def close(self) -> None:
        """Publish what is left, then close; waits at most half a second. May be called again."""
        self._mailbox.wake_with(None)
        close_by_s = time.monotonic() + LINGER_MS / 1000
        if self._socket is not None:
            if self._endpoint:
                for _ in range(self._config.capacity):
                    if not self._publish_next(self._socket):
                        break
            self._socket.close(linger=LINGER_MS)
            self._socket = None
        if self._doorkeeper is not None:
            self._doorkeeper.close()
            self._doorkeeper = None
        if self._context is not None and self._shared_context is None:
            self._context.term()
        self._context = None
        if self._door is not None:
            self._door.close(max(0.0, close_by_s - time.monotonic()))
            self._door = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        self._claim.release()
        if self._bell is not None:
            self._bell.close()
            self._bell = None

    def _open_door(self, publisher: zmq.Socket[bytes]) -> None:
        """Bind where only this user comes in, and have a door to it where the world does."""
        self._folder = tempfile.TemporaryDirectory(prefix="mafnet-")  # mode 0700
        inner = str(Path(self._folder.name) / "events")
        publisher.bind(f"ipc://{inner}")
        if Path("/proc/self/fd").is_dir():
            # Reached by a descriptor, it needs no name: a killed run leaves no folder behind.
            self._handle = os.open(inner, os.O_PATH | os.O_CLOEXEC)
            inner = f"/proc/self/fd/{self._handle}"
            self._folder.cleanup()
            self._folder = None
        with self._claim.binding():
            listener, self._endpoint = listen(bindable(self._config.bind))
        self._door = FrontDoor(
            listener, inner, lambda: self._stats.count("wordy_clients"), MonotonicClock()
        )
        self._door.start()

    def _publish_batch(self, publisher: zmq.Socket[bytes]) -> bool:
        """Publish up to `MAX_BATCH` messages; return whether that was all."""
        is_all = False
        for _ in range(MAX_BATCH):
            if not self._publish_next(publisher):
                is_all = True
                break
        n_dropped = self._mailbox.n_dropped
        if n_dropped > self._n_dropped_seen:
            self._stats.count("dropped_messages", n_dropped - self._n_dropped_seen)
            self._n_dropped_seen = n_dropped
        return is_all

    def _publish_next(self, publisher: zmq.Socket[bytes]) -> bool:
        message = self._mailbox.get(timeout_s=0.0)
        if message is None:
            return False
        self._send(publisher, message)
        self._last_values.keep(message)
        return True

    def _send(self, publisher: zmq.Socket[bytes], message: Message) -> None:
        publisher.send_multipart((message.topic.encode(), message.payload()), zmq.NOBLOCK)
        self._stats.count("messages")
        topic_seq = message.body["topic_seq"]
        if isinstance(topic_seq, int):
            # A new dict: `published` copies from any thread while this one adds topics.
            self._published = {**self._published, message.topic: topic_seq}

    def _answer_subscriptions(self, publisher: zmq.Socket[bytes]) -> None:
        """Take requests; send the last state of all topics that somebody subscribed to."""
        for _ in range(MAX_REQUESTS):
            if not publisher.poll(0):
                break
            request = publisher.recv(zmq.NOBLOCK)
            if request[:1] == b"\x01":  # 1 subscribes, 0 unsubscribes; anything else is no request
                self._prefixes.add(request[1:])
                self._stats.count("subscriptions")
        if len(self._prefixes) > MAX_PREFIXES:
            self._prefixes = {b""}
        now_ns = self._clock.now_ns()
        if not self._prefixes or now_ns < self._replay_due_ns:
            return
        prefixes, self._prefixes = self._prefixes, set()
        self._replay_due_ns = now_ns + REPLAY_NS
        for message in self._last_values.matching(prefixes):
            replay = message.as_replay()
            publisher.send_multipart((replay.topic.encode(), replay.payload()), zmq.NOBLOCK)
            self._stats.count("replayed_messages")
