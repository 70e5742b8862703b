"""Extracting again into a finished store: what was added, changed and removed since."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from extractor_fakes import MakeVideo
from PIL import Image

from extractors.datasets import DataSet, MediaItem, read_folders
from extractors.encoders import Encoders
from extractors.errors import StoreError
from extractors.extract import PARTS, ExtractConfig, ExtractSummary, extract
from extractors.store_files import FILES

CONFIG = ExtractConfig(n_clips=2)


def _item(path: Path, label: str = "bark", split: str = "train") -> MediaItem:
    return MediaItem(id=path.name, path=path, label=label, split=split)


def _data(items: Sequence[MediaItem]) -> DataSet:
    return DataSet(labels=tuple(sorted({item.label for item in items})), items=tuple(items))


def _run(
    items: Sequence[MediaItem], encoders: Encoders, to: Path, config: ExtractConfig = CONFIG
) -> ExtractSummary:
    return extract(_data(items), encoders, to, config, lambda *_: None)


def _counts(summary: ExtractSummary) -> tuple[int, int, int, int]:
    changes = summary.changes
    assert changes is not None
    return changes.n_added, changes.n_changed, changes.n_removed, len(changes.kept)


def _n_frames(encoders: Encoders) -> int:
    return encoders.picture.n_frames  # type: ignore[union-attr]  # the fake counts


def _content(folder: Path) -> dict[str, bytes]:
    """Return what a store is made of, but for the times in `files.json`."""
    assert not (folder / PARTS).exists()
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.name != FILES}


def _same_as_anew(
    items: Sequence[MediaItem], encoders: Encoders, to: Path, config: ExtractConfig = CONFIG
) -> None:
    anew = to.with_name(f"{to.name}-anew")
    _run(items, encoders, anew, config)
    assert _content(to) == _content(anew)


def test_only_new_and_changed_files_are_computed_and_removed_ones_leave(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    a, b, c = (make_video(f"{name}.mkv", n_frames=32) for name in "abc")
    to = tmp_path / "out"
    _run([_item(a), _item(b, "cat"), _item(c, "cat", "val")], encoders, to)
    make_video("b.mkv", n_frames=48, level=0.5)
    d = make_video("d.mkv", n_frames=16, level=0.75)
    before = _n_frames(encoders)
    items = [_item(a), _item(b, "cat"), _item(d, "drum")]

    summary = _run(items, encoders, to)

    assert _counts(summary) == (1, 1, 1, 1)  # d, b, c, a
    assert _n_frames(encoders) - before == 48 + 16
    assert summary.n_windows == {"train": 3, "val": 0, "test": 0}
    assert not (to / "val_audio.npy").exists()
    _same_as_anew(items, encoders, to)


def test_long_uneven_and_one_sided_files_are_kept_to_the_bit(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    to, config = tmp_path / "out", replace(CONFIG, keep_one_sense=True, half=True)
    items = [
        _item(make_video("long.mkv", n_frames=16 * 7)),
        _item(make_video("uneven.mkv", n_frames=16 * 5, seconds=2)),
        _item(make_video("silent.mkv", n_frames=32, seconds=0)),
        _item(make_video("blind.wav", n_frames=0, seconds=3)),
        _item(make_video("short.mkv", n_frames=16)),
    ]
    _run(items, encoders, to, config)
    more = [*items, _item(make_video("new.mkv", n_frames=32), "cat", "test")]
    before = _n_frames(encoders)

    summary = _run(more, encoders, to, config)

    assert _counts(summary) == (1, 0, 0, 5)
    assert _n_frames(encoders) - before == 32
    _same_as_anew(more, encoders, to, config)


def test_pairs_are_drawn_anew_from_what_is_there(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    config, to = ExtractConfig(n_clips=3, pair=True), tmp_path / "out"
    for grey in (30, 90):
        Image.new("RGB", (20, 20), (grey,) * 3).save(tmp_path / f"{grey}.png")
    stills = [_item(tmp_path / "30.png"), _item(tmp_path / "90.png")]
    sounds = [
        _item(make_video(f"{k}.wav", n_frames=0, seconds=k, level=k / 8)) for k in (1, 2, 4, 5)
    ]
    _run([*stills, *sounds], encoders, to, config)
    items = [*stills, *sounds[1:], _item(make_video("9.wav", n_frames=0, seconds=2, level=0.9))]

    summary = _run(items, encoders, to, config)

    assert _counts(summary)[1:3] == (0, 1)
    _same_as_anew(items, encoders, to, config)


def test_nothing_is_written_when_nothing_has_changed(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    items, to = [_item(make_video("a.mkv")), _item(make_video("b.mkv"), "cat")], tmp_path / "out"
    _run(items, encoders, to)
    written = {path: path.stat().st_mtime_ns for path in to.iterdir()}

    summary = _run(items, encoders, to)

    assert _counts(summary) == (0, 0, 0, 2)
    assert {path: path.stat().st_mtime_ns for path in to.iterdir()} == written


def test_file_that_was_touched_moved_or_relabelled_is_not_computed_again(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    a, b = make_video("a.mkv"), make_video("b.mkv", level=0.5)
    to = tmp_path / "out"
    _run([_item(a), _item(b, "cat")], encoders, to)
    before = _n_frames(encoders)
    os.utime(a, ns=(1, 1))
    moved = tmp_path / "elsewhere.mkv"
    shutil.move(b, moved)
    items = [_item(a, "drum"), _item(moved, "cat", "val")]

    summary = _run(items, encoders, to)

    assert _counts(summary) == (0, 0, 0, 2)
    assert _n_frames(encoders) == before
    assert json.loads((to / "features.json").read_text())["labels"] == ["cat", "drum"]
    assert summary.n_windows == {"train": 1, "val": 1, "test": 0}
    _same_as_anew(items, encoders, to)


def test_broken_file_is_tried_again_once_it_has_changed(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    a, broken, to = make_video("a.mkv"), tmp_path / "b.mkv", tmp_path / "out"
    broken.write_bytes(b"no video")
    items = [_item(a), _item(broken)]
    first = _run(items, encoders, to)
    assert len(first.left_out) == 1
    assert _counts(_run(items, encoders, to)) == (0, 0, 0, 1)  # not tried again
    make_video("b.mkv", level=0.5)

    summary = _run(items, encoders, to)

    assert _counts(summary) == (0, 1, 0, 1)
    assert summary.left_out == []
    assert summary.n_windows["train"] == 2


def test_joining_that_fails_goes_on_without_computing_anything_again(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    a, b, to = make_video("a.mkv"), make_video("b.mkv", level=0.5), tmp_path / "out"
    _run([_item(a)], encoders, to)
    obstacle = to / "train_visual.npy.part"
    obstacle.mkdir()
    (obstacle / "in the way").touch()
    with pytest.raises((StoreError, OSError)):
        _run([_item(a), _item(b)], encoders, to)
    assert not (to / "features.json").exists()
    shutil.rmtree(obstacle)
    before = _n_frames(encoders)

    summary = _run([_item(a), _item(b)], encoders, to)

    assert _n_frames(encoders) == before
    assert summary.n_resumed == 2
    _same_as_anew([_item(a), _item(b)], encoders, to)


def test_interrupted_update_leaves_the_store_and_goes_on(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    a, b, to = make_video("a.mkv"), make_video("b.mkv", level=0.5), tmp_path / "out"
    _run([_item(a)], encoders, to)
    whole = _content(to)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    data = _data([_item(a), _item(b)])
    with pytest.raises(KeyboardInterrupt):
        extract(data, encoders, to, CONFIG, stop)
    kept = {path.name: path.read_bytes() for path in to.iterdir() if path.name in whole}
    assert kept == whole
    _run(data.items, encoders, to)
    _same_as_anew(data.items, encoders, to)


def test_store_of_other_files_or_settings_is_left_alone(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    a, b, to = make_video("a.mkv"), make_video("b.mkv", level=0.5), tmp_path / "out"
    _run([_item(a)], encoders, to)
    whole = _content(to)
    with pytest.raises(StoreError, match="other files alone: choose another folder"):
        _run([_item(b)], encoders, to)
    with pytest.raises(StoreError, match="other files or settings"):
        _run([_item(a), _item(b)], encoders, to, replace(CONFIG, per_file=1))
    (to / FILES).write_text("[]")
    with pytest.raises(StoreError, match="not readable"):
        _run([_item(a), _item(b)], encoders, to)
    (to / FILES).unlink()  # as an older version left it
    with pytest.raises(StoreError, match="other files or settings"):
        _run([_item(a), _item(b)], encoders, to)
    assert _run([_item(a)], encoders, to).changes is None
    assert _content(to) == whole


def test_folder_per_label_is_dealt_again_when_files_come(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    for k in range(4):
        make_video(f"data/bark/{k}.mkv", level=0.1 * (k + 1))
    to = tmp_path / "out"
    extract(read_folders(tmp_path / "data"), encoders, to, CONFIG, lambda *_: None)
    for k in range(3):
        make_video(f"data/cat/{k}.mkv", level=-0.1 * (k + 1))
    (tmp_path / "data" / "bark" / "3.mkv").unlink()
    data = read_folders(tmp_path / "data")

    summary = extract(data, encoders, to, CONFIG, lambda *_: None)

    assert _counts(summary) == (3, 0, 1, 3)
    _same_as_anew_data(data, encoders, to)


def _same_as_anew_data(data: DataSet, encoders: Encoders, to: Path) -> None:
    anew = to.with_name("anew")
    extract(data, encoders, anew, CONFIG, lambda *_: None)
    assert _content(to) == _content(anew)


def test_arrays_of_a_damaged_store_are_told(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    a, b, to = make_video("a.mkv"), make_video("b.mkv", level=0.5), tmp_path / "out"
    _run([_item(a)], encoders, to)
    np.save(to / "train_audio.npy", np.zeros((0, 2, 12, 8, 512), np.float32))
    with pytest.raises(StoreError, match=r"is damaged.*another folder"):
        _run([_item(a), _item(b)], encoders, to)
