"""The features of a data set as arrays that can be memory-mapped, a file per split and sense.

`{split}_visual.npy` (N, T, dim), `{split}_audio.npy` (N, T, H, W, C), `{split}_target.npy`
(N, labels) one-hot, `{split}_present.npy` (N, T, 2) where a sense is missing somewhere,
`{split}_frames.npy` (N, T, H, W, 3) for reports, `{split}_names.json`, `{split}_items.json`,
and `features.json`, which is written last: a folder without it is not finished.
docs/reference/features.md describes them. Room on the disk is reserved before an array is filled.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from extractors.datasets import MediaItem
from extractors.errors import StoreError
from extractors.splits import SPLITS
from weights import paths
from weights.files import written_whole

if TYPE_CHECKING:
    from extractors.feature_parts import Part, PartFolder
    from extractors.store_files import KnownFile, StoreFiles

MANIFEST: Final = "features.json"
FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """T clips that become one row of the arrays.

    Attributes:
        name: Unique in its split.
        label: The target; the first, where there are several.
        others: Further labels.
        split: Where it goes.
        picture: The item whose picture is shown, or None.
        sound: The item whose sound is heard, or None; the same item for a video.
        first_clip: Where in a long file the window begins.
        loop: Whether a shorter sound starts over; otherwise what is missing is masked.
    """

    name: str
    label: str
    split: str
    picture: MediaItem | None
    sound: MediaItem | None
    first_clip: int = 0
    loop: bool = False
    others: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSpec:
    """What all rows have in common.

    Attributes:
        labels: Columns of the target.
        n_clips: T.
        dim: Width of a pooled picture.
        sound_map: Time, mel and channels (H, W, C) of a sound map, the authors' axes.
        dtype: float32 or float16.
        thumbnail: Height, width and channels of a small picture.
        trunks: What `features.json` says about the trunks, by sense.
        is_multi_label: Whether a row of the target may have several ones.
    """

    labels: tuple[str, ...]
    n_clips: int
    dim: int
    sound_map: tuple[int, int, int]
    dtype: type[np.floating[Any]]
    thumbnail: tuple[int, int, int]
    trunks: Mapping[str, Mapping[str, object]] = field(repr=False)
    is_multi_label: bool = False


def write_store(
    folder: Path,
    spec: StoreSpec,
    windows: Sequence[Window],
    parts: PartFolder,
    left_out: Sequence[Mapping[str, str]],
    recipe: Mapping[str, object],
    files: StoreFiles,
    before: Mapping[MediaItem, KnownFile] = MappingProxyType({}),
) -> None:
    """Joins parts into a store; every file is written beside its place and then renamed.

    Args:
        folder: The store.
        spec: Labels, shape and type.
        windows: The rows, in their order.
        parts: Where the features of their files lie.
        left_out: Files that are not in it, with the reason.
        recipe: What tells this extraction from another, kept in the manifest.
        files: Gets every file with its rows, and is written.
        before: What is known already of files that have not changed.

    Raises:
        StoreError: Something cannot be written, or a part is damaged.
    """
    try:
        n_windows = {}
        for split in SPLITS:
            rows = [window for window in windows if window.split == split]
            n_windows[split] = len(rows)
            if rows:
                _write_split(folder, split, spec, rows, parts, files, before)
        manifest = {
            "format": FORMAT,
            "labels": list(spec.labels),
            "n_clips": spec.n_clips,
            **({"multi_label": True} if spec.is_multi_label else {}),
            "visual_trunk": spec.trunks["visual"]["trunk"],
            "sound_map": list(spec.sound_map),
            "trunks": spec.trunks,
            "n_windows": n_windows,
            "left_out": list(left_out),
            "recipe": recipe,
        }
        files.write(folder)
        _write_json(folder / MANIFEST, manifest)
    except OSError as error:
        raise StoreError(f"cannot write {folder}: {error.strerror or error}") from error


def read_manifest(folder: Path) -> dict[str, Any]:
    """Reads `features.json`.

    Raises:
        StoreError: It is not there or not readable.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{folder} holds no finished features: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise StoreError(f"{folder / MANIFEST} is not of format {FORMAT}")
    return manifest


