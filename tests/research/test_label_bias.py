import numpy as np
import pytest

from research.label_bias import HIGHEST, LOWEST, thresholds
from research.lessons import Heard
from research.vocabulary import Vocabulary

VOCABULARY = Vocabulary(
    labels=("Speech", "Bark", "Cat"),
    sound=((0,), (1,), (2,)),
    picture=((), (), ()),
    parents={"Bark": "Speech"},
)
N = 400


def heard() -> Heard:
    return Heard(
        maps=np.zeros((N, 10, 1, 1, 1), np.float16),
        short=np.full((N, 3), -6, np.float32),
        long=np.full((N, 3), -6, np.float32),
        heard=np.zeros((N, 10, 3), np.float16),
        empty=np.zeros(N, np.bool_),
    )


def probability(logit: float) -> float:
    return float(1 / (1 + np.exp(-logit)))


def test_label_that_errs_often_has_the_higher_threshold_and_both_are_bounded() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal([0.0, -2.0, -9.0], 1.0, (N, 3)).astype(np.float32)

    wanted = thresholds(logits, heard(), VOCABULARY)

    assert probability(wanted[0]) == pytest.approx(HIGHEST)
    assert wanted[0] > wanted[1] > wanted[2]
    assert probability(wanted[2]) == pytest.approx(LOWEST)


def test_windows_in_which_a_label_may_be_heard_do_not_count_as_mistakes() -> None:
    logits = np.full((N, 3), -9, np.float32) + np.linspace(0, 1, N, dtype=np.float32)[:, None]
    quiet = thresholds(logits, heard(), VOCABULARY)
    loud = logits.copy()
    loud[:50] = 8.0
    of_files, of_teacher = heard(), heard()
    of_files.heard[:50, -1] = 1.0
    of_teacher.short[:50] = 4.0

    for marked in (of_files, of_teacher):
        np.testing.assert_allclose(thresholds(loud, marked, VOCABULARY), quiet, atol=0.05)
    assert (thresholds(loud, heard(), VOCABULARY) > quiet + 1).all()


def test_wider_label_is_no_mistake_where_a_narrower_ones_file_is_heard() -> None:
    logits = np.full((N, 3), -9, np.float32) + np.linspace(0, 1, N, dtype=np.float32)[:, None]
    logits[:50, 0] = 8.0
    marked = heard()
    marked.heard[:50, -1, 1] = 1.0

    assert probability(thresholds(logits, marked, VOCABULARY)[0]) == pytest.approx(LOWEST)
