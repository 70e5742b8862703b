"""What a user shows: clips of a label, stretches of longer files, or what was reviewed.

A history is read through `realtime.outputs.history`, never written. A clip is found by what the
history says and only inside the folder of recordings, as the page finds it.
"""

from __future__ import annotations

import csv
import math
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from extractors.media import PICTURE_SUFFIXES, SOUND_SUFFIXES, VIDEO_SUFFIXES
from realtime.errors import RecognizerError
from realtime.outputs.history.reader import HistoryReader, Wanted
from realtime.outputs.history.schema import open_to_read
from teaching.errors import TeachError
from teaching.heard import MAX_S, Span
from weights.files import inside

MEDIA = PICTURE_SUFFIXES | SOUND_SUFFIXES | VIDEO_SUFFIXES
CONTEXT_S = 2.0  # listened to around a stretch: what is there is not the event
MAX_CLIPS = 500
MAX_CSV_BYTES = 10_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One example.

    Attributes:
        name: For people.
        path: Its file.
        span: What is listened to of it.
        event: Where the event lies in what is listened to, seconds; None where nobody said.
        label: What it is; None where that was not said.
        was_told: What it was taken for and is not; None where nothing was wrong.
    """

    name: str
    path: Path
    span: Span
    event: tuple[float, float] | None = None
    label: str | None = None
    was_told: str | None = None


def of_folder(folder: Path, label: str) -> list[Shown]:
    """Return all media files of a folder as examples of a label.

    Raises:
        TeachError: There are none, or too many.
    """
    if not folder.is_dir():
        raise TeachError(f"{folder} is no folder: give --clips a folder of clips or a CSV file")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in MEDIA and p.is_file())
    shown = [Shown(name=p.name, path=p, span=Span(), label=label) for p in files]
    return _counted(shown, str(folder))


def of_table(table: Path, label: str) -> list[Shown]:
    """Return the stretches that a CSV file lists: `file`, `onset_s`, `offset_s`.

    Raises:
        TeachError: A column or a number is missing, or a time makes no sense.
    """
    try:
        if table.stat().st_size > MAX_CSV_BYTES:
            raise TeachError(f"{table} is larger than a list of clips is")
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            missing = {"file", "onset_s", "offset_s"} - set(reader.fieldnames or ())
            if missing:
                raise TeachError(
                    f"{table} must have the columns file, onset_s and offset_s, it lacks "
                    f"{', '.join(sorted(missing))}"
                )
            rows = [(line, row) for line, row in enumerate(reader, 2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TeachError(f"{table} cannot be read as CSV ({error})") from error
    return _counted([_stretch(table, line, row, label) for line, row in rows], str(table))


def of_history(
    history: Path, recordings: Path, events: tuple[str, ...] = (), label: str | None = None
) -> tuple[list[Shown], int]:
    """Return what was reviewed and has a clip.

    Args:
        history: The database.
        recordings: The folder that its clips lie in.
        events: Only these, by their ids, reviewed or not; empty for all that were reviewed.
        label: What these are.

    Returns:
        Examples, oldest first, and how many were left out for want of a finished clip.

    Raises:
        TeachError: The history cannot be read, or has no such event.
    """
    try:
        with closing(open_to_read(history)) as connection:
            reader = HistoryReader(connection)
            if events:
                rows = [row for each in events for row in reader.events(Wanted(event=each))]
            else:
                rows = list(reader.events(Wanted(reviewed=True)))
    except RecognizerError as error:
        raise TeachError(str(error)) from error
    if events and len(rows) < len(events):
        raise TeachError(f"the history {history} has {len(rows)} of the {len(events)} events named")
    shown: list[Shown] = []
    for row in sorted(rows, key=lambda row: (row["onset_ms"], row["id"])):
        clip = None if row["recording"] is None else inside(recordings, row["recording"])
        if clip is None or clip.is_symlink() or not clip.is_file() or row["offset_t_s"] is None:
            continue
        is_right = row["verdict"] == "right"
        corrected = label if events else (row["label"] if is_right else row["corrected"])
        was_told = row["label"] if row["verdict"] in ("wrong", "other") else None
        onset_s = max(0.0, row["pre_roll_s"] or 0.0)
        offset_s = onset_s + max(0.5, row["offset_t_s"] - row["onset_t_s"])
        span, event = around(onset_s, offset_s)
        shown.append(
            Shown(
                name=f"{row['label']} in {clip.name}",
                path=clip,
                span=span,
                event=event,
                label=corrected,
                was_told=None if was_told == corrected else was_told,
            )
        )
    return shown[-MAX_CLIPS:], len(rows) - len(shown)


def around(onset_s: float, offset_s: float) -> tuple[Span, tuple[float, float]]:
    """Return what to listen to for an event, and where it lies in that."""
    start_s = max(0.0, onset_s - CONTEXT_S)
    end_s = min(offset_s, onset_s + MAX_S / 4) + CONTEXT_S
    return Span(start_s=start_s, end_s=end_s), (onset_s - start_s, end_s - CONTEXT_S - start_s)


def _stretch(table: Path, line: int, row: dict[str, str], label: str) -> Shown:
    try:
        onset_s, offset_s = float(row["onset_s"]), float(row["offset_s"])
    except (TypeError, ValueError):
        onset_s = offset_s = math.nan
    if not 0.0 <= onset_s < offset_s < math.inf:
        raise TeachError(
            f"{table}, line {line}: onset_s and offset_s must be seconds from 0 on, the first "
            f"smaller, got {row['onset_s']!r:.40} and {row['offset_s']!r:.40}"
        )
    path = table.parent / (row["file"] or "")
    span, event = around(onset_s, offset_s)
    name = f"{path.name} at {onset_s:g} s"
    return Shown(name=name, path=path, span=span, event=event, label=label)


def _counted(shown: list[Shown], where: str) -> list[Shown]:
    if not shown:
        raise TeachError(f"{where} holds no clip; 3 to 20 are wanted")
    if len(shown) > MAX_CLIPS:
        raise TeachError(f"{where} holds {len(shown)} clips; up to {MAX_CLIPS} are taken")
    return shown
