"""Lists of labelled media: AVE's layout, a folder per label, or CSV tables.

Says which files there are, what they show and which split they belong to; opens none of them. A
file that is listed and not there is kept in the list: extraction leaves it out with the reason.
"""

from __future__ import annotations

import csv
import difflib
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from extractors.errors import DataSetError
from extractors.media import PICTURE_SUFFIXES, SOUND_SUFFIXES, VIDEO_SUFFIXES
from extractors.splits import (
    SPLITS,
    UNDEALT,
    deal,
    grouped,
    split_names,
    split_of,
    split_remarks,
)
from weights.ave import AVE_LABELS
from weights.paths import shown

BACKGROUND: Final = "Background"
_AVE_FIELDS: Final = 5  # Category&VideoID&Quality&StartTime&EndTime
_MISSPELT: Final = 0.8  # difflib's ratio from which a label is another one with a slip
_MEDIA: Final = PICTURE_SUFFIXES | SOUND_SUFFIXES | VIDEO_SUFFIXES
_FEW: Final = 5  # names that a remark lists


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledSpan:
    """Where in a file its label is seen or heard, in seconds from the file's start."""

    label: str
    onset_s: float
    offset_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaItem:
    """One labelled file.

    Attributes:
        id: Unique in its data set.
        path: The video, sound or picture.
        label: What it shows; the first one, where there are several.
        others: Further labels of the same file, in a multi-label data set.
        split: "train", "val" or "test".
        group: What must not be parted between splits (a recording, a speaker).
        spans: Where the label holds; empty when the list does not tell.
        is_dealt: Its split was dealt out here, not given.
    """

    id: str
    path: Path
    label: str
    split: str
    group: str = ""
    spans: tuple[LabelledSpan, ...] = ()
    is_dealt: bool = False
    others: tuple[str, ...] = ()

    def in_split(self, split: str) -> MediaItem:
        """Return the same file in another split."""
        return replace(self, split=split)

    @property
    def is_picture(self) -> bool:
        """The file is a still."""
        return self.path.suffix.lower() in PICTURE_SUFFIXES

    @property
    def is_sound(self) -> bool:
        """The file is sound alone, by its name."""
        return self.path.suffix.lower() in SOUND_SUFFIXES


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """Items in a fixed order, train before val before test, and their labels.

    Attributes:
        labels: All labels, in the order of a target's columns.
        items: The files.
        n_clips: Clips of every item, where the data set fixes it.
        remarks: What of it a result would suffer from, a sentence each.
        is_multi_label: A file may have several labels at once.
    """

    labels: tuple[str, ...]
    items: tuple[MediaItem, ...] = field(repr=False)
    n_clips: int | None = None
    remarks: tuple[str, ...] = field(default=(), repr=False)
    is_multi_label: bool = False


def read_ave(root: Path) -> DataSet:
    """Reads AVE's layout: `Annotations.txt`, `{train,val,test}Set.txt` and `AVE/*.mp4`.

    The lists of the splits decide; `Annotations.txt` is not needed. Labels are AVE's 28 when
    all that is listed is among them, otherwise those that are listed, in alphabetical order.

    Raises:
        DataSetError: There is no split list or no `AVE` folder, a line cannot be read, or a label
            is one of AVE's but for a slip.
    """
    videos = root / "AVE"
    if not videos.is_dir():
        raise DataSetError(f"{root} has no AVE folder: give the folder that holds AVE/")
    items: list[MediaItem] = []
    for split in SPLITS:
        path = root / f"{split}Set.txt"
        if path.is_file():
            items += _read_ave_split(path, split, videos)
    if not items:
        raise DataSetError(f"{root} has no trainSet.txt, valSet.txt or testSet.txt with videos")
    found = {item.label for item in items}
    others = sorted(found - set(AVE_LABELS))
    _refuse_slips(others, root)
    labels = tuple(sorted(found)) if others else AVE_LABELS
    remarks = list(split_remarks(items))
    if others:
        remarks.append(
            f"{_listed(others)} not among AVE's labels: the target's columns are the "
            f"{len(labels)} labels that are listed, in alphabetical order"
        )
    return DataSet(labels=labels, items=tuple(items), n_clips=10, remarks=tuple(remarks))


