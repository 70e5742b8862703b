from pathlib import Path

import pytest

from extractors.datasets import DataSet, MediaItem
from extractors.errors import DataSetError
from extractors.subset import subset


def _item(name: str, label: str, split: str = "train") -> MediaItem:
    return MediaItem(id=f"{split}/{name}", path=Path(name), label=label, split=split)


@pytest.fixture
def data() -> DataSet:
    items = [_item(f"{label}{k}.wav", label) for label in ("bark", "cat") for k in range(5)]
    items += [_item(f"bark{k}.jpg", "bark") for k in range(5)]
    items += [_item("bark9.wav", "bark", "test")]
    return DataSet(labels=("bark", "cat"), items=tuple(items))


def test_everything_is_kept_when_nothing_is_asked(data: DataSet) -> None:
    assert subset(data) == data


def test_labels_and_their_files_are_kept_in_their_order(data: DataSet) -> None:
    kept = subset(data, ["bark"])
    assert kept.labels == ("bark",)
    assert kept.items == tuple(item for item in data.items if item.label == "bark")


def test_each_label_split_and_kind_has_its_own_count(data: DataSet) -> None:
    kept = subset(data, per_label=2)
    counts = [(item.label, item.split, item.path.suffix) for item in kept.items]
    assert sorted(set(counts)) == [
        ("bark", "test", ".wav"),
        ("bark", "train", ".jpg"),
        ("bark", "train", ".wav"),
        ("cat", "train", ".wav"),
    ]
    assert len(counts) == 7


def test_a_larger_number_adds_to_a_smaller_ones_files(data: DataSet) -> None:
    few, more = (set(subset(data, per_label=n).items) for n in (2, 3))
    assert few < more


def test_an_unknown_label_is_one_sentence_with_the_known_ones(data: DataSet) -> None:
    with pytest.raises(DataSetError, match="no label 'dog': there are bark, cat"):
        subset(data, ["bark", "dog"])
