import numpy as np
import pytest

from research.psds import Scored, cuts_of, psds
from research.streaming.replay import Scores
from research.streaming.scoring import Truth

LABELS = ("Bark", "Cat", "Siren")
TRUTHS = (
    Truth(label="Bark", onset_s=5, offset_s=8),
    Truth(label="Siren", onset_s=15, offset_s=20),
    Truth(label="Bark", onset_s=25, offset_s=28),
    Truth(label="Siren", onset_s=35, offset_s=38),
)


def stream(shown: tuple[Truth, ...]) -> Scored:
    ends_s = 1.0 + 0.25 * np.arange(160)
    rows = np.full((len(ends_s), 3), 0.02, np.float32)
    for truth in shown:
        centres = ends_s - 0.5
        within = (centres >= truth.onset_s) & (centres < truth.offset_s)
        rows[within, LABELS.index(truth.label)] = 0.9
    ends = (ends_s * 1e9).astype(np.int64)
    scores = Scores(end_t_ns=ends, window=rows, newest=rows)
    return Scored(seconds=41.0, truths=TRUTHS, scores=scores, context=0.2)


def test_stream_is_cut_in_its_pauses() -> None:
    assert cuts_of(TRUTHS, 41.0) == [0.0, 11.5, 22.5, 31.5, 41.0]
    assert cuts_of((), 41.0) == [0.0, 41.0]


def test_scores_that_are_the_truth_reach_one_and_deaf_ones_nothing() -> None:
    pytest.importorskip("sed_scores_eval", exc_type=ImportError)

    assert psds([stream(TRUTHS)], LABELS, "dates")[0] == pytest.approx(1.0)
    assert psds([stream(())], LABELS, "dates")[0] == pytest.approx(0.0)
