"""Lists of cuts of web videos: VGGSound's, AudioSet's and LLP's (AVVP's) tables.

Each names a video and where its cut of ten seconds begins; what the video shows is one label
(VGGSound) or several, of the whole cut and not of its seconds. None of these has a validation set
of its own but LLP: a tenth of the training videos is one, by the hash of the video's name.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from extractors.datasets import DataSet, MediaItem, read_text
from extractors.errors import DataSetError
from extractors.media import SOUND_SUFFIXES, VIDEO_SUFFIXES
from weights.paths import shown

N_CLIPS: Final = 10  # a cut's seconds
_VALIDATION: Final = 10  # one of so many training videos validates
_LLP_FILES: Final = {
    "train": ("AVVP_train.csv",),
    "val": ("AVVP_val_pd.csv", "AVVP_val.csv"),
    "test": ("AVVP_test_pd.csv", "AVVP_test.csv"),
}


def read_vggsound(table: Path, videos: Path) -> DataSet:
    """Reads VGGSound's table: YouTube id, start in seconds, label, split; without a header.

    Args:
        table: `vggsound.csv`.
        videos: The folder of `ID_START.mp4`; START may have zeros in front.

    Raises:
        DataSetError: The table cannot be read, or there is no folder.
    """
    found = _files(videos)
    items = []
    for where, row in _rows(table):
        if len(row) != 4 or row[3] not in ("train", "test"):
            raise DataSetError(
                f"{where}: id, start, label and train or test are wanted, got {','.join(row)!r}"
            )
        start = _seconds(row[1], where)
        items.append(_item(found, videos, row[0], start, (row[2],), row[3]))
    return _data_set(items, str(table))


def read_audioset(tables: Sequence[Path], videos: Path, names: Path) -> DataSet:
    """Reads AudioSet's tables of segments: YTID, start, end, and the labels' machine ids.

    Args:
        tables: Such as `balanced_train_segments.csv` and `eval_segments.csv`: what has eval or
            test in its name is the test set.
        videos: The folder of `ID_START.mp4` or `ID.mp4`; START in seconds or milliseconds.
        names: `class_labels_indices.csv`: index, mid, display_name.

    Raises:
        DataSetError: A table cannot be read, an id has no name, or there is no folder.
    """
    found, name_of = _files(videos), _display_names(names)
    items = []
    for table in tables:
        split = "test" if any(word in table.name for word in ("eval", "test")) else "train"
        for where, row in _rows(table):
            if len(row) != 4:
                raise DataSetError(
                    f"{where}: YTID, start, end and labels are wanted, got {','.join(row)!r}"
                )
            mids = [mid.strip() for mid in row[3].split(",") if mid.strip()]
            unknown = [mid for mid in mids if mid not in name_of]
            if unknown or not mids:
                told = f"{unknown[0]!r} is not in {names}" if unknown else "there is no label"
                raise DataSetError(f"{where}: {told}")
            labels = tuple(name_of[mid] for mid in mids)
            items.append(_item(found, videos, row[0], _seconds(row[1], where), labels, split))
    return _data_set(items, ", ".join(map(str, tables)))


def read_llp(folder: Path, videos: Path) -> DataSet:
    """Reads LLP's tables (AVVP): a file's name and its labels, of the whole cut.

    Args:
        folder: With `AVVP_train.csv`, `AVVP_val_pd.csv` and `AVVP_test_pd.csv`, tabs between
            columns, a header in the first line.
        videos: The folder of `ID_START_END.mp4`, `ID_START.mp4` or `ID.mp4`.

    Raises:
        DataSetError: There is no table, one cannot be read, or there is no folder.
    """
    found = _files(videos)
    items = []
    for split, names in _LLP_FILES.items():
        table = next((folder / name for name in names if (folder / name).is_file()), None)
        if table is None:
            continue
        for where, row in _rows(table, "\t"):
            if row[0] == "filename":
                continue
            labels = tuple(label.strip() for label in row[1].split(",")) if len(row) > 1 else ()
            parts = row[0].rsplit("_", 2)
            if not all(labels) or not labels or len(parts) != 3:
                raise DataSetError(f"{where}: ID_START_END and labels are wanted, got {row!r}")
            start = _seconds(parts[1], where)
            items.append(_item(found, videos, parts[0], start, labels, split, row[0]))
    return _data_set(items, str(folder))


def _item(
    found: Mapping[str, Path],
    videos: Path,
    video: str,
    start_s: float,
    labels: tuple[str, ...],
    split: str,
    name: str = "",
) -> MediaItem:
    start = int(start_s)
    stems = (name, f"{video}_{start:06d}", f"{video}_{start}", f"{video}_{start * 1000}", video)
    path = next((found[stem] for stem in stems if stem in found), videos / f"{stems[1]}.mp4")
    first, *others = dict.fromkeys(labels)
    return MediaItem(
        id=shown(f"{video}_{start}"),
        path=path,
        label=shown(first),
        others=tuple(map(shown, others)),
        split=split,
        group=video,
    )


def _data_set(items: Sequence[MediaItem], where: str) -> DataSet:
    if not items:
        raise DataSetError(f"{where}: no line names a video")
    unique = {item.id: item for item in items}
    remarks = []
    if len(unique) < len(items):
        remarks.append(f"{len(items) - len(unique)} lines name a cut again: its last line counts")
    dealt = list(unique.values())
    if not any(item.split == "val" for item in dealt):
        dealt = [_validating(item) for item in dealt]
        remarks.append(
            f"there is no validation set: one training video of {_VALIDATION}, by its name, is one"
        )
    n_missing = sum(not item.path.is_file() for item in dealt)
    if n_missing:
        remarks.append(f"{n_missing} of {len(dealt)} videos are not there")
    order = {"train": 0, "val": 1, "test": 2}
    labels = sorted({label for item in dealt for label in (item.label, *item.others)})
    return DataSet(
        labels=tuple(labels),
        items=tuple(sorted(dealt, key=lambda item: order[item.split])),
        n_clips=N_CLIPS,
        remarks=tuple(remarks),
        is_multi_label=any(item.others for item in dealt),
    )


def _validating(item: MediaItem) -> MediaItem:
    drawn = int.from_bytes(hashlib.sha256(item.group.encode()).digest()[:4])
    is_val = item.split == "train" and drawn % _VALIDATION == 0
    return item.in_split("val") if is_val else item


def _files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise DataSetError(f"there is no folder of videos {folder}")
    kinds = VIDEO_SUFFIXES | SOUND_SUFFIXES
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in kinds)
    if not files:
        raise DataSetError(f"{folder} has no videos: give the folder of the cuts with --videos")
    return {path.stem: path for path in files}


def _display_names(path: Path) -> dict[str, str]:
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""))
    if not {"mid", "display_name"} <= set(reader.fieldnames or ()):
        raise DataSetError(f"{path}: the columns index, mid and display_name are wanted")
    return {row["mid"]: row["display_name"] for row in reader}


def _rows(table: Path, delimiter: str = ",") -> Iterator[tuple[str, list[str]]]:
    lines = read_text(table).splitlines()
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.startswith("#"):
            (row,) = csv.reader([line], delimiter=delimiter, skipinitialspace=True)
            yield f"{table}, line {number}", [cell.strip() for cell in row]


def _seconds(text: str, where: str) -> float:
    try:
        seconds = float(text)
    except ValueError as error:
        raise DataSetError(f"{where}: a start in seconds is wanted, got {text!r}") from error
    if not 0 <= seconds < 1e6:
        raise DataSetError(f"{where}: a start in seconds is wanted, got {text!r}")
    return seconds