def read_folders(root: Path, group: re.Pattern[str] | None = None) -> DataSet:
    """Reads a folder per label, or `train/`, `val/`, `test/` with a folder per label in each.

    Without splits, files are dealt out (`extractors.splits`). Splits may also be called
    `training`, `validation` and so on.

    Args:
        root: The folder.
        group: Finds in a file's path, from there, the recording that it is a cut of.

    Raises:
        DataSetError: There is no folder with media in it, or the pattern finds nothing.
    """
    if not root.is_dir():
        raise DataSetError(f"there is no folder {root}")
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    parts = {part: split for part in folders if (split := split_of(part.name)) is not None}
    # A folder of files is a label, whatever it is called: there are recordings of trains.
    parts = {part: split for part, split in parts.items() if _holds_folders(part)}
    items = [
        MediaItem(
            id=shown(str(path.relative_to(root))),
            path=path,
            label=shown(path.relative_to(part).parts[0]),
            split=split,
        )
        for part, split in (parts or {root: UNDEALT}).items()
        for path in sorted(part.glob("*/**/*"))
        if _is_media(path)
    ]
    if not items:
        raise DataSetError(f"{root} has no folder per label with videos, sounds or pictures")
    remarks = []
    unused = [path.name for path in folders if parts and path not in parts]
    if unused:
        remarks.append(
            f"{_listed(unused)} not used: beside folders of splits each must be one of "
            f"{split_names()}"
        )
    empty = [
        shown(str(label.relative_to(root)))
        for part in parts or [root]
        for label in sorted(part.iterdir())
        if label.is_dir() and not any(_is_media(path) for path in label.rglob("*"))
    ]
    if empty:
        remarks.append(f"{_listed(empty)} empty of videos, sounds and pictures, so no label")
    return _data_set(grouped(items, group), remarks)


def read_tables(paths: Sequence[Path], group: re.Pattern[str] | None = None) -> DataSet:
    """Reads CSV tables with the columns file and label.

    A line without a label shows none: `Background`. Further columns are used where they are
    there: split, group, onset_s, offset_s. Files lie relative to their table; several lines
    about one file are its spans.

    Args:
        paths: The tables.
        group: Finds in `file` the recording that a file is a cut of, where no column tells it.

    Raises:
        DataSetError: A table cannot be read, a line lacks what it must have, or lines about one
            file contradict one another.
    """
    n_several = 0
    rows: dict[Path, list[tuple[str, dict[str, str]]]] = {}
    for table in paths:
        for number, row in _read_csv(table):
            where = f"{table}, line {number}"
            if not row.get("file"):
                raise DataSetError(f"{where}: file must not be empty")
            # Several labels at a time, a|b: a window has one target, the first.
            named = (row.get("label") or BACKGROUND).split("|")
            n_several += len(named) > 1
            row["label"] = named[0].strip()
            rows.setdefault(table.parent / row["file"], []).append((where, row))
    items = [_table_item(path, lines) for path, lines in rows.items()]
    if not items:
        raise DataSetError(f"{', '.join(map(str, paths))}: no line names a file")
    remarks = []
    if n_several:
        remarks.append(f"{n_several} lines name several labels: the first of each is taught")
    n_mixed = sum(len({span.label for span in item.spans}) > 1 for item in items)
    if n_mixed:
        remarks.append(f"{n_mixed} files have spans of several labels: the first of each is taught")
    return _data_set(grouped(items, group), remarks)


def _data_set(items: Sequence[MediaItem], remarks: Sequence[str]) -> DataSet:
    dealt = deal(items)
    labels = _sorted_labels(items)
    spellings: dict[str, list[str]] = {}
    for label in labels:
        spellings.setdefault(" ".join(label.casefold().split()), []).append(label)
    alike = [" and ".join(names) for names in spellings.values() if len(names) > 1]
    more = [f"labels differ in their spelling alone: {', '.join(alike)}"] if alike else []
    return DataSet(labels=labels, items=dealt, remarks=(*remarks, *more, *split_remarks(dealt)))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return f"{', '.join(names[:_FEW])}{more} {'is' if len(names) == 1 else 'are'}"


