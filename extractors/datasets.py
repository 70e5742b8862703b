"""Lists of labelled media: AVE's layout, a folder per label, or CSV tables.

Says which files there are, what they show and which split they belong to; opens none of them. A
file that is listed and not there is kept in the list: extraction leaves it out with the reason.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from extractors.errors import DataSetError
from extractors.media import PICTURE_SUFFIXES, SOUND_SUFFIXES, VIDEO_SUFFIXES
from weights.ave import AVE_LABELS
from weights.paths import shown

SPLITS: Final = ("train", "val", "test")
_UNDEALT: Final = ""
_HELD_SHARE: Final = 0.15  # of a label's files, for validation and again for the test
BACKGROUND: Final = "Background"
_AVE_FIELDS: Final = 5  # Category&VideoID&Quality&StartTime&EndTime


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
        label: What it shows; the first one, where `spans` has several.
        split: "train", "val" or "test".
        group: What must not be parted between splits (a recording, a speaker).
        spans: Where the label holds; empty when the list does not tell.
    """

    id: str
    path: Path
    label: str
    split: str
    group: str = ""
    spans: tuple[LabelledSpan, ...] = ()

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
    """

    labels: tuple[str, ...]
    items: tuple[MediaItem, ...] = field(repr=False)
    n_clips: int | None = None


def read_ave(root: Path) -> DataSet:
    """Reads AVE's layout: `Annotations.txt`, `{train,val,test}Set.txt` and `AVE/*.mp4`.

    The lists of the splits decide; `Annotations.txt` is not needed. Labels are AVE's 28 when
    all that is listed is among them, otherwise those that are listed, in alphabetical order.

    Raises:
        DataSetError: There is no split list or no `AVE` folder, or a line cannot be read.
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
    labels = AVE_LABELS if found <= set(AVE_LABELS) else tuple(sorted(found))
    return DataSet(labels=labels, items=tuple(items), n_clips=10)


def read_folders(root: Path) -> DataSet:
    """Reads a folder per label, or `train/`, `val/`, `test/` with a folder per label in each.

    Without splits, each label's files are dealt out 70/15/15 in the order of their names'
    hashes: the same folder always gives the same splits, and three files fill all three.

    Raises:
        DataSetError: There is no folder with media in it.
    """
    if not root.is_dir():
        raise DataSetError(f"there is no folder {root}")
    parts = [root / split for split in SPLITS if (root / split).is_dir()]
    items = [
        MediaItem(
            id=shown(str(path.relative_to(root))),
            path=path,
            label=shown(path.relative_to(part).parts[0]),
            split=part.name if parts else _UNDEALT,
        )
        for part in parts or [root]
        for path in sorted(part.glob("*/**/*"))
        if path.suffix.lower() in PICTURE_SUFFIXES | SOUND_SUFFIXES | VIDEO_SUFFIXES
    ]
    if not items:
        raise DataSetError(f"{root} has no folder per label with videos, sounds or pictures")
    return DataSet(labels=_sorted_labels(items), items=_by_split(_dealt(items)))


def read_tables(paths: Sequence[Path]) -> DataSet:
    """Reads CSV tables with the columns file and label.

    A line without a label shows none: `Background`. Further columns are used where they are
    there: split, group, onset_s, offset_s. Files lie relative to their table; several lines
    about one file are its spans.

    Raises:
        DataSetError: A table cannot be read, or a line lacks what it must have.
    """
    rows: dict[Path, list[tuple[str, dict[str, str]]]] = {}
    for table in paths:
        for number, row in _read_csv(table):
            where = f"{table}, line {number}"
            if not row.get("file"):
                raise DataSetError(f"{where}: file must not be empty")
            # Several labels at a time, a|b: a window has one target, the first.
            row["label"] = (row.get("label") or BACKGROUND).split("|")[0].strip()
            rows.setdefault(table.parent / row["file"], []).append((where, row))
    items = [_table_item(path, lines) for path, lines in rows.items()]
    if not items:
        raise DataSetError(f"{', '.join(map(str, paths))}: no line names a file")
    return DataSet(labels=_sorted_labels(items), items=_by_split(_dealt(items)))


def _read_ave_split(path: Path, split: str, videos: Path) -> list[MediaItem]:
    items: list[MediaItem] = []
    for number, line in enumerate(_read_text(path).splitlines(), start=1):
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
    if path.suffix.lower() not in PICTURE_SUFFIXES | SOUND_SUFFIXES | VIDEO_SUFFIXES:
        raise DataSetError(f"{where}: {path.name} is no video, sound or picture by its name")
    split = first.get("split") or _UNDEALT
    if split not in (*SPLITS, _UNDEALT):
        raise DataSetError(f"{where}: split must be one of {', '.join(SPLITS)}, got {split!r}")
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
        return LabelledSpan(label=label, onset_s=float(onset), offset_s=float(offset))
    except ValueError as error:
        raise DataSetError(f"{where}: onset and offset must be seconds") from error


def _read_csv(path: Path) -> Iterable[tuple[int, dict[str, str]]]:
    reader = csv.DictReader(io.StringIO(_read_text(path), newline=""))
    if not {"file", "label"} <= set(reader.fieldnames or ()):
        raise DataSetError(f"{path}: the first line must name the columns file and label")
    return enumerate(reader, start=2)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise DataSetError(f"cannot read {path}: {reason}") from error


def _dealt(items: Iterable[MediaItem]) -> list[MediaItem]:
    """Gives a split to every item that has none; a group is never parted within its label."""
    dealt = list(items)
    keys: dict[str, set[str]] = {}
    for item in dealt:
        if item.split == _UNDEALT:
            keys.setdefault(item.label, set()).add(item.group or item.id)
    splits: dict[tuple[str, str], str] = {}
    for label, names in keys.items():
        shuffled = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
        n_held = max(round(_HELD_SHARE * len(names)), 1 if len(names) >= len(SPLITS) else 0)
        for rank, name in enumerate(shuffled):
            splits[label, name] = SPLITS[1 + rank // n_held if rank < 2 * n_held else 0]
    return [
        replace(item, split=splits[item.label, item.group or item.id])
        if item.split == _UNDEALT
        else item
        for item in dealt
    ]


def _sorted_labels(items: Iterable[MediaItem]) -> tuple[str, ...]:
    labels = {span.label for item in items for span in item.spans}
    return tuple(sorted(labels | {item.label for item in items}))


def _by_split(items: Iterable[MediaItem]) -> tuple[MediaItem, ...]:
    return tuple(sorted(items, key=lambda item: SPLITS.index(item.split)))
