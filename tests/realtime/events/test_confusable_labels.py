"""What labels that are hard to tell apart make of one score that they share."""

from __future__ import annotations

import numpy as np
import pytest

from realtime.events.confusable_labels import join

ON, OFF = np.array([0.6, 0.6, 0.6]), np.array([0.3, 0.3, 0.3])
WINDOW = np.array([0.1, 0.5, 0.2], np.float32)  # the second is likelier


def test_likelier_label_has_the_sum_when_none_is_sure_and_together_they_are() -> None:
    scores = np.array([0.3, 0.25, 0.1])

    joined = join(scores, WINDOW, ON, OFF, goes_on=False)

    assert joined.scores == pytest.approx([0.3, 0.65, 0.1])
    assert joined.dates_at.tolist() == [0.0, 0.0, 0.3]  # who has half of the largest, or more
    assert scores.tolist() == [0.3, 0.25, 0.1]  # the caller's own


def test_scores_stay_when_one_is_sure_and_the_others_are_dated_by_hits_alone() -> None:
    joined = join(np.array([0.7, 0.2, 0.1]), WINDOW, ON, OFF, goes_on=False)

    assert joined.scores.tolist() == [0.7, 0.2, 0.1]
    assert joined.dates_at.tolist() == ON.tolist()


def test_scores_stay_when_all_together_are_not_sure() -> None:
    joined = join(np.array([0.2, 0.2, 0.1]), WINDOW, ON, OFF, goes_on=False)

    assert joined.scores.tolist() == [0.2, 0.2, 0.1]
    assert joined.dates_at.tolist() == OFF.tolist()


def test_sum_holds_what_goes_on_and_dates_no_event() -> None:
    joined = join(np.array([0.5, 0.5, 0.5]), WINDOW, ON, OFF, goes_on=True)

    assert joined.scores.tolist() == [0.5, 1.0, 0.5]  # at most 1
    assert joined.dates_at.tolist() == ON.tolist()
