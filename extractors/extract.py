"""A data set's files to a feature store: several workers, resumable, nothing lost on the way.

Each file's features are written on their own as soon as they are there (`feature_parts`); when
all files are done they are joined (`feature_store`). A file that cannot be used is left out with
the reason; it never stops the others. Who works through the files is a `Runner`: threads of this
process, or a Ray cluster's workers (`extractors.on_ray`).
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from extractors.clip_features import thumbnail_shape
from extractors.datasets import DataSet, MediaItem
from extractors.duplicates import alike_windows
from extractors.encoders import Encoders
from extractors.errors import DataSetError, StoreError
from extractors.feature_parts import PartFolder
from extractors.feature_store import (
    MANIFEST,
    StoreSpec,
    Window,
    count_windows,
    read_manifest,
    write_store,
)
from extractors.file_work import FileWork, Outcome, Runner, on_threads
from extractors.splits import SPLITS, deal_again
from extractors.store_files import FileChanges, StoreFiles
from extractors.take_apart import remove_store, take_apart
from weights.paths import shown

PARTS: Final = "parts"
_FEW: Final = 5  # labels that a remark lists
_MANY: Final = 10  # windows of one file, from which on its share is looked at
_LARGE_SHARE: Final = 1 / 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractConfig:
    """How a data set becomes rows.

    Attributes:
        n_clips: T, for data sets that do not fix it.
        half: Store float16: half the room, relative error 0.05 %.
        jpeg: Pass frames through JPEG, as the authors did.
        keep_one_sense: Keep videos without sound or without picture, that sense masked;
            otherwise they are left out.
        pair: Show each sound a picture of its label from the same split.
        seed: Chooses the pictures.
        per_file: At most so many windows of one file, spread over it; None takes all.
        n_workers: Files decoded at the same time.
    """

    n_clips: int = 10
    half: bool = False
    jpeg: bool = False
    keep_one_sense: bool = False
    pair: bool = False
    seed: int = 0
    per_file: int | None = None
    n_workers: int = 2

    def __post_init__(self) -> None:
        """Refuses counts below one."""
        if self.n_clips < 1 or self.n_workers < 1:
            raise ValueError("n_clips and n_workers must be at least 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractSummary:
    """What an extraction made.

    Attributes:
        n_windows: Rows, by split.
        n_of_labels: Rows, by label and split.
        left_out: {"file", "label", "split", "reason"} of every file that is not in it.
        n_resumed: Files whose features were there already.
        changes: What became of a finished store's files; None where it was made anew.
        remarks: What of it a result would suffer from, a sentence each.
    """

    n_windows: dict[str, int]
    n_of_labels: dict[str, dict[str, int]]
    left_out: list[dict[str, str]]
    n_resumed: int
    remarks: tuple[str, ...]
    changes: FileChanges | None = None


Report = Callable[[int, int, str | None], None]  # files done, files in all, a sentence or None


def extract(
    data: DataSet,
    encoders: Encoders,
    to: Path,
    config: ExtractConfig,
    report: Report,
    runner: Runner | None = None,
) -> ExtractSummary:
    """Extracts a data set into a folder; going on where an earlier run stopped.

    Args:
        data: What to extract.
        encoders: Both trunks.
        to: The store; `parts/` in it holds unfinished work.
        config: How.
        report: Called in this thread after every file, with a sentence where there is one.
        runner: Who works through the files; None: threads here, `n_workers` files at a time.

    Returns:
        What was made. A finished store of the same settings is brought up to date: only files that
        are new or have changed are computed, and one that is as it was is left alone.

    Raises:
        DataSetError: Not one file could be used, or none of the sounds has a picture.
        StoreError: The folder holds other features, or cannot be written.
    """
    if encoders.picture is None or encoders.sound is None:
        raise ValueError("both trunks are needed")
    config = config if data.n_clips is None else replace(config, n_clips=data.n_clips)
    dtype: type[np.floating[Any]] = np.float16 if config.half else np.float32
    trunks = {"visual": encoders.picture.source.recipe(), "audio": encoders.sound.source.recipe()}
    recipe = {
        "visual": trunks["visual"],
        "audio": trunks["audio"],
        "half": config.half,
        "jpeg": config.jpeg,
        "keep_one_sense": config.keep_one_sense,
        "padded": data.n_clips is not None,
        "n_clips": config.n_clips,
    }
    finished = {**recipe, "files": _digest(data, config)}
    windows, left_out = _planned(data, config)
    items = _files(windows)
    files = StoreFiles(_settings(config))
    changes: FileChanges | None = None
    if (to / MANIFEST).is_file():
        made = read_manifest(to).get("recipe") or {}
        changes = _changes(to, finished, items, files.settings, made)
        if made == finished and (changes is None or changes.is_none):
            return _finished(to, changes)
    parts = PartFolder(to / PARTS, recipe)
    kept = {} if changes is None else changes.kept
    take_apart(to, kept, parts)
    missing = [item for item in items if not parts.has(item)]
    work = FileWork(
        n_clips=data.n_clips,
        half=config.half,
        jpeg=config.jpeg,
        keep_one_sense=config.keep_one_sense,
    )
    run = runner or on_threads(encoders, config.n_workers)
    with closing(run(missing, work, parts)) as outcomes:
        failed = _reported(outcomes, len(items) - len(missing), len(items), report)
    left_out += [_left_out(item, reason) for item, reason in failed.items()]
    failed_paths = {item.path for item in failed}
    if failed and any(item.is_dealt for item in data.items):
        windows, more_left_out = _planned_again(data, parts, config)
        left_out += more_left_out
    windows = [
        whole
        for window in windows
        if not failed_paths & {i.path for i in (window.picture, window.sound) if i is not None}
        for whole in _cut(window, parts, config, padded=data.n_clips is not None)
    ]
    if not windows:
        reason = left_out[0]["reason"] if left_out else "there are none"
        raise DataSetError(f"not one file could be used; the first: {reason}")
    n_channels, n_times, n_mels = encoders.sound.sound_map
    spec = StoreSpec(
        is_multi_label=data.is_multi_label,
        labels=data.labels if not config.pair else tuple(sorted({w.label for w in windows})),
        n_clips=config.n_clips,
        dim=encoders.picture.source.dim,
        sound_map=(n_times, n_mels, n_channels),
        dtype=dtype,
        thumbnail=thumbnail_shape(encoders.picture.transform.size),
        trunks=trunks,
    )
    for item in failed:
        files.note_left_out(item)
    if changes is not None:
        remove_store(to)  # the parts hold all of it
    write_store(to, spec, windows, parts, left_out, finished, files, kept)
    parts.remove()
    return _summary(to, left_out, len(items) - len(missing), changes)


def _settings(config: ExtractConfig) -> dict[str, object]:
    """What rows depend on beside the parts and the list of files."""
    return {"pair": config.seed if config.pair else None, "per_file": config.per_file}


def _changes(
    to: Path,
    recipe: dict[str, object],
    items: Sequence[MediaItem],
    settings: dict[str, object],
    made: dict[str, object],
) -> FileChanges | None:
    """What has changed since a store was finished; None where an older version kept no list.

    Raises:
        StoreError: It is of other settings, or of none of these files.
    """
    known = StoreFiles.read(to)
    same_list = made == recipe
    if known is None and same_list:
        return None
    same = {**made, "files": ""} == {**recipe, "files": ""}
    if known is None or not same or known.settings != settings:
        raise StoreError(
            f"{to} holds finished features of other files or settings: choose another folder"
        )
    changes = known.compare(items, same_list=same_list)
    if not changes.kept:
        raise StoreError(f"{to} holds features of other files alone: choose another folder")
    return changes


def _summary(
    to: Path,
    left_out: list[dict[str, str]],
    n_resumed: int,
    changes: FileChanges | None,
) -> ExtractSummary:
    n_of_labels = count_windows(to)
    return ExtractSummary(
        n_windows=read_manifest(to)["n_windows"],
        n_of_labels=n_of_labels,
        left_out=left_out,
        n_resumed=n_resumed,
        remarks=(
            *_gone(n_of_labels, left_out),
            *_thin(n_of_labels),
            *_long_files(to),
            *alike_windows(to),
        ),
        changes=changes,
    )


def _gone(
    n_of_labels: Mapping[str, Mapping[str, int]], left_out: Sequence[Mapping[str, str]]
) -> Iterator[str]:
    """Say of which labels nothing is left, and why."""
    of_label: dict[str, list[str]] = {}
    for each in left_out:
        of_label.setdefault(each["label"], []).append(each["reason"])
    for label, reasons in of_label.items():
        if not sum(n_of_labels.get(label, {}).values()):
            yield f"all {len(reasons)} files of {label} were left out; the first: {reasons[0]}"


def _thin(n_of_labels: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    for split in SPLITS:
        none = [label for label, counts in n_of_labels.items() if not counts[split]]
        if none and len(none) < len(n_of_labels):
            more = "…" if len(none) > _FEW else ""
            yield f"{split} has no window of {', '.join(none[:_FEW])}{more}"


def _long_files(to: Path) -> Iterator[str]:
    n_of_split = read_manifest(to)["n_windows"]
    for split in SPLITS:
        if not n_of_split.get(split):
            continue
        items = json.loads((to / f"{split}_items.json").read_text(encoding="utf-8"))
        n_of_file = Counter(item["sound"] or item["picture"] for item in items)
        file, n = n_of_file.most_common(1)[0]
        if n >= _MANY and n > _LARGE_SHARE * len(items):
            yield (
                f"{n} of {len(items)} windows of {split} are of one file, {Path(file).name}: "
                "--per-file takes fewer"
            )


def _planned_again(
    data: DataSet, parts: PartFolder, config: ExtractConfig
) -> tuple[list[Window], list[dict[str, str]]]:
    """Deals out anew what is of use, so that broken files are not all of a label's test set."""
    useful = [item for item in data.items if parts.has(item)]
    try:
        return _planned(replace(data, items=deal_again(useful)), config)
    except DataSetError:  # no sound is left that has a picture
        return [], []


