"""Files and windows that are the same on two sides of a split, or under two labels.

The same bytes are found before anything is decoded; a copy that was encoded anew is found by its
features afterwards. What is found is told, not removed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from extractors.datasets import MediaItem
from extractors.splits import SPLITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Cosines of windows' mean features, of the starter's trunks. Of 53 windows that were encoded anew
# with 240 lines 74 % have more of both; of 2,560 pairs of other recordings none has, nor of 21,936
# pairs of four labels.
_LOOKS_ALIKE: Final = 0.85
_SOUNDS_ALIKE: Final = 0.9
_ALIKE_ALONE: Final = 0.9999  # where a sense is missing: one label's sounds reach 0.999
_ROWS_AT_A_TIME: Final = 256


def same_files(items: Iterable[MediaItem]) -> Iterator[str]:
    """Say which files have the same bytes and another split or label.

    Only files of one size are read. One that is not there is passed over.
    """
    by_size: dict[int, list[MediaItem]] = {}
    for item in {item.path: item for item in items}.values():
        if item.path.is_file():
            by_size.setdefault(item.path.stat().st_size, []).append(item)
    by_content: dict[str, list[MediaItem]] = {}
    for candidates in by_size.values():
        if len(candidates) > 1:
            for item in candidates:
                with item.path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                by_content.setdefault(digest, []).append(item)
    facts: tuple[tuple[str, Callable[[MediaItem], str]], ...] = (
        ("splits", attrgetter("split")),
        ("labels", attrgetter("label")),
    )
    for what, fact in facts:
        found = [same for same in by_content.values() if len(set(map(fact, same))) > 1]
        if found:
            first = found[0][0]
            second = next(item for item in found[0] if fact(item) != fact(first))
            yield f"{len(found)} files are the same in several {what}: {first.id} and {second.id}"


def alike_windows(store: Path) -> Iterator[str]:
    """Say which windows of two splits have nearly the same features, in all senses they share.

    Args:
        store: A finished feature store.
    """
    splits = {split: _Means(store, split) for split in SPLITS if _names_path(store, split).exists()}
    for (one, means), (other, others) in combinations(splits.items(), 2):
        pairs = means.alike(others)
        if pairs:
            row, column = pairs[0]
            n = len({column for _, column in pairs})
            alike = (
                "window of {} looks like one of" if n == 1 else "windows of {} look like ones of"
            )
            yield (
                f"{n} {alike.format(other)} {one} "
                f"(the first: {others.names[column]} and {means.names[row]})"
            )


def _names_path(store: Path, split: str) -> Path:
    return store / f"{split}_names.json"


class _Means:
    """Each window's mean features, of length 1, sense by sense."""

    def __init__(self, store: Path, split: str) -> None:
        self.names = json.loads(_names_path(store, split).read_text(encoding="utf-8"))
        mask = store / f"{split}_present.npy"
        present = np.load(mask) if mask.exists() else None
        self.senses = [
            _unit_means(
                np.load(store / f"{split}_{sense}.npy", mmap_mode="r"),
                None if present is None else present[:, :, k],
            )
            for k, sense in enumerate(("visual", "audio"))
        ]

    def alike(self, other: _Means) -> list[tuple[int, int]]:
        """Return pairs of rows, ours and the other's."""
        pairs: list[tuple[int, int]] = []
        for start in range(0, len(self.names), _ROWS_AT_A_TIME):
            rows = slice(start, start + _ROWS_AT_A_TIME)
            # A missing sense is a row of zeros: NaN here, which is above nothing.
            looks, sounds = (
                np.where(
                    np.any(ours[rows], axis=1)[:, None] & np.any(theirs, axis=1)[None],
                    ours[rows] @ theirs.T,
                    np.nan,
                )
                for ours, theirs in zip(self.senses, other.senses, strict=True)
            )
            alike = (looks > _LOOKS_ALIKE) & (sounds > _SOUNDS_ALIKE)
            alike |= np.isnan(sounds) & (looks > _ALIKE_ALONE)
            alike |= np.isnan(looks) & (sounds > _ALIKE_ALONE)
            pairs += [(start + int(row), int(column)) for row, column in np.argwhere(alike)]
        return pairs


def _unit_means(values: NDArray[Any], present: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    """Average `(N, T, …)` over the clips that are there, and over a map's time and mel."""
    axes = tuple(range(1, values.ndim - 2))  # of a clip's map (H, W, C), but for its channels
    means = np.zeros((len(values), values.shape[-1]), np.float32)
    for row, clips in enumerate(values):
        kept = clips if present is None else clips[present[row]]
        if len(kept):
            means[row] = np.asarray(kept, np.float32).mean(axis=(0, *axes))
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    units: NDArray[np.float32] = means / np.maximum(lengths, np.finfo(np.float32).tiny)
    return units
