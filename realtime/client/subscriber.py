"""A client for programs: receives what a recognizer publishes, and notices losses.

    with Subscriber("tcp://127.0.0.1:5556", labels=["Siren"]) as subscriber:
        for message in subscriber:
            if message.body["phase"] == "onset":
                stop_the_robot()

It imports neither torch nor numpy. What comes from the network is checked before anything is done
with it: a message that is broken or too large is one warning, never an exception, and a publisher
that sends without end costs bounded memory. It talks to one publisher, knows the last `topic_seq`
of every topic and reports gaps, restarts and silence.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import zmq

from realtime.addresses import at_home, require_brackets
from realtime.client.continuity import Continuity
from realtime.client.decoding import decode
from realtime.errors import UsageError
from realtime.event import Event
from realtime.outputs.socket.allowance import Allowance
from realtime.outputs.socket.curve_files import read_client_keys
from realtime.outputs.socket.unread import Unread
from realtime.outputs.socket.wanted_labels import WantedLabels
from realtime.redaction import redacted_location
from weights.printable import clean

logger = logging.getLogger(__name__)

DEFAULT_ENDPOINT = "tcp://127.0.0.1:5556"  # as realtime.config.DEFAULT_BIND, without its imports
KINDS = ("event", "prediction", "status", "heartbeat")
SILENCE_S = 5.0  # five heartbeats at their usual interval
MAX_MESSAGE_BYTES = 4 << 20  # ten minutes of attention map are 20 kB
MAX_UNREAD_BYTES = 2 * MAX_MESSAGE_BYTES  # without one whole message among them
READ_AHEAD = 32  # messages that libzmq reads before they are taken
NOTICES_AT_ONCE, NOTICES_PER_S = 100, 2  # what a hostile publisher may have us say
POLL_MS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message as it came: see docs/reference/messages.md for the body's fields.

    Attributes:
        topic: Such as `event/front-door/`.
        body: The JSON object.
        is_replay: It tells the state at the time of subscribing, not something new.
        received_utc: When it was taken from the socket, by this machine's clock.
    """

    topic: str
    body: dict[str, object]
    is_replay: bool
    received_utc: datetime

    @property
    def lag_s(self) -> float | None:
        """Seconds from when the publisher made it to when it was received.

        By the wall clocks of both machines, so it is as right as they are. None where the message
        does not say when it was made.
        """
        sent = self.body.get("sent")
        utc = sent.get("utc") if isinstance(sent, dict) else None
        if not isinstance(utc, str):
            return None
        try:
            made = datetime.fromisoformat(utc)
        except ValueError:
            return None
        return (self.received_utc - made).total_seconds() if made.tzinfo is not None else None

    def event(self) -> Event:
        """Return an event message as the `Event` that `recognize` hands out.

        Raises:
            ValueError: It is a message of another kind, or not as docs/reference/messages.md
                has it.
        """
        return Event.from_message(self.body)