def _planned(data: DataSet, config: ExtractConfig) -> tuple[list[Window], list[dict[str, str]]]:
    if config.pair:
        return _paired(data, config.seed)
    windows = [
        Window(
            name=item.id,
            label=item.label,
            others=item.others,
            split=item.split,
            picture=None if item.is_sound else item,
            sound=None if item.is_picture else item,
        )
        for item in data.items
    ]
    return windows, []


def _paired(data: DataSet, seed: int) -> tuple[list[Window], list[dict[str, str]]]:
    chance = random.Random(seed)
    pictures: dict[tuple[str, str], list[MediaItem]] = {}
    for item in data.items:
        if item.is_picture:
            pictures.setdefault((item.split, item.label), []).append(item)
    windows, left_out = [], []
    for item in data.items:
        if not item.is_sound:
            continue
        fitting = pictures.get((item.split, item.label))
        if not fitting:
            left_out.append(_left_out(item, "there is no picture of its label in its split"))
            continue
        windows.append(
            Window(
                name=item.id,
                label=item.label,
                split=item.split,
                picture=chance.choice(fitting),
                sound=item,
                loop=True,
            )
        )
    if not windows:
        raise DataSetError("no sound has a picture of its label in its split")
    return windows, left_out


def _files(windows: Sequence[Window]) -> list[MediaItem]:
    items = (item for w in windows for item in (w.picture, w.sound) if item is not None)
    return list({item.path: item for item in items}.values())


