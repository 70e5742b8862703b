"""`python -m mafnet teach`: what it takes, what it prints, what it writes."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from teaching.errors import TeachError
from weights.bundle import MAX_LABEL_LENGTH, load_bundle
from weights.paths import to_path
from weights.printable import clean, json_text
from weights.store import taught_home

if TYPE_CHECKING:
    from teaching.folder import TaughtFolder
    from teaching.shown import Shown
    from teaching.teach import Say

logger = logging.getLogger(__name__)


def add_teach(commands: Any) -> None:
    """Add the command to `python -m mafnet`'s."""
    teaching = commands.add_parser(
        "teach", help="your own clips or corrections → a bundle that knows one thing more"
    )
    what = teaching.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--clips",
        type=to_path,
        metavar="DIR|CSV",
        help="a folder of 3 to 20 clips of one label, or a table with file, onset_s and offset_s",
    )
    what.add_argument(
        "--from-history",
        type=to_path,
        metavar="FILE",
        help="all that was reviewed; with --label only the events named by --event",
    )
    what.add_argument("--list", action="store_true", help="what was taught, when, from what")
    what.add_argument("--undo", action="store_true", help="go back to the bundle before")
    teaching.add_argument("--label", help="what the clips are; a new label or one that is known")
    teaching.add_argument(
        "--event", action="append", default=[], metavar="ID", help="an event of the history"
    )
    teaching.add_argument(
        "--recordings", type=to_path, metavar="DIR", help="of the history; its own folder"
    )
    teaching.add_argument("--bundle", default="starter", help="where teaching begins (starter)")
    teaching.add_argument(
        "--to", type=to_path, metavar="DIR", help="the taught bundle; `taught` in the store"
    )
    teaching.add_argument(
        "--by", choices=("sound", "picture"), help="the sense to learn by; sound where there is any"
    )
    teaching.add_argument("--json", action="store_true", help="print a line of JSON a step")
    teaching.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Do it; return the exit code."""
    from extractors.errors import ExtractorError
    from teaching.folder import TaughtFolder
    from teaching.teach import name_of, teach  # imports the trunks: only to teach

    say = _say_json if options.json else _say_lines
    folder = TaughtFolder(taught_home() if options.to is None else options.to)
    try:
        if options.list:
            _list(folder, say)
        elif options.undo:
            bundle = folder.undo()
            say({"undone": name_of(bundle), "labels": len(bundle.labels)})
        else:
            teach(folder, options.bundle, _shown(options), say, _origin(options), options.by)
    except ExtractorError as error:
        raise TeachError(str(error)) from error
    return 0


def _shown(options: argparse.Namespace) -> list[Shown]:
    from teaching.shown import of_folder, of_history, of_table

    label = options.label
    if label is not None:
        label = label.strip()
        if not label or len(label) > MAX_LABEL_LENGTH or clean(label) != label:
            raise TeachError(f"--label must be a text of 1 to {MAX_LABEL_LENGTH} characters")
    if options.clips is not None:
        if label is None:
            raise TeachError("--clips wants --label: say what the clips are")
        if options.clips.suffix.lower() == ".csv":
            return of_table(options.clips, label)
        return of_folder(options.clips, label)
    if (label is None) != (not options.event):
        raise TeachError("--label and --event go together: the events named are of that label")
    recordings = options.recordings or options.from_history.parent
    shown, n_left = of_history(options.from_history, recordings, tuple(options.event), label)
    if n_left:
        logger.warning("%d reviewed events have no finished clip, so they are left out", n_left)
    if not shown:
        raise TeachError(
            f"{options.from_history} has no reviewed event with a clip in {recordings}: review "
            "some, and record with --record"
        )
    return shown


def _origin(options: argparse.Namespace) -> str:
    place: Path = options.clips if options.clips is not None else options.from_history
    return clean(place.name)[:100] or "."


def _list(folder: TaughtFolder, say: Say) -> None:
    lessons: tuple[Any, ...] = ()
    name = ""
    if folder.is_there:
        bundle = load_bundle(folder.path)
        name = f"{bundle.name} {bundle.version}"
        lessons = bundle.head.evidence.lessons if bundle.head.evidence is not None else ()
    say(
        {
            "list": [
                {"label": each.label, "denies": each.denies, "made": each.made, "from": each.origin}
                for each in lessons
            ],
            "bundle": name,
            "undo": folder.n_steps(),
        }
    )


def _say_json(said: dict[str, Any]) -> None:
    print(json_text(said), flush=True)


def _say_lines(said: dict[str, Any]) -> None:
    if "list" in said:
        for each in said["list"]:
            what = f"not {each['label']}" if each["denies"] else each["label"]
            print(clean(f"{each['made'][:19]}  {what}  {each['from']}"))
        if not said["list"]:
            print("nothing was taught")
    elif "undone" in said:
        print(clean(f"{said['undone']} is in use again, with {said['labels']} labels"))
    elif "taught" in said:
        for line in said["text"]:
            print(clean(line))
        print(clean(f"{said['taught']} in {said['folder']}, {said['seconds']} s"))
        print("`mafnet-live --bundle taught` uses it; a run that does takes it on SIGUSR1")
