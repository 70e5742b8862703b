"""A finished store back into the parts it was joined from, so that it can be joined anew.

Of a file that has not changed nothing is decoded or computed: its clips are copied out of the rows
that hold them. Clips that no row holds are zeros; no row of the new store holds them either.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from extractors.errors import StoreError
from extractors.feature_store import MANIFEST
from extractors.splits import SPLITS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from extractors.datasets import MediaItem
    from extractors.feature_parts import PartFolder
    from extractors.store_files import KnownFile, SenseRows

_ARRAYS = ("visual", "audio", "frames", "target", "present")


def take_apart(folder: Path, kept: Mapping[MediaItem, KnownFile], parts: PartFolder) -> None:
    """Writes a part for each file that a store has and that is wanted again.

    Args:
        folder: The store; it stays as it is.
        kept: Items with the rows that hold them.
        parts: Where to; what is there already is left.

    Raises:
        StoreError: The store is damaged, or a part cannot be written.
    """
    opened: dict[tuple[str, str], NDArray[Any]] = {}

    def rows_of(split: str, name: str) -> NDArray[Any]:
        if (split, name) not in opened:
            path = folder / f"{split}_{name}.npy"
            opened[split, name] = np.load(path, mmap_mode="r", allow_pickle=False)
        return opened[split, name]

    def clips(place: SenseRows, name: str) -> NDArray[Any]:
        first_split = place.rows[0][0]
        like = rows_of(first_split, name)
        values = np.zeros((place.n_clips, *like.shape[2:]), like.dtype)
        for split, row, first in place.rows:
            taken = rows_of(split, name)[row][: place.n_clips - first]
            values[first : first + len(taken)] = taken
        return values

    for item, known in kept.items():
        if parts.has(item):
            continue
        try:
            arrays: dict[str, Any] = {}
            if known.visual is not None:
                arrays["visual"] = clips(known.visual, "visual")
                arrays["thumbnails"] = clips(known.visual, "frames")
            if known.audio is not None:
                arrays["audio"] = clips(known.audio, "audio")
        except (OSError, ValueError, LookupError) as error:
            raise StoreError(
                f"{folder} is damaged ({type(error).__name__}): extract into another folder"
            ) from error
        parts.put(item, arrays, known.notes)


def remove_store(folder: Path) -> None:
    """Removes a store's arrays, `features.json` first, so that what is left counts as unfinished.

    Raises:
        StoreError: They cannot be removed.
    """
    try:
        (folder / MANIFEST).unlink()
        for split in SPLITS:
            for name in _ARRAYS:
                (folder / f"{split}_{name}.npy").unlink(missing_ok=True)
            for name in ("items", "names"):
                (folder / f"{split}_{name}.json").unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"cannot remove {folder}'s arrays: {error.strerror or error}") from error
