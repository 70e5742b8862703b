import dataclasses

import numpy as np

from research.folds import hits_of, known_labels, left_out_files
from research.sound_corpus import SoundCorpus
from research.vocabulary import Vocabulary

VOCABULARY = Vocabulary(
    labels=("Bark", "Cello", "Music"),
    sound=((0,), (1,), (2,)),
    picture=((), (), ()),
    parents={"Cello": "Music"},
)
CORPUS = SoundCorpus(
    samples=np.zeros(0, np.int16),
    starts=np.zeros(6, np.int64),
    labels=np.array([0, 0, 1, 2, 0]),
    names=("Bark", "Cello", "Music"),
    sources=("esc10", "elsewhere", "philharmonia", "esc10", "esc10"),
    splits=("test", "test", "test", "test", "train"),
    groups=("1", "2", "3", "4", "5"),
    levels=np.ones(5, np.float32),
)


def test_files_of_a_fold_are_of_its_sources_and_of_labels_that_have_others() -> None:
    assert left_out_files(CORPUS, VOCABULARY, ("esc10", "philharmonia")) == [(0, 0), (2, 1)]
    assert left_out_files(CORPUS, VOCABULARY, ("urbansound8k",)) == []


def test_file_is_named_among_the_labels_that_test_files_have_but_for_wider_ones() -> None:
    known = known_labels(CORPUS, VOCABULARY)
    logits = np.array([[0, 1, 9], [2, 1, 9]], np.float32)

    assert known == [0, 1]
    assert hits_of(logits, [1, 1], known) == [True, False]


def test_train_files_are_not_judged() -> None:
    all_train = dataclasses.replace(CORPUS, splits=("train",) * 5)

    assert left_out_files(all_train, VOCABULARY, ("esc10",)) == []
