import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from extractor_fakes import MakeVideo

from extractors.datasets import DataSet, MediaItem, read_ave, read_folders, read_tables
from extractors.duplicates import alike_windows, same_files
from extractors.encoders import Encoders
from extractors.errors import DataSetError
from extractors.extract import ExtractConfig, ExtractSummary, extract
from extractors.splits import SPLITS, deal, label_remarks, split_remarks
from weights.ave import AVE_LABELS


def _item(name: str, label: str = "bark", split: str = "", group: str = "") -> MediaItem:
    return MediaItem(id=name, path=Path(name), label=label, split=split, group=group)


def _touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(str(path).encode())


def _extract(data: DataSet, encoders: Encoders, to: Path, config: ExtractConfig) -> ExtractSummary:
    return extract(data, encoders, to, config, lambda n_done, n_files, sentence: None)


def test_a_recording_with_two_labels_stays_in_one_split() -> None:
    items = [
        _item(f"{label}{k}", label, group=f"recording {k % 10}")
        for label in ("bark", "howl")
        for k in range(40)
    ]

    splits: dict[str, set[str]] = {}
    for item in deal(items):
        splits.setdefault(item.group, set()).add(item.split)

    assert all(len(found) == 1 for found in splits.values())
    assert Counter(*[[min(found) for found in splits.values()]]) == {
        "train": 6,
        "val": 2,
        "test": 2,
    }


def test_broken_files_are_not_all_of_a_labels_test_set(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    for k in range(12):
        make_video(f"set/bark/{k}.mkv", level=0.02 * k)
    of_test = [item.path for item in read_folders(tmp_path / "set").items if item.split == "test"]
    for path in of_test:
        path.write_bytes(b"broken")

    summary = _extract(
        read_folders(tmp_path / "set"), encoders, tmp_path / "out", ExtractConfig(n_clips=1)
    )

    n_good = 12 - len(of_test)
    assert len(summary.left_out) == len(of_test)
    assert summary.n_of_labels["bark"] == {"train": n_good - 4, "val": 2, "test": 2}
    assert sum(summary.n_windows.values()) == n_good


def test_a_split_that_was_given_and_has_no_good_file_is_told(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    for split in SPLITS:
        make_video(f"set/{split}/bark/a.mkv")
        make_video(f"set/{split}/cat/a.mkv")
    (tmp_path / "set/test/cat/a.mkv").write_bytes(b"broken")

    summary = _extract(
        read_folders(tmp_path / "set"), encoders, tmp_path / "out", ExtractConfig(n_clips=1)
    )

    assert "test has no window of cat" in summary.remarks


def test_one_label_alone_is_told() -> None:
    one = [_item(f"bark/{k}.wav") for k in range(3)]

    assert "all files are of one label, bark" in next(label_remarks(one))
    assert list(label_remarks([*one, _item("cat/1.wav", "cat")])) == []
    assert list(label_remarks([replace(one[0], others=("cat",))])) == []


@pytest.mark.parametrize("name", ["validation", "valid", "Val"])
def test_a_split_may_be_called_otherwise(name: str, tmp_path: Path) -> None:
    _touch(tmp_path / "train" / "bark" / "a.wav", tmp_path / name / "bark" / "b.wav")

    data = read_folders(tmp_path)

    assert [item.split for item in data.items] == ["train", "val"]
    assert data.labels == ("bark",)


def test_a_label_of_trains_is_no_split(tmp_path: Path) -> None:
    _touch(*(tmp_path / label / f"{k}.wav" for label in ("Train", "Bus") for k in range(3)))

    assert read_folders(tmp_path).labels == ("Bus", "Train")


def test_folders_that_are_not_used_are_told(tmp_path: Path) -> None:
    _touch(tmp_path / "train" / "bark" / "a.wav", tmp_path / "extra" / "bark" / "b.wav")
    (tmp_path / "train" / "howl").mkdir()

    remarks = " ".join(read_folders(tmp_path).remarks)

    assert "extra is not used" in remarks
    assert "train/howl is empty of videos" in remarks


def test_cuts_of_a_recording_are_told_and_kept_together_by_a_pattern(tmp_path: Path) -> None:
    _touch(*(tmp_path / "bark" / f"yard{r}_{k:03d}.wav" for r in range(8) for k in range(5)))

    told = read_folders(tmp_path)
    kept = read_folders(tmp_path, re.compile(r"(.*)_\d+"))

    assert "look like cuts of one recording" in told.remarks[0]
    assert kept.remarks == ()
    splits: dict[str, set[str]] = {}
    for item in kept.items:
        splits.setdefault(item.path.stem.partition("_")[0], set()).add(item.split)
    assert all(len(found) == 1 for found in splits.values())
    assert set().union(*splits.values()) == set(SPLITS)
    with pytest.raises(DataSetError, match="is found in no file's name"):
        read_folders(tmp_path, re.compile("speaker"))


def test_numbered_files_are_no_cuts() -> None:
    assert list(split_remarks(deal(_item(f"bark/bark_{k}.wav") for k in range(40)))) == []


def test_a_recording_in_two_given_splits_is_told(tmp_path: Path) -> None:
    (tmp_path / "AVE").mkdir()
    for split in ("train", "test"):
        (tmp_path / f"{split}Set.txt").write_text("Bark&abc&good&0&10\n")

    assert read_ave(tmp_path).remarks == ("1 recordings are in several splits (the first: abc)",)


def test_a_slip_in_a_label_does_not_shrink_aves_labels(tmp_path: Path) -> None:
    (tmp_path / "AVE").mkdir()
    (tmp_path / "trainSet.txt").write_text("Bark&a&good&0&10\nAcoustic gitar&b&good&0&10\n")

    with pytest.raises(DataSetError, match="'Acoustic gitar'; 'Acoustic guitar' is near"):
        read_ave(tmp_path)

    (tmp_path / "trainSet.txt").write_text("Bark&a&good&0&10\nKnife&b&good&0&10\n")
    data = read_ave(tmp_path)
    assert data.labels == ("Bark", "Knife")
    assert "Knife is not among AVE's labels" in data.remarks[0]
    (tmp_path / "trainSet.txt").write_text("Bark&a&good&0&10\n")
    assert (read_ave(tmp_path).labels, read_ave(tmp_path).remarks) == (AVE_LABELS, ())


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ("file,label,onset_s,offset_s\na.mp4,Bark,5,2\n", "not after the offset, got 5 and 2"),
        ("file,label,onset_s,offset_s\na.mp4,Bark,nan,2\n", "not after the offset, got nan"),
        ("file,label,onset_s,offset_s\na.mp4,Bark,-1,2\n", "must be 0 or more"),
        (
            "file,label\na.mp4,Bark\na.mp4,Cat\n",
            "line 3: a.mp4 has the label 'Cat' here and 'Bark'",
        ),
        (
            "file,label,split\na.mp4,Bark,train\na.mp4,Bark,test\n",
            "line 3: a.mp4 has the split 'test' here and 'train'",
        ),
    ],
)
def test_a_table_that_contradicts_itself_is_one_sentence(
    lines: str, problem: str, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(lines)

    with pytest.raises(DataSetError, match=problem):
        read_tables([tmp_path / "t.csv"])


def test_what_a_table_is_not_taught_of_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "file,label,onset_s,offset_s\na.mp4,Bark,0,1\na.mp4,Cat,1,2\nb.mp4,Bark|Cat,,\nc.mp4,bark,,\n"
    )

    assert read_tables([tmp_path / "t.csv"]).remarks == (
        "1 lines name several labels: the first of each is taught",
        "1 files have spans of several labels: the first of each is taught",
        "labels differ in their spelling alone: Bark and bark",
    )


