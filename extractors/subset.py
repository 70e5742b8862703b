"""A smaller data set out of a large one: some labels, some files of each.

The files are chosen by the hash of their names, so that the same call always gives the same ones
and a larger number adds to a smaller one's. Sounds, stills and videos are counted apart, since
pairing wants some of each.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from extractors.datasets import DataSet, MediaItem
from extractors.errors import DataSetError


def subset(data: DataSet, labels: Sequence[str] = (), per_label: int | None = None) -> DataSet:
    """Keeps some labels, and at most so many files of each label, split and kind.

    Args:
        data: The whole; the order of its items is kept.
        labels: Those to keep; none means all.
        per_label: Files of one kind (sound, still, video) that a label keeps in each split.

    Raises:
        DataSetError: A label is not the data set's.
    """
    unknown = [label for label in labels if label not in data.labels]
    if unknown:
        raise DataSetError(f"no label {unknown[0]!r}: there are {', '.join(data.labels)}")
    items = [own for item in data.items if (own := _of_labels(item, labels)) is not None]
    if per_label is not None:
        n_taken: Counter[tuple[str, str, bool, bool]] = Counter()
        chosen = set()
        for item in sorted(items, key=_rank):
            kind = (item.label, item.split, item.is_sound, item.is_picture)
            n_taken[kind] += 1
            if n_taken[kind] <= per_label:
                chosen.add(item.id)
        items = [item for item in items if item.id in chosen]
    kept = tuple(label for label in data.labels if not labels or label in labels)
    return replace(data, labels=kept, items=tuple(items))


def _of_labels(item: MediaItem, labels: Sequence[str]) -> MediaItem | None:
    """Return a file with those of its labels that are kept; None if none is."""
    if not labels:
        return item
    own = [label for label in (item.label, *item.others) if label in labels]
    return replace(item, label=own[0], others=tuple(own[1:])) if own else None


def _rank(item: MediaItem) -> str:
    return hashlib.sha256(item.id.encode()).hexdigest()
