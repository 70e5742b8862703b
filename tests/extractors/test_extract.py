import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from extractor_fakes import MakeVideo
from PIL import Image

from extractors.author_pickles import write_author_pickles
from extractors.datasets import DataSet, MediaItem
from extractors.encoders import Encoders
from extractors.errors import DataSetError, StoreError
from extractors.extract import PARTS, ExtractConfig, ExtractSummary, extract

_CONFIG = ExtractConfig(n_clips=2)


def _data(*items: MediaItem, n_clips: int | None = None) -> DataSet:
    labels = tuple(sorted({item.label for item in items}))
    return DataSet(labels=labels, items=items, n_clips=n_clips)


def _item(path: Path, label: str = "bark", split: str = "train") -> MediaItem:
    return MediaItem(id=path.name, path=path, label=label, split=split)


class _Reports:
    def __init__(self) -> None:
        self.done: list[int] = []
        self.sentences: list[str] = []

    def __call__(self, n_done: int, n_files: int, sentence: str | None) -> None:
        self.done.append(n_done)
        self.sentences += [sentence] if sentence else []


def _run(
    data: DataSet, encoders: Encoders, to: Path, config: ExtractConfig = _CONFIG
) -> ExtractSummary:
    return extract(data, encoders, to, config, _Reports())


