"""Rows from a few examples: told where they should be, on what they had not seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from teaching.deny import deny
from teaching.learn import begins_at, learn, peak, scores, threshold
from teaching.reference import Reference, packed, unpacked

WIDTH = 64
Array = NDArray[np.float32]


def cluster(seed: int, n: int, place: int, strength: float = 4.0) -> Array:
    """Return seconds that share a feature, over noise that all have."""
    rows = np.abs(np.random.default_rng(seed).normal(size=(n, WIDTH))).astype(np.float32)
    rows[:, place] += strength
    return rows


def other_things() -> tuple[Array, NDArray[np.bool_]]:
    rows = np.concatenate([cluster(100 + k, 8, k) for k in range(20, 60)])
    return rows, np.arange(len(rows)) % 4 == 0


def test_examples_that_were_not_seen_are_told_and_other_things_are_not() -> None:
    reference, nothing = other_things()

    learned = learn([cluster(k, 9, 3) for k in range(5)], reference, nothing)

    assert learned.recall == 1.0
    assert (learned.others[nothing] < 0).all()
    assert (learned.others < 0).mean() >= 0.97
    new, else_ = cluster(50, 9, 3), cluster(51, 9, 30)
    assert peak(scores(learned.weights, new)) > 0 > peak(scores(learned.weights, else_))


def test_what_the_room_has_too_is_not_what_is_learned() -> None:
    reference, nothing = other_things()
    examples = [cluster(k, 9, 3) + cluster(70 + k, 9, 5, 6.0) for k in range(5)]
    room = cluster(90, 40, 5, 6.0)

    alone = learn(examples, reference, nothing)
    with_room = learn(examples, reference, nothing, room)

    only_room = cluster(91, 9, 5, 6.0)
    gap = [peak(scores(each.weights, only_room)) for each in (alone, with_room)]
    assert gap[1] < 0
    assert gap[1] < gap[0] - 1.0


def test_threshold_lies_over_what_nothing_would_reach_in_hours() -> None:
    rng = np.random.default_rng(0)
    others = rng.exponential(size=400).astype(np.float32)
    nothing = np.ones(400, np.bool_)

    begins = threshold(np.zeros(5, np.float32), others, nothing)

    hours = rng.exponential(size=14_400)
    assert begins > np.quantile(others, 0.98)
    assert (hours >= begins).sum() <= 14_400 / 300 * 3


def test_peak_wants_two_hops_of_three() -> None:
    assert peak(np.array([0, 9, 0, 0], np.float32)) == 0
    assert peak(np.array([0, 9, 0, 5], np.float32)) == 5
    assert peak(np.array([2], np.float32)) == 2


@pytest.mark.parametrize("weight", [0.0, 0.15, 0.5])
def test_event_begins_where_one_second_is_sure_enough_in_a_silent_window(weight: float) -> None:
    logit = begins_at(0.65, weight, 10)

    share = 1 / (1 + np.exp(-logit))
    window = np.log(share / 10 / (1 - share / 10))
    joined = weight * window + (1 - weight) * logit
    assert 1 / (1 + np.exp(-joined)) == pytest.approx(0.65, abs=1e-6)


def test_false_events_that_were_not_seen_lose_enough_and_the_label_elsewhere_nothing() -> None:
    others, _ = other_things()
    own = np.concatenate([cluster(200 + k, 3, 10) for k in range(4)])
    false = [cluster(k, 6, 3) for k in range(10)]

    denial = deny(false, own, others, enough=4.0)

    lost = [np.maximum(0, scores(denial.weights, cluster(60 + k, 6, 3))) for k in range(10)]
    assert np.mean([peak(-each) < -4.0 for each in lost]) >= 0.9
    assert (denial.own == 0).all()
    elsewhere = scores(denial.weights, cluster(300, 50, 10))
    assert (elsewhere <= 0).mean() >= 0.9


def test_what_a_label_was_taken_for_is_denied_though_nothing_is_known_of_the_label() -> None:
    others, _ = other_things()
    own = np.zeros((0, WIDTH), np.float32)

    denial = deny([cluster(k, 6, 3) for k in range(4)], own, others, enough=3.0)

    assert (scores(denial.weights, cluster(60, 6, 3)) > 0).mean() > 0.7
    assert len(denial.own) == 0


def test_what_is_like_the_label_itself_is_denied_no_further_than_the_label_allows() -> None:
    others, _ = other_things()
    own = np.concatenate([cluster(200 + k, 3, 3) for k in range(4)])  # as the false events
    false = [cluster(k, 6, 3) for k in range(10)]

    denial = deny(false, own, others, enough=4.0)

    assert denial.is_bounded
    assert (denial.own == 0).all()
    elsewhere = scores(denial.weights, cluster(300, 200, 3))
    assert (elsewhere > 0).mean() <= 0.1
    assert sum(peak(-each) < -4.0 for each in denial.taken) <= 3


def test_source_that_sounds_otherwise_later_is_denied_where_much_of_the_label_is_known() -> None:
    others, _ = other_things()
    own = np.concatenate([cluster(200 + k, 3, 10) for k in range(20)])
    false = [cluster(k, 6, 3, 5.0) for k in range(10)]
    later = cluster(60, 50, 3, 3.0)  # the same, farther away

    few, many = (deny(false, rows, others, enough=4.0) for rows in (own[:6], own))

    share = [float((scores(each.weights, later) > 0).mean()) for each in (few, many)]
    assert share[0] < 0.5 < 0.9 <= share[1]
    assert (many.own == 0).mean() >= 0.9
    elsewhere = scores(many.weights, cluster(300, 50, 10))
    assert (elsewhere <= 0).mean() >= 0.9


def test_nothing_of_an_hour_in_which_nothing_happens_is_told() -> None:
    reference, nothing = other_things()
    hum = cluster(400, 600, 4)
    hum[:, 3] += np.random.default_rng(0).exponential(0.3, 600).astype(np.float32)

    learned = learn([cluster(k, 9, 3) for k in range(5)], reference, nothing, empty=hum)

    assert (scores(learned.weights, hum) < 0).all()
    assert learned.recall == 1.0


def test_hour_of_nothing_is_unpacked_nearly_as_it_was() -> None:
    rng = np.random.default_rng(0)
    rows = (rng.normal(size=(300, 8)) @ rng.normal(size=(8, 128)) + 3).astype(np.float32)

    kept = {name: torch.from_numpy(each) for name, each in packed("empty", rows).items()}

    np.testing.assert_allclose(unpacked("empty", kept), rows, atol=0.3)


def test_reference_joins_more_of_a_label_to_it_and_to_no_other_things() -> None:
    rows = cluster(1, 4, 3)
    own = {"Cat": cluster(2, 7, 10), "Owl": cluster(3, 2, 11)}

    reference = Reference(
        rows=rows, labels=("Cat", "Dog", "Cat", "Background"), empty=rows[:0], own=own
    )

    assert len(reference.of("Cat")) == 2 + 7
    assert len(reference.of("Owl")) == 2
    assert len(reference.but("Cat")[0]) == 2
