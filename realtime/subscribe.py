"""A client: `python -m realtime.subscribe` prints what a recognizer publishes, and notices losses.

`Subscriber` is the same thing for programs:

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

import argparse
import json
import logging
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import NoReturn

import zmq

from realtime.addresses import at_home, require_brackets
from realtime.errors import RecognizerError, UsageError
from realtime.event import Event
from realtime.outputs.allowance import Allowance
from realtime.outputs.continuity import Continuity
from realtime.outputs.curve_files import read_client_keys
from realtime.outputs.health import Health
from realtime.outputs.lines import message_line
from realtime.outputs.unread import Unread
from realtime.outputs.wanted_labels import WantedLabels
from realtime.redaction import redacted, redacted_location
from weights.paths import to_path
from weights.printable import PlainParser, clean, json_text
from weights.program import called_as

logger = logging.getLogger(__name__)

DEFAULT_ENDPOINT = "tcp://127.0.0.1:5556"  # as realtime.config.DEFAULT_BIND, without its imports
KINDS = ("event", "prediction", "status", "heartbeat")
VERSION = 1
SILENCE_S = 5.0  # five heartbeats at their usual interval
MAX_MESSAGE_BYTES = 4 << 20  # ten minutes of attention map are 20 kB
MAX_UNREAD_BYTES = 2 * MAX_MESSAGE_BYTES  # without one whole message among them
READ_AHEAD = 32  # messages that libzmq reads before they are taken
MAX_TOPIC_BYTES = 512
MAX_TEXT = 100  # characters of `run` and `type`
MAX_SEQ = 10**24  # above any number of messages
NOTICES_AT_ONCE, NOTICES_PER_S = 100, 2  # what a hostile publisher may have us say
POLL_MS = 200
NEEDED = {"run": str, "type": str, "seq": int, "topic_seq": int}


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A message as it came: see docs/reference/messages.md for the body's fields.

    Attributes:
        topic: Such as `event/front-door/`.
        body: The JSON object.
        is_replay: It tells the state at the time of subscribing, not something new.
    """

    topic: str
    body: dict[str, object]
    is_replay: bool

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
        self._hint = _hint(curve)
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
        return Received(topic=topic, body=body, is_replay=body.get("replay") is True)

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


def _hint(curve: Path | str | None) -> str:
    if curve is None:
        return "is mafnet-live running, and without --curve?"
    return f"is mafnet-live running, is {curve}/server.key its key, and does it allow this one?"


def decode(frames: Sequence[bytes]) -> tuple[str, dict[str, object]]:
    """Check that frames are a message of this protocol.

    Returns:
        The topic and the body, with `run`, `type`, `seq` and `topic_seq` of the right types.

    Raises:
        ValueError: They are not; the text says why.
    """
    if len(frames) != 2:
        raise ValueError(f"it has {len(frames)} frames, 2 are topic and JSON")
    if len(frames[0]) > MAX_TOPIC_BYTES:
        raise ValueError(f"its topic has {len(frames[0])} bytes, {MAX_TOPIC_BYTES} are the most")
    try:
        topic = frames[0].decode()
        body = json.loads(frames[1], parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError as error:
        raise ValueError("its JSON is nested too deep") from error
    except UnicodeDecodeError as error:
        raise ValueError("it is not UTF-8") from error
    except ValueError as error:
        raise ValueError(f"it is not JSON ({clean(str(error))})") from error
    if not isinstance(body, dict):
        raise ValueError(f"its JSON is not an object but {type(body).__name__}")
    if body.get("v") != VERSION:
        raise ValueError(
            f"its version is {clean(repr(body.get('v')))[:20]}, this client reads {VERSION}"
        )
    for name, kind in NEEDED.items():
        value = body.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ValueError(f"its field {name!r} is missing or not {kind.__name__}")
        if isinstance(value, str) and len(value) > MAX_TEXT:
            raise ValueError(f"its field {name!r} has more than {MAX_TEXT} characters")
        if isinstance(value, int) and abs(value) > MAX_SEQ:
            raise ValueError(f"its field {name!r} is too large")
    return topic, body


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):  # 1e999: Python reads infinity, and would write `Infinity`
        raise ValueError("a number in it is too large")
    return value