def test_a_data_set_becomes_arrays_in_the_order_of_its_items(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    loud, quiet = make_video("a.mkv", n_frames=32), make_video("b.mkv", n_frames=32, level=0.125)
    data = _data(_item(loud), _item(quiet, "cat"), _item(loud, "cat", "test"))

    summary = _run(data, encoders, tmp_path / "out")

    audio = np.load(tmp_path / "out" / "train_audio.npy", mmap_mode="r")
    assert summary.n_windows == {"train": 2, "val": 0, "test": 1}
    assert audio.shape == (2, 2, 12, 8, 512)
    np.testing.assert_allclose(audio[:, :, 0, 0, 0], [[0.25] * 2, [0.125] * 2], atol=1e-4)
    assert np.load(tmp_path / "out" / "train_visual.npy").shape == (2, 2, 3)
    assert np.load(tmp_path / "out" / "train_frames.npy").shape == (2, 2, 75, 75, 3)
    np.testing.assert_array_equal(np.load(tmp_path / "out" / "train_target.npy"), np.eye(2))
    assert json.loads((tmp_path / "out" / "train_names.json").read_text()) == ["a.mkv", "b.mkv"]
    assert not (tmp_path / "out" / "train_present.npy").exists()
    assert not (tmp_path / "out" / PARTS).exists()


def test_a_file_that_cannot_be_used_is_left_out_with_the_reason(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    data = _data(
        _item(make_video("good.mkv")),
        _item(tmp_path / "broken.mp4"),
        _item(tmp_path / "absent.mp4"),
        _item(make_video("silent.mkv", seconds=0)),
    )

    summary = _run(data, encoders, tmp_path / "out")

    reasons = {Path(entry["file"]).name: entry["reason"] for entry in summary.left_out}
    assert summary.n_windows["train"] == 1
    assert set(reasons) == {"broken.mp4", "absent.mp4", "silent.mkv"}
    assert "cannot open" in reasons["broken.mp4"]
    assert "there is no file" in reasons["absent.mp4"]
    assert "holds no sound" in reasons["silent.mkv"]
    manifest = json.loads((tmp_path / "out" / "features.json").read_text())
    assert manifest["left_out"] == summary.left_out


def test_label_of_which_nothing_is_left_is_named_with_the_first_reason(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    data = _data(_item(make_video("good.mkv")), _item(tmp_path / "absent.mp4", "cat"))

    summary = _run(data, encoders, tmp_path / "out")

    (said,) = (remark for remark in summary.remarks if "left out" in remark)
    assert said.startswith("all 1 files of cat were left out; the first: ")
    assert "absent.mp4" in said


def test_nothing_is_written_when_no_file_can_be_used(encoders: Encoders, tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="not one file could be used"):
        _run(_data(_item(tmp_path / "absent.mp4")), encoders, tmp_path / "out")

    assert not list((tmp_path / "out").glob("*.npy"))


def test_a_missing_sense_is_masked_when_it_is_kept(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    data = _data(_item(make_video("silent.mkv", n_frames=32, seconds=0)))

    _run(data, encoders, tmp_path / "out", ExtractConfig(n_clips=2, keep_one_sense=True))

    present = np.load(tmp_path / "out" / "train_present.npy")
    np.testing.assert_array_equal(present, [[[True, False], [True, False]]])


def test_clips_beyond_a_short_files_end_are_masked(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    _run(_data(_item(make_video(n_frames=16))), encoders, tmp_path / "out")

    present = np.load(tmp_path / "out" / "train_present.npy")
    np.testing.assert_array_equal(present, [[[True, True], [False, False]]])


def test_a_short_file_is_padded_as_the_authors_do_when_the_data_set_fixes_the_clips(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    _run(_data(_item(make_video(n_frames=16)), n_clips=3), encoders, tmp_path / "out")

    assert not (tmp_path / "out" / "train_present.npy").exists()
    visual = np.load(tmp_path / "out" / "train_visual.npy")
    np.testing.assert_allclose(visual[0, :, 0], [75, 150, 150], atol=1.5)


def test_a_long_file_becomes_several_windows(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    _run(_data(_item(make_video("long.mkv", n_frames=80))), encoders, tmp_path / "out")

    names = json.loads((tmp_path / "out" / "train_names.json").read_text())
    assert names == ["long.mkv#0", "long.mkv#1"]
    items = json.loads((tmp_path / "out" / "train_items.json").read_text())
    assert [item["first_clip"] for item in items] == [0, 2]


def test_half_stores_float16(make_video: MakeVideo, encoders: Encoders, tmp_path: Path) -> None:
    data = _data(_item(make_video(n_frames=32)))

    _run(data, encoders, tmp_path / "out", ExtractConfig(n_clips=2, half=True))

    assert np.load(tmp_path / "out" / "train_audio.npy", mmap_mode="r").dtype == np.float16


def test_a_second_run_goes_on_where_the_first_was_stopped(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    data = _data(*(_item(make_video(f"{k}.mkv")) for k in range(4)))

    def stop_after_two(n_done: int, n_files: int, sentence: str | None) -> None:
        if n_done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(data, encoders, tmp_path / "out", ExtractConfig(n_workers=1), stop_after_two)
    n_kept = len(list((tmp_path / "out" / PARTS).glob("*.npz")))
    reports = _Reports()
    summary = extract(data, encoders, tmp_path / "out", ExtractConfig(n_workers=1), reports)

    assert n_kept >= 2
    assert summary.n_resumed == n_kept
    assert reports.done == list(range(n_kept, 5))
    assert summary.n_windows["train"] == 4


def test_a_finished_store_is_left_as_it_is(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    data = _data(_item(make_video()))
    first = _run(data, encoders, tmp_path / "out")
    written = (tmp_path / "out" / "train_audio.npy").stat().st_mtime_ns

    second = _run(data, encoders, tmp_path / "out")

    assert second.n_windows == first.n_windows
    assert (tmp_path / "out" / "train_audio.npy").stat().st_mtime_ns == written


def test_other_settings_are_refused_in_a_folder_that_was_begun_or_finished(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    data = _data(_item(make_video()))
    _run(data, encoders, tmp_path / "finished")
    (tmp_path / "begun" / PARTS).mkdir(parents=True)
    (tmp_path / "begun" / PARTS / "recipe.json").write_text('{"half": true}')

    with pytest.raises(StoreError, match="choose another folder"):
        _run(data, encoders, tmp_path / "finished", ExtractConfig(n_clips=5))
    with pytest.raises(StoreError, match=r"begun with another .*half"):
        _run(data, encoders, tmp_path / "begun")


def test_a_damaged_part_is_removed_and_made_again(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    data = _data(_item(make_video("a.mkv")), _item(make_video("b.mkv")))

    def damage(n_done: int, n_files: int, sentence: str | None) -> None:
        if n_done == n_files:
            part = next((tmp_path / "out" / PARTS).glob("*.npz"))
            part.write_bytes(part.read_bytes()[:100])

    with pytest.raises(StoreError, match="run once more"):
        extract(data, encoders, tmp_path / "out", _CONFIG, damage)

    assert _run(data, encoders, tmp_path / "out").n_windows["train"] == 2


def test_sounds_are_shown_pictures_of_their_label_and_split(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    Image.new("RGB", (20, 20), (90, 90, 90)).save(tmp_path / "bark.png")
    Image.new("RGB", (20, 20), (30, 30, 30)).save(tmp_path / "cat.png")
    sound = make_video("bark.wav", n_frames=0, seconds=1)
    lonely = make_video("drum.wav", n_frames=0, seconds=1)
    data = _data(
        _item(sound), _item(lonely, "drum"), _item(tmp_path / "bark.png"),
        _item(tmp_path / "cat.png", "cat"),
    )  # fmt: skip

    summary = _run(data, encoders, tmp_path / "out", ExtractConfig(n_clips=3, pair=True))

    assert summary.n_windows["train"] == 1
    assert [Path(entry["file"]).name for entry in summary.left_out] == ["drum.wav"]
    visual = np.load(tmp_path / "out" / "train_visual.npy")
    audio = np.load(tmp_path / "out" / "train_audio.npy")
    np.testing.assert_allclose(visual[0, :, 0], [90] * 3)
    np.testing.assert_allclose(audio[0, :, 0, 0, 0], [0.25] * 3, atol=1e-4)  # it starts over
    assert json.loads((tmp_path / "out" / "features.json").read_text())["labels"] == ["bark"]


def test_the_authors_pickles_hold_the_same_arrays(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    data = _data(_item(make_video("a.mkv", n_frames=32)), _item(make_video("b.mkv"), "cat"),
                 n_clips=2)  # fmt: skip
    _run(data, encoders, tmp_path / "out", ExtractConfig(half=True))

    written = write_author_pickles(tmp_path / "out", tmp_path / "pickles")

    assert [path.name for path in written] == [
        f"trainSet_{sense}.p" for sense in ("visual", "audio", "target")
    ]
    for path, sense in zip(written, ("visual", "audio", "target"), strict=True):
        with path.open("rb") as file:
            array = pickle.load(file)
        assert array.dtype == np.float32
        np.testing.assert_array_equal(array, np.load(tmp_path / "out" / f"train_{sense}.npy"))


def test_pickles_are_refused_when_a_sense_is_missing(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    _run(_data(_item(make_video(n_frames=16))), encoders, tmp_path / "out")

    with pytest.raises(StoreError, match="cannot say so"):
        write_author_pickles(tmp_path / "out", tmp_path / "pickles")

    assert not (tmp_path / "pickles").exists()


def test_pickles_of_an_unfinished_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no finished features"):
        write_author_pickles(tmp_path, tmp_path / "pickles")
