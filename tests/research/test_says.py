import numpy as np
import torch

from research.says import SAY, SAY_EMPTY, SAY_NOT, SAY_OTHER, Bools, says_of
from research.vocabulary import Vocabulary

LABELS = ("Music", "Flute", "Banjo", "Bark")
VOCABULARY = Vocabulary(
    labels=LABELS,
    sound=((0,), (1,), (2,), (3,)),
    picture=((), (), (), ()),
    parents={"Flute": "Music", "Banjo": "Music"},
)
THOUGHT = torch.full((1, 4), 0.5)


def row(*labels: str) -> Bools:
    return np.array([[label in labels for label in LABELS]])


def test_flute_is_music_no_banjo_and_hardly_a_bark() -> None:
    says = says_of(row("Flute"), row("Flute"), np.array([True]), np.array([False]), VOCABULARY)

    wanted = [0.5 * (1 - SAY) + SAY] * 2 + [0.5 * (1 - SAY_OTHER), 0.5 * (1 - SAY_NOT * 0.5)]
    torch.testing.assert_close(says.join(THOUGHT)[0], torch.tensor(wanted))


def test_music_may_be_of_flutes() -> None:
    says = says_of(row("Music"), row("Music"), np.array([True]), np.array([False]), VOCABULARY)

    assert says.join(THOUGHT)[0, 1:3].tolist() == [0.5, 0.5]


def test_nothing_is_doubted_most_and_what_nobody_named_not_at_all() -> None:
    nothing = np.zeros((1, 4), np.bool_)
    empty = says_of(nothing, nothing, np.array([True]), np.array([True]), VOCABULARY)
    unnamed = says_of(nothing, nothing, np.array([False]), np.array([False]), VOCABULARY)

    torch.testing.assert_close(empty.join(THOUGHT), torch.full((1, 4), 0.5 * (1 - SAY_EMPTY / 2)))
    torch.testing.assert_close(unnamed.join(THOUGHT), THOUGHT)


def test_trace_of_a_label_is_neither_said_nor_doubted() -> None:
    nothing = np.zeros((1, 4), np.bool_)
    says = says_of(nothing, row("Bark"), np.array([True]), np.array([False]), VOCABULARY)

    assert says.join(THOUGHT)[0, 3] == 0.5