class Subscriber:
    """Receives messages from one publisher; for one thread, the one that made it.

    The publisher need not run yet: the connection is made, and made again, by itself.

    Args:
        endpoint: Where the recognizer publishes.
        kinds: Of `event`, `prediction`, `status`, `heartbeat`: which messages to hand out.
        sources: Names of streams; none means all.
        labels: Labels of events, in any case; none means all. Messages of other kinds are not held
            back. One that the publisher cannot name is an error once its labels are known.
        curve: Folder of a client's keys (`python -m realtime.keys client`); None for a publisher
            that does not encrypt.
        silence_s: After so long without any message, heartbeats included, a notice is given.
        on_notice: Gets one sentence for a gap, a restart, silence or a broken message; by default
            it is logged as a warning.

    Raises:
        UsageError: The endpoint or a kind is wrong, or the keys cannot be used.
    """

    def __init__(
        self,
        endpoint: str = DEFAULT_ENDPOINT,
        kinds: Sequence[str] = ("event",),
        *,
        sources: Sequence[str] = (),
        labels: Sequence[str] = (),
        curve: Path | str | None = None,
        silence_s: float = SILENCE_S,
        on_notice: Callable[[str], None] | None = None,
    ) -> None:
        unknown = [kind for kind in kinds if kind not in KINDS]
        if unknown:
            raise UsageError(f"topics are {', '.join(KINDS)}, got {unknown[0]!r}")
        require_brackets(endpoint)
        keys = None if curve is None else read_client_keys(Path(curve))
        self._endpoint = clean(redacted_location(endpoint))  # as it is shown
        self._hint = hint_of(curve)
        self._kinds = frozenset(kinds)
        self._labels = WantedLabels(labels)
        self._are_labels_known = not self._labels
        self._on_notice = on_notice if on_notice is not None else logger.warning
        self._notices = Allowance(NOTICES_AT_ONCE, NOTICES_PER_S, time.monotonic_ns())
        self._n_unsaid = 0
        # A status message lists the publisher's labels, and comes at once or when it starts.
        prefixes = _prefixes((*kinds, "status") if labels else kinds, sources)
        self._continuity = Continuity(prefixes)
        self._silence_s = silence_s
        self._heard_at = time.monotonic()
        self._is_silent = False
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
        self._socket.setsockopt(zmq.RCVHWM, READ_AHEAD)
        self._unread = Unread(self._socket, endpoint, MAX_UNREAD_BYTES)
        if keys is not None:
            self._socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public)
            self._socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)
            self._socket.setsockopt(zmq.CURVE_SERVERKEY, keys.server)
        if endpoint.startswith("tcp://["):
            self._socket.setsockopt(zmq.IPV6, 1)
        try:
            self._socket.connect(at_home(endpoint))
        except (zmq.ZMQError, ValueError) as error:
            self.close()
            reason = error.strerror if isinstance(error, zmq.ZMQError) else "not a name"
            raise UsageError(
                f"cannot connect to {self._endpoint} ({reason}); "
                f"an endpoint looks like {DEFAULT_ENDPOINT}"
            ) from error
        for prefix in prefixes:
            self._socket.subscribe(prefix.encode(errors="replace"))

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[Received]:
        """Hand out messages for ever; break out of the loop, or Ctrl-C, to end it."""
        while True:
            message = self.receive(POLL_MS / 1000)
            if message is not None:
                yield message

    def receive(self, timeout_s: float) -> Received | None:
        """Return the next wanted message, or None after `timeout_s` without one.

        Raises:
            UsageError: The publisher cannot name an event by one of `labels`.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            left_ms = max(0, round((deadline - time.monotonic()) * 1000))
            if self._socket.poll(min(left_ms, POLL_MS)):
                frames = self._socket.recv_multipart()
                self._unread.taken()
                message = self._accept(frames)
                if message is not None:
                    return message
            if self._unread.is_too_much():
                self._notice(
                    f"{self._endpoint} sent {MAX_UNREAD_BYTES >> 20} MiB without an end of the "
                    "message; it was hung up on, and is tried again"
                )
            self._notice_silence()
            if time.monotonic() >= deadline:
                return None

    def close(self) -> None:
        """Close the connection. May be called again."""
        if not self._socket.closed:
            self._unread.close()
        self._socket.close(linger=0)
        self._context.term()

    def _accept(self, frames: list[bytes]) -> Received | None:
        """Check a message; return it if it is whole, new and wanted."""
        self._heard()
        try:
            topic, body = decode(frames)
        except ValueError as error:
            self._notice(f"a broken message was passed over: {error}")
            return None
        verdict = self._continuity.check(topic, body)
        for notice in verdict.notices:
            self._notice(clean(str(notice)))
        if body["type"] == "status" and not self._are_labels_known:
            self._learn_labels(body)
        if verdict.is_repeat or body["type"] not in self._kinds:
            return None
        if body["type"] == "event" and not self._labels.wants(body.get("label")):
            return None
        return Received(
            topic=topic,
            body=body,
            is_replay=body.get("replay") is True,
            received_utc=datetime.now(UTC),
        )

    def _learn_labels(self, status: dict[str, object]) -> None:
        missing = self._labels.missing(status)
        if missing is not None:
            raise UsageError(missing)
        self._are_labels_known = isinstance(status.get("labels"), list)

    def _notice(self, sentence: str) -> None:
        """Pass a sentence on, if not too many came lately; what was left out is told later."""
        if self._notices.left(time.monotonic_ns()) < 1:
            self._n_unsaid += 1
            return
        if self._n_unsaid:
            sentence = f"{sentence} ({self._n_unsaid} notices before it were left out)"
            self._n_unsaid = 0
        self._notices.take(1)
        self._on_notice(sentence)

    def _heard(self) -> None:
        self._heard_at = time.monotonic()
        if self._is_silent:
            self._is_silent = False
            self._notice(f"{self._endpoint} is back")

    def _notice_silence(self) -> None:
        silence_s = time.monotonic() - self._heard_at
        if silence_s >= self._silence_s and not self._is_silent:
            self._is_silent = True
            self._notice(
                f"nothing from {self._endpoint} for {silence_s:.0f} s, not even a heartbeat; "
                f"{self._hint}"
            )


def hint_of(curve: Path | str | None) -> str:
    """Return what may be wrong where nothing comes, for the end of a sentence."""
    if curve is None:
        return "is mafnet-live running, and without --curve?"
    return f"is mafnet-live running, is {curve}/server.key its key, and does it allow this one?"


def _prefixes(kinds: Sequence[str], sources: Sequence[str]) -> tuple[str, ...]:
    """Return what to subscribe to; heartbeats always, for they tell of losses and of silence."""
    wanted = [kind for kind in kinds if kind != "heartbeat"]
    if sources:
        topics = [f"{kind}/{source}/" for kind in wanted for source in sources]
    else:
        topics = [f"{kind}/" for kind in wanted]
    return (*topics, "heartbeat/")
