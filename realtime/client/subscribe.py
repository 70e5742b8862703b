"""`python -m realtime.subscribe` prints what a recognizer publishes, and notices losses."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from typing import NoReturn

from realtime.client.subscriber import (
    DEFAULT_ENDPOINT,
    KINDS,
    SILENCE_S,
    Subscriber,
    hint_of,
)
from realtime.errors import RecognizerError
from realtime.outputs.health import Health
from realtime.outputs.terminal.lines import message_line
from realtime.redaction import redacted, redacted_location
from weights.paths import to_path
from weights.printable import PlainParser, clean, json_text
from weights.program import called_as


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code: 0 done, 1 not all came, 2 usage, 130 Ctrl-C.

    With `--health` it is 0 if recognition goes on, 1 if not.
    """
    arguments = make_parser().parse_args(argv)
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


def make_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
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
        else f" from {clean(redacted_location(arguments.endpoint))}; {hint_of(arguments.curve)}"
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