def _prefixes(kinds: Sequence[str], sources: Sequence[str]) -> tuple[str, ...]:
    """Return what to subscribe to; heartbeats always, for they tell of losses and of silence."""
    wanted = [kind for kind in kinds if kind != "heartbeat"]
    if sources:
        topics = [f"{kind}/{source}/" for kind in wanted for source in sources]
    else:
        topics = [f"{kind}/" for kind in wanted]
    return (*topics, "heartbeat/")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0 done, 1 not all came, 2 usage, 130 Ctrl-C.

    With `--health` it is 0 if recognition goes on, 1 if not.
    """
    arguments = _parser().parse_args(argv)
    try:
        return _check_health(arguments) if arguments.health else _print_messages(arguments)
    except RecognizerError as error:
        print(clean(redacted(f"subscribe: {error}")), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain again at its own exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


class _Parser(PlainParser):
    """Does not repeat a password when it complains about a flag."""

    def error(self, message: str) -> NoReturn:
        super().error(redacted(message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog=called_as("realtime.subscribe"),
        description="Print the events that a running recognizer publishes, and notice losses.",
    )
    parser.add_argument("endpoint", nargs="?", default=DEFAULT_ENDPOINT, help="(%(default)s)")
    parser.add_argument("--json", action="store_true", help="print messages as JSON lines")
    parser.add_argument(
        "--label", action="append", default=[], help="only events with this label, in any case"
    )
    parser.add_argument("--source", action="append", default=[], help="only this stream")
    parser.add_argument(
        "--topic", action="append", choices=(*KINDS, "all"), help="which messages (event)"
    )
    parser.add_argument(
        "--curve", type=to_path, metavar="DIR", help="this client's keys, for mafnet-live --curve"
    )
    parser.add_argument("--count", type=_positive(int), metavar="N", help="end after N messages")
    parser.add_argument("--timeout", type=_positive(float), metavar="S", help="end after S seconds")
    parser.add_argument(
        "--health", action="store_true", help="say whether recognition goes on; exit code 0 or 1"
    )
    parser.add_argument(
        "--max-age",
        type=_positive(float),
        default=SILENCE_S,
        metavar="S",
        help="with --health: how long to wait for a sign of it, two heartbeats at least (5)",
    )
    return parser


def _positive(kind: type[int] | type[float]) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = kind(text)
        if not value > 0 or value == float("inf"):
            raise argparse.ArgumentTypeError(f"must be above 0, got {text}")
        return value

    return read


def _check_health(arguments: argparse.Namespace) -> int:
    deadline = time.monotonic() + arguments.max_age
    health = Health()
    is_well = has_beaten = False
    with Subscriber(
        arguments.endpoint, ("heartbeat",), curve=arguments.curve, silence_s=float("inf")
    ) as subscriber:
        while not is_well and (left_s := deadline - time.monotonic()) > 0:
            message = subscriber.receive(left_s)
            if message is not None:
                has_beaten = True
                is_well = health.observe(message.body)
    hint = (
        ""
        if has_beaten
        else f" from {clean(redacted_location(arguments.endpoint))}; {_hint(arguments.curve)}"
    )
    seconds = "" if is_well else f" within {arguments.max_age:g} s"
    print(f"{'well' if is_well else 'not well'}: {health.describe()}{seconds}{hint}")
    return 0 if is_well else 1


def _print_messages(arguments: argparse.Namespace) -> int:
    topics = arguments.topic or ["event"]
    kinds = KINDS if "all" in topics else tuple(dict.fromkeys(topics))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # JSON stays JSON: what cannot be encoded becomes \uXXXX, which JSON reads back.
            stream.reconfigure(errors="backslashreplace")
    deadline = None if arguments.timeout is None else time.monotonic() + arguments.timeout
    n_printed = 0
    with Subscriber(
        arguments.endpoint,
        kinds,
        sources=arguments.source,
        labels=arguments.label,
        curve=arguments.curve,
        on_notice=lambda text: print(f"subscribe: {text}", file=sys.stderr, flush=True),
    ) as subscriber:
        while arguments.count is None or n_printed < arguments.count:
            left_s = 1.0 if deadline is None else deadline - time.monotonic()
            if left_s <= 0:
                break
            message = subscriber.receive(min(1.0, left_s))
            if message is None:
                continue
            line = json_text(message.body) if arguments.json else message_line(message.body)
            print(line, flush=True)
            n_printed += 1
    if arguments.count is None or n_printed == arguments.count:
        return 0
    wanted = f"{arguments.count} message{'' if arguments.count == 1 else 's'}"
    print(
        f"subscribe: {wanted} wanted, {n_printed} came within {arguments.timeout:g} s; "
        "is --timeout long enough, and do events of this kind happen?",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
