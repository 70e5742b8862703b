"""Teaching from end to end: what was shown is heard, learned, put in use and compared."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import torch

from extractors.errors import ExtractorError
from mafnet.load import load_head
from teaching.errors import TeachError
from teaching.examples import load_examples, save_examples
from teaching.folder import TaughtFolder
from teaching.heard import Listener
from teaching.lessons import By, Item, Known, make_lessons
from teaching.reference import load_reference
from teaching.report import as_plain, lines_of, report_of
from teaching.rows import Row, with_rows
from teaching.shown import Shown
from weights.bundle import Bundle, load_bundle
from weights.printable import clean
from weights.store import default_home
from weights.tensor_files import load_tensors

logger = logging.getLogger(__name__)

Say = Callable[[dict[str, Any]], None]
N_THREADS = 2


def teach(
    folder: TaughtFolder, name: str, shown: list[Shown], say: Say, origin: str, by: By | None = None
) -> Bundle:
    """Learn from what is shown, and put the bundle in use in a folder.

    Args:
        folder: Where.
        name: The bundle that teaching begins with, where the folder has none yet.
        shown: Examples, corrected events.
        say: Told each step.
        origin: From what, for the record.
        by: The sense to learn by; None for sound where there is any.

    Raises:
        TeachError: Nothing was learned; the folder has the bundle that it had.
        ExtractorError: A trunk cannot run here.
        WeightsError: The bundle cannot be used.
    """
    began = time.monotonic()
    torch.set_num_threads(N_THREADS)
    source = load_bundle(name)
    if source.head.evidence is None:
        raise TeachError(
            f"the bundle {source.name} has no class evidence to put a label beside: teach the "
            "starter, or train one with `python -m mafnet train`"
        )
    sound, picture = load_reference(source)
    before = folder.begin(source)
    listener = Listener(source, default_home(), folder.path / "heard")
    items = _listen(shown, listener, say)
    model = load_head(before)
    examples = load_examples(folder.path, before)
    known = Known(bundle=before, model=model, sound=sound, picture=picture, examples=examples)
    made = datetime.now(UTC).isoformat(timespec="milliseconds")
    torch.set_num_threads(1)  # products so small that a second thread only waits
    say({"step": "learning", "done": 0, "of": 1})
    lessons = make_lessons(items, known, made=made, origin=origin, by=by)
    if not lessons.rows:
        why = "; ".join(lessons.left_out) or "all that was shown is told as it should be already"
        raise TeachError(f"nothing was learned: {why}")
    changed, state = with_rows(before, load_tensors(before.head.weights), lessons.rows, {})
    after = folder.add(_described(changed, folder.n_steps() + 1, lessons.rows), state)
    save_examples(folder.path, made, lessons.examples)
    say({"step": "comparing", "done": 0, "of": 1})
    report = report_of(items, lessons, (before, model), (after, load_head(after)))
    say(
        {
            "taught": name_of(after),
            "folder": str(folder.path),
            "seconds": round(time.monotonic() - began, 1),
            "report": as_plain(report),
            "text": lines_of(report),
        }
    )
    return after


def _listen(shown: list[Shown], listener: Listener, say: Say) -> list[Item]:
    items, faults = [], []
    for k, each in enumerate(shown):
        say({"step": "listening", "done": k, "of": len(shown)})
        try:
            items.append(Item(shown=each, heard=listener.listen(each.path, each.span)))
        except ExtractorError as error:
            faults.append(str(error))
            logger.warning("left out: %s", clean(str(error)))
    if not items:
        raise TeachError(f"no clip could be read: {faults[0]}")
    return items


def _described(bundle: Bundle, step: int, rows: Sequence[Row]) -> Bundle:
    root, _, _ = bundle.version.partition("+taught.")
    told = ", ".join(
        f"{'not ' if row.lesson.denies else ''}{row.lesson.label} ({row.lesson.origin})"
        for row in rows
    )
    provenance = f"{bundle.provenance} Taught by its user: {told}."
    return replace(bundle, version=f"{root}+taught.{step}", provenance=provenance)


def name_of(bundle: Bundle) -> str:
    """Return what a bundle is called, with its version."""
    return f"{bundle.name} {bundle.version}"
