from collections import Counter
from pathlib import Path

import pytest

from extractors.datasets import read_ave, read_folders, read_tables
from extractors.errors import DataSetError
from weights.ave import AVE_LABELS


def _touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def _ave(root: Path, **splits: str) -> Path:
    (root / "AVE").mkdir(parents=True)
    for split, lines in splits.items():
        (root / f"{split}Set.txt").write_text(lines)
    return root


def test_aves_lists_give_splits_labels_and_spans(tmp_path: Path) -> None:
    root = _ave(tmp_path, train="Bark&abc&good&2&7\n", test="Clock&x-_y&bad&0&10\n")

    data = read_ave(root)

    assert data.labels == AVE_LABELS
    assert data.n_clips == 10
    assert [(i.label, i.split, i.path) for i in data.items] == [
        ("Bark", "train", root / "AVE" / "abc.mp4"),
        ("Clock", "test", root / "AVE" / "x-_y.mp4"),
    ]
    assert (data.items[0].spans[0].onset_s, data.items[0].spans[0].offset_s) == (2.0, 7.0)


def test_other_labels_in_aves_layout_stand_in_alphabetical_order(tmp_path: Path) -> None:
    root = _ave(tmp_path, train="Zebra&a&good&0&10\nAnt&b&good&0&10\n")

    assert read_ave(root).labels == ("Ant", "Zebra")


def test_a_video_that_is_listed_twice_is_two_items(tmp_path: Path) -> None:
    root = _ave(tmp_path, train="Bark&a&good&0&5\nCat&a&good&5&10\n")

    items = read_ave(root).items

    assert len({item.id for item in items}) == 2
    assert items[0].path == items[1].path


def test_another_container_is_found_by_its_video_id(tmp_path: Path) -> None:
    root = _ave(tmp_path, val="Bark&a&good&0&10\n")
    _touch(root / "AVE" / "a.mkv")

    assert read_ave(root).items[0].path.name == "a.mkv"


@pytest.mark.parametrize(
    "line",
    ["Bark;a;good;0;10", "Bark&a&good&0", "&a&good&0&10", "Bark&../../x&good&0&10", "Bark&a&g&x&1"],
)
def test_a_bad_line_is_named_by_file_and_number(tmp_path: Path, line: str) -> None:
    root = _ave(tmp_path, train=f"Bark&fine&good&0&10\n{line}\n")

    with pytest.raises(DataSetError, match=r"trainSet\.txt, line 2"):
        read_ave(root)


def test_a_folder_without_aves_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="has no AVE folder"):
        read_ave(tmp_path)
    (tmp_path / "AVE").mkdir()
    with pytest.raises(DataSetError, match=r"has no trainSet\.txt"):
        read_ave(tmp_path)


def test_a_folder_per_label_is_dealt_into_splits(tmp_path: Path) -> None:
    _touch(*(tmp_path / "bark" / f"{k}.mp4" for k in range(20)), tmp_path / "cat" / "notes.txt")

    first, second = read_folders(tmp_path), read_folders(tmp_path)

    assert first == second
    assert first.labels == ("bark",)
    assert Counter(item.split for item in first.items) == {"train": 14, "val": 3, "test": 3}


@pytest.mark.parametrize(
    ("n_files", "splits"),
    [(1, {"train": 1}), (2, {"train": 2}), (3, {"train": 1, "val": 1, "test": 1})],
)
def test_a_label_of_three_files_has_one_in_every_split(
    tmp_path: Path, n_files: int, splits: dict[str, int]
) -> None:
    _touch(*(tmp_path / "bark" / f"{k}.mp4" for k in range(n_files)))

    assert Counter(item.split for item in read_folders(tmp_path).items) == splits


def test_a_group_is_never_parted(tmp_path: Path) -> None:
    lines = [f"{k}.ogg,Bark,speaker {k // 5}" for k in range(30)]
    (tmp_path / "table.csv").write_text("\n".join(["file,label,group", *lines]))

    splits: dict[str, set[str]] = {}
    for item in read_tables([tmp_path / "table.csv"]).items:
        splits.setdefault(item.group, set()).add(item.split)

    assert len(splits) == 6
    assert all(len(found) == 1 for found in splits.values())


def test_folders_named_after_splits_decide(tmp_path: Path) -> None:
    _touch(tmp_path / "val" / "bark" / "a.wav", tmp_path / "train" / "bark" / "b.jpg")

    items = read_folders(tmp_path).items

    assert [(i.split, i.label, i.is_picture, i.is_sound) for i in items] == [
        ("train", "bark", True, False),
        ("val", "bark", False, True),
    ]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="no folder per label"):
        read_folders(tmp_path)
    with pytest.raises(DataSetError, match="there is no folder"):
        read_folders(tmp_path / "absent")


def test_tables_are_joined_and_their_files_lie_beside_them(tmp_path: Path) -> None:
    sounds, pictures = tmp_path / "s.csv", tmp_path / "p.csv"
    sounds.write_text("file,label,split,group\nsounds/a.ogg,Bark,test,g1\n")
    pictures.write_text("file,label,split\npictures/a.jpg,Cat,train\n")

    data = read_tables([sounds, pictures])

    assert data.labels == ("Bark", "Cat")
    assert [(i.path, i.split, i.group) for i in data.items] == [
        (tmp_path / "pictures/a.jpg", "train", ""),
        (tmp_path / "sounds/a.ogg", "test", "g1"),
    ]


def test_several_lines_about_a_file_are_its_spans(tmp_path: Path) -> None:
    table = tmp_path / "clips.csv"
    table.write_text("file,label,onset_s,offset_s\na.mp4,Bark,0,1\na.mp4,Bark,2,3.5\n")

    (item,) = read_tables([table]).items

    assert [(s.onset_s, s.offset_s) for s in item.spans] == [(0.0, 1.0), (2.0, 3.5)]


def test_no_label_is_background_and_the_first_of_several_is_the_target(tmp_path: Path) -> None:
    table = tmp_path / "clips.csv"
    table.write_text("file,label,split\na.mp4,,train\nb.mp4,Bark|Cat,train\n")

    assert [item.label for item in read_tables([table]).items] == ["Background", "Bark"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("name,what\na.mp4,Bark\n", "must name the columns"),
        ("file,label\n,Bark\n", "line 2: file must not be empty"),
        ("file,label\na.txt,Bark\n", "no video, sound or picture"),
        ("file,label,split\na.mp4,Bark,dev\n", "split must be one of"),
        ("file,label,onset_s,offset_s\na.mp4,Bark,now,then\n", "must be seconds"),
        ("file,label\n", "no line names a file"),
    ],
)
def test_a_bad_table_is_one_sentence(tmp_path: Path, content: str, problem: str) -> None:
    (tmp_path / "table.csv").write_text(content)

    with pytest.raises(DataSetError, match=problem):
        read_tables([tmp_path / "table.csv"])


def test_a_table_that_is_no_text_or_not_there_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(DataSetError, match="not UTF-8"):
        read_tables([tmp_path / "table.csv"])
    with pytest.raises(DataSetError, match="cannot read"):
        read_tables([tmp_path / "absent.csv"])
