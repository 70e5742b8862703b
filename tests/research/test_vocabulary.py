from pathlib import Path

import pytest

from research.audioset_classes import AUDIOSET_CLASSES
from research.vocabulary import load_vocabulary

TABLE = """label,audioset_classes,imagenet_classes
Speech,Speech|Conversation,
"Male speech, man speaking",,
Bark,Bark|Dog,151-153|268
Telephone,Telephone,
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "vocabulary.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_classes_are_read_by_name_and_by_range(tmp_path: Path) -> None:
    vocabulary = load_vocabulary(write(tmp_path, TABLE))

    assert [AUDIOSET_CLASSES[k] for k in vocabulary.sound[2]] == ["Bark", "Dog"]
    assert vocabulary.picture == ((), (), (151, 152, 153, 268), ())


def test_label_hears_by_its_parents_classes_when_it_has_none(tmp_path: Path) -> None:
    vocabulary = load_vocabulary(write(tmp_path, TABLE))

    assert vocabulary.sound[1] == vocabulary.sound[0]


def test_another_list_gives_a_label_its_own_class_when_it_knows_one(tmp_path: Path) -> None:
    vocabulary = load_vocabulary(write(tmp_path, TABLE))
    names = ["Dog", "Telephone", "Male speech, man speaking", "Conversation", "Bark", "Speech"]

    assert vocabulary.sound_in(names) == [[3, 5], [2], [0, 4], [1]]


def test_other_spellings_mean_a_label_and_unknown_ones_none(tmp_path: Path) -> None:
    vocabulary = load_vocabulary(write(tmp_path, TABLE))

    assert vocabulary.index("Telephone bell ringing") == 3
    assert vocabulary.index("Unlabelled") is None


@pytest.mark.parametrize("row", ["Bark,Bark|Barque,", "Bark,Bark,990-1000"])
def test_table_is_refused_when_a_class_cannot_be(tmp_path: Path, row: str) -> None:
    text = f"label,audioset_classes,imagenet_classes\n{row}\n"

    with pytest.raises(ValueError, match=r"Barque|ImageNet has classes"):
        load_vocabulary(write(tmp_path, text))