def count_windows(folder: Path) -> dict[str, dict[str, int]]:
    """Counts a store's windows by label and split; a split without any is a column of zeros.

    Raises:
        StoreError: The store is not finished, or cannot be read.
    """
    manifest = read_manifest(folder)
    counts = {label: dict.fromkeys(SPLITS, 0) for label in manifest["labels"]}
    try:
        for split in SPLITS:
            if manifest["n_windows"].get(split):
                target = np.load(folder / f"{split}_target.npy", mmap_mode="r")
                for label, n in zip(counts, target.sum(axis=0), strict=True):
                    counts[label][split] = int(n)
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot read the targets in {folder}: {error}") from error
    return counts


def _write_split(
    folder: Path,
    split: str,
    spec: StoreSpec,
    rows: Sequence[Window],
    parts: PartFolder,
    files: StoreFiles,
    before: Mapping[MediaItem, KnownFile],
) -> None:
    n, t = len(rows), spec.n_clips
    present = np.zeros((n, t, 2), np.bool_)
    target = np.zeros((n, len(spec.labels)), np.float32)
    items = []
    with (
        _array(folder / f"{split}_visual.npy", spec.dtype, (n, t, spec.dim)) as visual,
        _array(folder / f"{split}_audio.npy", spec.dtype, (n, t, *spec.sound_map)) as audio,
        _array(folder / f"{split}_frames.npy", np.uint8, (n, t, *spec.thumbnail)) as frames,
    ):
        for row, window in enumerate(rows):
            shown = parts.read(window.picture) if window.picture else None
            heard = shown if window.sound == window.picture else None
            if window.sound is not None and heard is None:
                heard = parts.read(window.sound)
            if shown is not None and window.picture is not None:
                files.note(window, window.picture, shown, row, "visual", before)
                present[row, :, 0] = _fill(visual[row], shown.visual, window, window.picture)
                _fill(frames[row], shown.thumbnails, window, window.picture)
            if heard is not None and window.sound is not None:
                files.note(window, window.sound, heard, row, "audio", before)
                present[row, :, 1] = _fill(audio[row], heard.audio, window, window.sound)
            for label in (window.label, *window.others):
                target[row, spec.labels.index(label)] = 1
            items.append(_described(window, shown, heard))
    with _array(folder / f"{split}_target.npy", np.float32, target.shape) as array:
        array[:] = target
    mask = folder / f"{split}_present.npy"
    if present.all():
        mask.unlink(missing_ok=True)
    else:
        with _array(mask, np.bool_, present.shape) as array:
            array[:] = present
    _write_json(folder / f"{split}_items.json", items)
    _write_json(folder / f"{split}_names.json", [window.name for window in rows])


def _fill(
    row: np.ndarray[Any, Any],
    values: np.ndarray[Any, Any] | None,
    window: Window,
    item: MediaItem | None,
) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Copies a file's clips into a row; True where the sense is there."""
    n_clips = len(row)
    if values is None:
        return np.zeros(n_clips, np.bool_)
    values = values[window.first_clip : window.first_clip + n_clips]
    if item is not None and item.is_picture:
        row[:] = values[0]  # a still is shown throughout
        return np.ones(n_clips, np.bool_)
    if window.loop:
        row[:] = values[np.arange(n_clips) % len(values)]
        return np.ones(n_clips, np.bool_)
    row[: len(values)] = values
    return np.arange(n_clips) < len(values)


def _described(window: Window, shown: Part | None, heard: Part | None) -> dict[str, object]:
    notes = {note for part in (shown, heard) if part is not None for note in part.notes}
    source = window.sound or window.picture
    spans = source.spans if source is not None else ()
    return {
        "name": window.name,
        "label": window.label,
        "picture": paths.shown(str(window.picture.path)) if window.picture else None,
        "sound": paths.shown(str(window.sound.path)) if window.sound else None,
        "group": source.group if source is not None else "",
        "first_clip": window.first_clip,
        "spans": [asdict(span) for span in spans],
        "notes": sorted(notes),
    }


@contextmanager
def _array(path: Path, dtype: Any, shape: tuple[int, ...]) -> Iterator[np.ndarray[Any, Any]]:
    """A memory-mapped array of zeros that takes its place when the block ends well."""
    temporary = path.with_name(f"{path.name}.part")
    try:
        array = np.lib.format.open_memmap(temporary, mode="w+", dtype=dtype, shape=shape)
        _reserve(temporary)
        yield array
        array.flush()
        del array
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _reserve(path: Path) -> None:
    # A mapped page that the disk has no room for kills the process; a reservation only fails.
    if hasattr(os, "posix_fallocate"):
        with path.open("rb+") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _write_json(path: Path, content: object) -> None:
    with written_whole(path) as temporary:
        text = json.dumps(content, indent=1, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