def test_the_same_bytes_in_two_splits_or_labels_are_told(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(b"the same")
    (tmp_path / "d").write_bytes(b"another.")
    items = [
        MediaItem(id=name, path=tmp_path / name, label=label, split=split)
        for name, label, split in (
            ("a", "bark", "train"), ("b", "bark", "test"), ("c", "cat", "train"),
            ("d", "cat", "val"), ("absent", "cat", "val"),
        )
    ]  # fmt: skip

    assert list(same_files(items)) == [
        "1 files are the same in several splits: a and b",
        "1 files are the same in several labels: a and c",
    ]


def test_windows_of_two_splits_that_look_and_sound_alike_are_told(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    # High powers leave few large values, as in features, so that others are not alike.
    visual = {split: (random.random((3, 2, 64)) ** 9).astype(np.float16) for split in SPLITS}
    audio = {split: (random.random((3, 2, 3, 2, 32)) ** 90).astype(np.float16) for split in SPLITS}
    noise = random.random((2, 64)).astype(np.float16) / 10  # it was encoded anew
    visual["test"][1], audio["test"][1] = visual["train"][2] + noise, audio["train"][2]
    visual["val"][0] = visual["train"][0]  # the same still under another sound
    for split in SPLITS:
        np.save(tmp_path / f"{split}_visual.npy", visual[split])
        np.save(tmp_path / f"{split}_audio.npy", audio[split])
        (tmp_path / f"{split}_names.json").write_text(f'["{split} 0", "{split} 1", "{split} 2"]')
    present = np.ones((3, 2, 2), np.bool_)
    present[0, :, 1] = False  # no sound: the picture alone speaks
    np.save(tmp_path / "val_present.npy", present)

    assert list(alike_windows(tmp_path)) == [
        "1 window of val looks like one of train (the first: val 0 and train 0)",
        "1 window of test looks like one of train (the first: test 1 and train 2)",
    ]


def test_a_long_file_gives_no_more_windows_than_are_wanted(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    long = make_video("long.mkv", n_frames=16 * 12)
    data = DataSet(
        labels=("bark",),
        items=(MediaItem(id="long", path=long, label="bark", split="train"),),
    )

    whole = _extract(data, encoders, tmp_path / "whole", ExtractConfig(n_clips=1))
    few = _extract(data, encoders, tmp_path / "few", ExtractConfig(n_clips=1, per_file=3))

    assert "12 of 12 windows of train are of one file, long.mkv" in whole.remarks[-1]
    assert few.n_windows["train"] == 3
    audio = np.load(tmp_path / "few" / "train_visual.npy")[:, 0, 0]
    every = np.load(tmp_path / "whole" / "train_visual.npy")[:, 0, 0]
    np.testing.assert_array_equal(audio, every[[0, 4, 8]])
