"""`python -m realtime.history`: what happened, from the database of `--history`.

    python -m realtime.history list events.db --label Siren --since 2026-11-30
    python -m realtime.history export events.db --format csv --to events.csv
    python -m realtime.history stats events.db --by hour
    python -m realtime.history correct events.db ID --was Kettle

Exit codes: 0 done, 1 the file cannot be used, 2 usage.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

from realtime.client.command import run_command
from realtime.errors import OutputError, UsageError
from realtime.outputs.history.reader import (
    HistoryReader,
    Wanted,
    correct,
    plain,
    take_back,
    utc_text,
)
from realtime.outputs.history.schema import open_to_read, open_to_write
from weights.files import written_whole
from weights.paths import to_path
from weights.printable import PlainParser, clean, clean_lines, json_text
from weights.program import called_as

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FORMATS = ("csv", "jsonl")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run_command("history", make_parser().parse_args(argv))


def make_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    parser = PlainParser(
        prog=called_as("realtime.history"),
        description="What happened: the events that mafnet-live --history kept.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="events as lines, the newest last")
    _add_filters(listing, limit=50)
    listing.set_defaults(run=_list)

    exporting = commands.add_parser("export", help="events as CSV or JSON Lines")
    _add_filters(exporting, limit=None)
    exporting.add_argument("--format", choices=FORMATS, default="csv", help="(%(default)s)")
    exporting.add_argument("--to", type=to_path, metavar="FILE", help="where to (stdout)")
    exporting.set_defaults(run=_export)

    counting = commands.add_parser("stats", help="how many events, by label, hour or source")
    _add_filters(counting, limit=None)
    counting.add_argument(
        "--by", choices=("label", "hour", "source"), default="label", help="(%(default)s)"
    )
    counting.add_argument("--json", action="store_true", help="as JSON lines")
    counting.set_defaults(run=_stats)

    correcting = commands.add_parser("correct", help="say whether an event was right")
    correcting.add_argument("file", type=to_path, help="the history")
    correcting.add_argument("event", help="its id, as list gives it")
    verdict = correcting.add_mutually_exclusive_group(required=True)
    verdict.add_argument("--right", action="store_true", help="it was what was told")
    verdict.add_argument("--wrong", action="store_true", help="nothing of the kind happened")
    verdict.add_argument("--was", metavar="LABEL", help="it was this")
    verdict.add_argument("--undo", action="store_true", help="take the newest word back")
    correcting.set_defaults(run=_correct)
    return parser


def _add_filters(parser: argparse.ArgumentParser, limit: int | None) -> None:
    parser.add_argument("file", type=to_path, help="the history")
    parser.add_argument("--label", action="append", default=[], help="only this, in any case")
    parser.add_argument("--source", action="append", default=[], help="only this stream")
    parser.add_argument("--since", type=moment_ms, metavar="TIME", help="from this UTC time on")
    parser.add_argument("--until", type=moment_ms, metavar="TIME", help="before this UTC time")
    parser.add_argument(
        "--confidence", type=_share, default=0.0, metavar="P", help="at least so sure (0)"
    )
    parser.add_argument(
        "--limit",
        type=_count,
        default=limit,
        metavar="N",
        help=f"the newest N ({'all' if limit is None else limit})",
    )


def _wanted(arguments: argparse.Namespace) -> Wanted:
    return Wanted(
        labels=tuple(arguments.label),
        sources=tuple(arguments.source),
        since_ms=arguments.since,
        until_ms=arguments.until,
        least_confidence=arguments.confidence,
        limit=arguments.limit,
    )


def _list(arguments: argparse.Namespace) -> int:
    with closing(open_to_read(arguments.file)) as connection:
        reader = HistoryReader(connection)
        rows = list(reader.events(_wanted(arguments)))
        n_events = reader.n_events(Wanted())
    for row in reversed(rows):
        print(_line(row))
    if not n_events:
        print("the history is empty: nothing has happened yet", file=sys.stderr)
    elif not rows:
        print(f"none of the {n_events:,} events fits what was asked for", file=sys.stderr)
    return 0


def _line(row: dict[str, object]) -> str:
    event = plain(row)
    lasted = ""
    if isinstance(event["offset_t_s"], float) and isinstance(event["onset_t_s"], float):
        lasted = f" {event['offset_t_s'] - event['onset_t_s']:.1f} s"
    words = [
        f"{event['onset']} {event['source']} {event['label']}",
        f"{event['confidence']:.2f}{lasted}",
    ]
    if event["state"] != "ended":
        words.append(f"({event['state']})")
    if event["verdict"] is not None:
        words.append(f"[{event['corrected'] or event['verdict']}]")
    if event["recording"] is not None:
        words.append(str(event["recording"]))
    words.append(f"id {event['id']}")
    return clean(" ".join(words))


def _export(arguments: argparse.Namespace) -> int:
    with closing(open_to_read(arguments.file)) as connection:
        rows = (plain(row) for row in HistoryReader(connection).events(_wanted(arguments)))
        if arguments.to is None:
            _write(rows, arguments.format, sys.stdout)
            return 0
        try:
            with (
                written_whole(arguments.to) as unfinished,
                unfinished.open("w", encoding="utf-8", newline="") as file,
            ):
                _write(rows, arguments.format, file)
        except OSError as error:
            raise OutputError(f"{arguments.to} cannot be written: {error.strerror}") from error
    return 0


def _write(rows: Iterable[dict[str, object]], kind: str, to: TextIO) -> None:
    if kind == "jsonl":
        for row in rows:
            to.write(json_text(row) + "\n")
        return
    writer: csv.DictWriter[str] | None = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(to, list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow({name: _cell(value) for name, value in row.items()})


def _cell(value: object) -> object:
    """Return what a spreadsheet shows and does not run."""
    if isinstance(value, str):
        value = clean(value)
        return f"'{value}" if value.startswith(("=", "+", "-", "@")) else value
    return value


def _stats(arguments: argparse.Namespace) -> int:
    with closing(open_to_read(arguments.file)) as connection:
        counts = HistoryReader(connection).counts(arguments.by, _wanted(arguments))
    if arguments.json:
        for row in counts:
            print(json_text(row))
        return 0
    text = io.StringIO()
    text.write(
        f"{'events':>7} {'seconds':>9} {'mean':>5} {'right':>5} {'wrong':>5}  {arguments.by}\n"
    )
    for row in counts:
        text.write(
            f"{row['events']:>7} {row['seconds']:>9.1f} {row['confidence']:>5.2f} "
            f"{row['right']:>5} {row['wrong']:>5}  {clean(str(row['what']))}\n"
        )
    print(clean_lines(text.getvalue().rstrip("\n")))
    return 0


def _correct(arguments: argparse.Namespace) -> int:
    if not arguments.file.is_file():
        raise OutputError(f"there is no history {arguments.file}")
    with closing(open_to_write(arguments.file)) as connection:
        if arguments.undo:
            if not take_back(connection, arguments.event):
                raise UsageError(f"nobody said anything of the event {arguments.event}")
        elif arguments.was is not None:
            correct(connection, arguments.event, "other", arguments.was)
        else:
            correct(connection, arguments.event, "right" if arguments.right else "wrong")
    return 0


def moment_ms(text: str) -> int:
    """Read a time of a flag, UTC where it says nothing else, as milliseconds since 1970."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return round(moment.timestamp() * 1000)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"must be a time such as 2026-11-30 or {utc_text(0)}, got {text}"
        ) from None


def _share(text: str) -> float:
    value = float(text)
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"must be from 0 to 1, got {text}")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, got {text}")
    return value