def _reported(
    outcomes: Iterator[Outcome], n_done: int, n_files: int, report: Report
) -> dict[MediaItem, str]:
    """Reports files as they come; returns the reason for each one that failed."""
    failed: dict[MediaItem, str] = {}
    report(n_done, n_files, None)
    for n_now, outcome in enumerate(outcomes, start=n_done + 1):
        item, notes, sentence = outcome.item, outcome.notes, None
        if outcome.reason is not None:
            failed[item] = outcome.reason
            sentence = f"left out: {outcome.reason}"
        elif notes:
            sentence = f"{item.path.name}: {'; '.join(notes)}"
        report(n_now, n_files, sentence)
    return failed


def _cut(window: Window, parts: PartFolder, config: ExtractConfig, *, padded: bool) -> list[Window]:
    """A long file's windows one after another; a rest shorter than a window is dropped."""
    item = window.sound or window.picture
    if padded or window.loop or item is None or item.is_picture:
        return [window]
    n_windows = max(1, parts.n_clips(item) // config.n_clips)
    if n_windows == 1:
        return [window]
    n_taken = min(n_windows, config.per_file or n_windows)
    places = [k * n_windows // n_taken for k in range(n_taken)]
    return [
        replace(window, name=f"{window.name}#{k}", first_clip=k * config.n_clips) for k in places
    ]


def _finished(to: Path, changes: FileChanges | None) -> ExtractSummary:
    manifest = read_manifest(to)
    n_windows = sum(manifest["n_windows"].values())
    return _summary(to, manifest["left_out"], n_windows, changes)


def _left_out(item: MediaItem, reason: str) -> dict[str, str]:
    told = {"file": shown(str(item.path)), "reason": shown(reason)}
    return {**told, "label": item.label, "split": item.split}


def _digest(data: DataSet, config: ExtractConfig) -> str:
    lines = ["|".join((item.id, item.label, item.split, *item.others)) for item in data.items]
    lines.append(f"pair {config.seed}" if config.pair else "")
    lines += [] if config.per_file is None else [f"per file {config.per_file}"]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
