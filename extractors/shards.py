"""Shards of an extraction as columns: names on the way to a worker, outcomes on the way back.

What is sent is small: no picture, no sound and no feature.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from extractors.datasets import MediaItem
from extractors.errors import StoreError
from extractors.file_work import Outcome

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rows = dict[str, "NDArray[Any]"]  # columns of a shard, an entry a file


def shard_of(items: Sequence[tuple[int, MediaItem]]) -> Rows:
    """Return a shard's columns: `index`, int64, and `path`, bytes, of numbered files."""
    paths = np.empty(len(items), object)
    paths[:] = [os.fsencode(item.path.absolute()) for _, item in items]
    return {"index": np.array([index for index, _ in items], np.int64), "path": paths}


def files_of(shard: Rows) -> Iterator[tuple[int, MediaItem]]:
    """Yield a shard's files with their numbers; of each its path alone is known."""
    for index, path in zip(shard["index"], shard["path"], strict=True):
        yield int(index), MediaItem(id=str(index), path=Path(os.fsdecode(path)), label="", split="")


def done_rows(done: Sequence[tuple[int, Outcome]], worker: str) -> Rows:
    """Return what came of numbered files, as `outcomes_of` reads it; ``worker`` did them."""
    outcomes = [outcome for _, outcome in done]
    return {
        "index": np.array([index for index, _ in done], np.int64),
        "notes": _texts([json.dumps(each.notes) for each in outcomes]),
        "reason": _texts([each.reason or "" for each in outcomes]),
        "absent": np.array([not each.item.path.is_file() for each in outcomes], np.bool_),
        "worker": _texts([worker] * len(done)),
        "fault": _texts([""] * len(done)),
    }


def fault_rows(fault: str, worker: str) -> Rows:
    """Return a sentence that ends the extraction, as `outcomes_of` reads it."""
    return {
        "index": np.array([-1], np.int64),
        "notes": _texts(["[]"]),
        "reason": _texts([""]),
        "absent": np.array([False]),
        "worker": _texts([worker]),
        "fault": _texts([fault]),
    }


def outcomes_of(rows: Rows, items: Sequence[MediaItem]) -> Iterator[tuple[str, Outcome]]:
    """Yield who worked and what came of each file, from a worker's rows.

    Args:
        rows: As `done_rows` or `fault_rows` made them.
        items: The extraction's, by their numbers.

    Raises:
        StoreError: A worker said that it cannot go on, or does not see a file that is here.
    """
    for k, index in enumerate(rows["index"]):
        worker = str(rows["worker"][k])
        if fault := str(rows["fault"][k]):
            raise StoreError(f"{worker}: {fault}")
        item, reason = items[index], str(rows["reason"][k]) or None
        if rows["absent"][k] and item.path.is_file():
            raise StoreError(
                f"{worker} does not see {item.path}: files must be shared, at the same path on "
                "every machine"
            )
        if reason is not None:  # as this command was told of it
            reason = reason.replace(str(item.path.absolute()), str(item.path))
        notes = tuple(map(str, json.loads(str(rows["notes"][k]))))
        yield worker, Outcome(item=item, notes=notes, reason=reason)


def _texts(texts: Sequence[str]) -> NDArray[Any]:
    column = np.empty(len(texts), object)
    # A name that is not UTF-8 has surrogates, which Arrow refuses.
    column[:] = [text.encode(errors="replace").decode() for text in texts]
    return column
