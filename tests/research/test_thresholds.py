import numpy as np

from research.thresholds import COMMON, GRID, Counts, choose

FALSE = np.zeros((len(GRID), 3))


def counts(right: list[float], false: list[float]) -> Counts:
    """Of three labels: right at thresholds under 0.6, false likewise."""
    low = (np.array(GRID) < 0.6)[:, None]
    return Counts(
        right=low * np.array(right), wrong=np.zeros_like(FALSE), false=low * np.array(false)
    )


def test_label_that_gains_nothing_keeps_the_common_threshold() -> None:
    places = choose(counts([0, 0, 0], [0, 0, 0]), np.ones(3, np.bool_), 1.0, 0.5)

    assert [GRID[place] for place in places] == [COMMON] * 3


def test_lower_threshold_is_taken_for_what_it_finds_unless_it_errs_too_often() -> None:
    places = choose(counts([5, 5, 0], [0, 3, 0]), np.ones(3, np.bool_), 1.0, 0.5)

    assert GRID[places[0]] < 0.6
    assert GRID[places[1]] == COMMON  # three false events an hour are more than half a one
    assert GRID[places[2]] == COMMON


def test_rate_counts_all_labels_together() -> None:
    few = choose(counts([5, 5, 5], [1, 1, 1]), np.ones(3, np.bool_), 10.0, 0.5)
    many = choose(counts([5, 5, 5], [2, 2, 2]), np.ones(3, np.bool_), 10.0, 0.5)

    assert all(GRID[place] < 0.6 for place in few)  # three in ten hours
    assert all(GRID[place] == COMMON for place in many)  # six in ten hours


def test_label_that_was_never_heard_is_not_lowered() -> None:
    heard = np.array([True, False, True])

    places = choose(counts([5, 5, 5], [0, 0, 0]), heard, 1.0, 0.5)

    assert GRID[places[1]] == COMMON