def _is_media(path: Path) -> bool:
    return path.suffix.lower() in _MEDIA


def _holds_folders(folder: Path) -> bool:
    return any(path.is_dir() for path in folder.iterdir())


def _refuse_slips(others: Sequence[str], root: Path) -> None:
    for label in others:
        near = difflib.get_close_matches(label, AVE_LABELS, n=1, cutoff=_MISSPELT)
        if near:
            raise DataSetError(f"{root}: no label of AVE is called {label!r}; {near[0]!r} is near")


def _read_ave_split(path: Path, split: str, videos: Path) -> list[MediaItem]:
    items: list[MediaItem] = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip() or line.startswith("Category&"):
            continue
        fields = line.strip().split("&")
        if len(fields) != _AVE_FIELDS or not fields[0] or not fields[1]:
            raise DataSetError(
                f"{path}, line {number}: Category&VideoID&Quality&StartTime&EndTime wanted, "
                f"got {line.strip()!r}"
            )
        label, video_id = fields[0], fields[1]
        if Path(video_id).name != video_id:
            raise DataSetError(f"{path}, line {number}: {video_id!r} is not a video's name")
        span = _span(label, fields[3], fields[4], f"{path}, line {number}")
        items.append(
            MediaItem(
                id=f"{split}/{len(items):05d}/{video_id}",  # AVE lists some videos twice
                path=_ave_video(videos, video_id),
                label=label,
                split=split,
                group=video_id,
                spans=(span,),
            )
        )
    return items


def _ave_video(videos: Path, video_id: str) -> Path:
    named = videos / f"{video_id}.mp4"
    if named.is_file():
        return named
    # AVE has mp4 alone; a folder in its layout may hold other containers.
    others = (videos / f"{video_id}{suffix}" for suffix in sorted(VIDEO_SUFFIXES))
    return next((path for path in others if path.is_file()), named)


def _table_item(path: Path, lines: list[tuple[str, dict[str, str]]]) -> MediaItem:
    where, first = lines[0]
    if not _is_media(path):
        raise DataSetError(f"{where}: {path.name} is no video, sound or picture by its name")
    named = first.get("split") or UNDEALT
    split = split_of(named) if named else UNDEALT
    if split is None:
        raise DataSetError(f"{where}: split must be one of {split_names()}, got {named!r}")
    for line, row in lines[1:]:
        for column in ("split", "label"):
            differs = (row.get(column) or "") != (first.get(column) or "")
            if differs and not (column == "label" and row.get("onset_s") and first.get("onset_s")):
                raise DataSetError(
                    f"{line}: {first['file']} has the {column} {row.get(column)!r} here and "
                    f"{first.get(column)!r} in {where}"
                )
    spans = tuple(
        _span(row["label"], row["onset_s"], row.get("offset_s") or "", line)
        for line, row in lines
        if row.get("onset_s")
    )
    return MediaItem(
        id=first["file"],
        path=path,
        label=first["label"],
        split=split,
        group=first.get("group") or "",
        spans=spans,
    )


def _span(label: str, onset: str, offset: str, where: str) -> LabelledSpan:
    try:
        onset_s, offset_s = float(onset), float(offset)
    except ValueError as error:
        raise DataSetError(f"{where}: onset and offset must be seconds") from error
    if not 0 <= onset_s <= offset_s < math.inf:
        raise DataSetError(
            f"{where}: the onset must be 0 or more and not after the offset, got {onset} and "
            f"{offset}"
        )
    return LabelledSpan(label=label, onset_s=onset_s, offset_s=offset_s)


def _read_csv(path: Path) -> Iterable[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
    if not {"file", "label"} <= set(reader.fieldnames or ()):
        raise DataSetError(f"{path}: the first line must name the columns file and label")
    return enumerate(reader, start=2)


def read_text(path: Path) -> str:
    """Read a list or a table.

    Raises:
        DataSetError: It cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise DataSetError(f"cannot read {path}: {reason}") from error


def _sorted_labels(items: Iterable[MediaItem]) -> tuple[str, ...]:
    labels = {span.label for item in items for span in item.spans}
    return tuple(sorted(labels | {item.label for item in items}))
