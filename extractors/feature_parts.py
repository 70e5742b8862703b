"""Features of single files on disk while an extraction runs, so that it can be resumed.

One file of arrays for each media file, written whole or not at all, under a name that changes
when the media file does. A recipe beside them says how they were made: parts of another recipe
are refused, never mixed. Workers write different parts at the same time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from extractors.clip_features import ClipFeatures
from extractors.datasets import MediaItem
from extractors.errors import StoreError
from weights.files import written_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray

_RECIPE: Final = "recipe.json"
_BEGUN: Final = ".begun"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Features of one file, read back.

    Attributes:
        visual: `(T, dim)`, or None without a picture.
        audio: `(T, H, W, C)`, the authors' axes, or None without sound.
        thumbnails: `(T, H, W, 3)`, uint8, or None without a picture.
        notes: What was padded, damaged or silent.
    """

    visual: NDArray[Any] | None
    audio: NDArray[Any] | None
    thumbnails: NDArray[Any] | None
    notes: tuple[str, ...]


class PartFolder:
    """The parts of one extraction; any thread may call `has`, `write` and `read`.

    Attributes:
        folder: Where they lie.
        recipe: How they are made.
    """

    def __init__(self, folder: Path, recipe: Mapping[str, object]) -> None:
        """Opens or begins a folder of parts.

        Raises:
            StoreError: It holds parts of another recipe, or cannot be written.
        """
        self.folder, self.recipe = folder, recipe
        path = folder / _RECIPE
        try:
            folder.mkdir(parents=True, exist_ok=True)
            begun = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
            if begun is None:
                with written_whole(path) as temporary:
                    temporary.write_text(json.dumps(recipe, indent=1), encoding="utf-8")
        except (OSError, ValueError) as error:
            raise StoreError(f"cannot use {folder}: {error}") from error
        if begun is not None and begun != recipe:
            differing = sorted(k for k in {*begun, *recipe} if begun.get(k) != recipe.get(k))
            raise StoreError(
                f"{folder.parent} was begun with another {', '.join(differing)}: go on with the "
                "same, or choose another folder"
            )

    @classmethod
    def shared(cls, folder: Path, recipe: Mapping[str, object]) -> PartFolder:
        """Opens a folder that another machine has begun.

        Raises:
            StoreError: It is not seen here, or holds parts of another recipe.
        """
        if not (folder / _RECIPE).is_file():
            raise StoreError(
                f"{folder} is not there: the folder of --to must be shared, at the same path on "
                "every machine"
            )
        return cls(folder, recipe)

    def has(self, item: MediaItem) -> bool:
        """Tells whether the features of an item are there already."""
        return self._path(item).is_file()

    def write(self, item: MediaItem, features: ClipFeatures, dtype: type[np.floating[Any]]) -> None:
        """Writes the features of an item, whole or not at all.

        Raises:
            StoreError: They cannot be written (the disk is full, say).
        """
        arrays: dict[str, Any] = {}
        if features.visual is not None:
            arrays["visual"] = features.visual.astype(dtype)
        if features.thumbnails is not None:
            arrays["thumbnails"] = features.thumbnails
        if features.audio is not None:
            # (T, C, H, W) -> (T, H, W, C)
            arrays["audio"] = features.audio.transpose(0, 2, 3, 1).astype(dtype)
        self.put(item, arrays, features.notes)

    def put(self, item: MediaItem, arrays: Mapping[str, Any], notes: Sequence[str]) -> None:
        """Writes an item's arrays as they are kept, whole or not at all.

        Args:
            item: Whose they are.
            arrays: `visual`, `thumbnails` and `audio` as in `Part`, as far as they are there.
            notes: What was padded, damaged or silent.

        Raises:
            StoreError: They cannot be written (the disk is full, say).
        """
        facts: dict[str, Any] = {
            "n_clips": np.array(max(map(len, arrays.values()), default=0)),
            "notes": np.array(notes, dtype=np.str_),
        }
        path = self._path(item)
        try:
            with written_whole(path) as temporary, temporary.open("wb") as file:
                np.savez(file, **facts, **arrays)
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror or error}") from error

    def n_clips(self, item: MediaItem) -> int:
        """Counts an item's clips without reading their features.

        Raises:
            StoreError: The part is damaged; it is removed, so that the next run makes it again.
        """
        with self._arrays(item) as arrays:
            return int(arrays["n_clips"])

    def read(self, item: MediaItem) -> Part:
        """Reads the features of an item back.

        Raises:
            StoreError: The part is damaged; it is removed, so that the next run makes it again.
        """
        with self._arrays(item) as arrays:
            return Part(
                visual=arrays.get("visual"),
                audio=arrays.get("audio"),
                thumbnails=arrays.get("thumbnails"),
                notes=tuple(map(str, arrays["notes"])),
            )

    def note_of(self, item: MediaItem) -> Path:
        """Returns where it is noted that an item is being worked on (`shard_worker`)."""
        return self._path(item).with_suffix(_BEGUN)

    def forget_notes(self) -> None:
        """Removes such notes, of processes that were there before."""
        for note in self.folder.glob(f"*{_BEGUN}"):
            note.unlink(missing_ok=True)

    def remove(self) -> None:
        """Removes all parts; the extraction is over."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @contextmanager
    def _arrays(self, item: MediaItem) -> Iterator[Mapping[str, NDArray[Any]]]:
        path = self._path(item)
        try:
            # numpy leaves a file that it opened and could not read open.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                yield arrays
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            path.unlink(missing_ok=True)
            raise StoreError(f"{path} was damaged and is removed: run once more") from error

    def _path(self, item: MediaItem) -> Path:
        found = item.path.stat() if item.path.exists() else None
        size, changed_ns = (found.st_size, found.st_mtime_ns) if found else (0, 0)
        name = f"{item.path.resolve()}|{size}|{changed_ns}"
        return self.folder / f"{hashlib.sha256(os.fsencode(name)).hexdigest()[:24]}.npz"
