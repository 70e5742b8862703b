"""Which split a file belongs to: by its folder's or column's name, or dealt out by its name's hash.

A recording is never parted: files of one group go to one split, whatever their labels. The same
files are always dealt the same way. Opens nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from extractors.errors import DataSetError

if TYPE_CHECKING:
    from extractors.datasets import MediaItem

SPLITS: Final = ("train", "val", "test")
UNDEALT: Final = ""
_NAMES: Final = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "val"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
_HELD_SHARE: Final = 0.15  # of a label's files, for validation and again for the test
_CUT: Final = re.compile(r"(?P<recording>.*[^\d])\d+$")  # rec12_003: the last number counts cuts


def split_of(name: str) -> str | None:
    """Return the split that a folder's or a table's name means, or None."""
    return _NAMES.get(name.casefold())


def split_names() -> str:
    """Return all names of splits, for a message."""
    return ", ".join(_NAMES)


def deal(items: Iterable[MediaItem]) -> tuple[MediaItem, ...]:
    """Give a split to every item that has none; train comes before val before test.

    Each label's groups (a file without one is its own) are dealt out 70/15/15 in the order of
    their names' hashes, so that three of them fill all three splits. A group that an earlier label
    has dealt already stays there.
    """
    dealt = list(items)
    names: dict[str, set[tuple[bool, str]]] = {}
    for item in dealt:
        if item.split == UNDEALT:
            names.setdefault(item.label, set()).add(_key(item))
    splits: dict[tuple[bool, str], str] = {}
    for keys in names.values():
        free = sorted(keys - splits.keys(), key=lambda key: _rank(key[1]))
        n_held = max(round(_HELD_SHARE * len(keys)), 1 if len(keys) >= len(SPLITS) else 0)
        for split in SPLITS[1:]:
            n_lacking = max(0, n_held - sum(splits.get(key) == split for key in keys))
            splits.update(dict.fromkeys(free[:n_lacking], split))
            free = free[n_lacking:]
        splits.update(dict.fromkeys(free, SPLITS[0]))
    given = (
        replace(item, split=splits[_key(item)], is_dealt=True) if item.split == UNDEALT else item
        for item in dealt
    )
    return tuple(sorted(given, key=lambda item: SPLITS.index(item.split)))


def deal_again(items: Iterable[MediaItem]) -> tuple[MediaItem, ...]:
    """Deal out what had been dealt, now that some files have proved useless; as `deal`."""
    return deal(replace(item, split=UNDEALT) if item.is_dealt else item for item in items)


def grouped(items: Iterable[MediaItem], pattern: re.Pattern[str] | None) -> list[MediaItem]:
    """Name the recording of each item that has no group: what a pattern finds in its id.

    Args:
        items: Before they are dealt.
        pattern: Its first group, or else all that it matches; None leaves the items as they are.

    Raises:
        DataSetError: It is found in no item.
    """
    if pattern is None:
        return list(items)
    named = []
    n_found = 0
    for item in items:
        found = pattern.search(item.id)
        n_found += found is not None
        group = (found[1] if pattern.groups else found[0]) if found else None
        named.append(replace(item, group=item.group or group or ""))
    if not n_found:
        raise DataSetError(f"the pattern {pattern.pattern!r} is found in no file's name")
    return named


def label_remarks(items: Iterable[MediaItem]) -> Iterator[str]:
    """Say that there is nothing to tell apart, which training refuses."""
    labels = {label for item in items for label in (item.label, *item.others)}
    if len(labels) == 1:
        yield (
            f"all files are of one label, {labels.pop()}: training wants another one, or takes "
            "these as --background-features"
        )


def split_remarks(items: Iterable[MediaItem]) -> Iterator[str]:
    """Say what of the splits makes a result too good: cuts of a recording on several sides."""
    of_group: dict[str, set[str]] = {}
    of_stem: dict[tuple[str, str], list[MediaItem]] = {}
    n_of_label: Counter[str] = Counter()
    for item in items:
        if item.group:
            of_group.setdefault(item.group, set()).add(item.split)
        elif item.is_dealt:
            n_of_label[item.label] += 1
            cut = _CUT.match(PurePath(item.id).stem)
            if cut is not None:
                of_stem.setdefault((item.label, cut["recording"]), []).append(item)
    parted = [group for group, splits in of_group.items() if len(splits) > 1]
    if parted:
        yield f"{len(parted)} recordings are in several splits (the first: {parted[0]})"
    # bark_1 to bark_40 are numbered files; several such rows in a label are cuts.
    n_stems = Counter(label for label, _ in of_stem)
    cut_up = [
        found
        for (label, _), found in of_stem.items()
        if n_stems[label] > 1 and 1 < len(found) < n_of_label[label]
        if len({item.split for item in found}) > 1
    ]
    if cut_up:
        yield (
            f"{len(cut_up)} groups of files look like cuts of one recording and are in several "
            f"splits ({cut_up[0][0].id}, {cut_up[0][1].id}, …): keep them together with "
            r"--group '(.*)_\d+' or a table's column group"
        )


def _key(item: MediaItem) -> tuple[bool, str]:
    return (True, item.group) if item.group else (False, item.id)


def _rank(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
