"""What is given up when decisions come late, and when it is taken back."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.load_governor import (
    FULL,
    HIGH_NS,
    LEVELS,
    MAX_RECOVER_NS,
    RECOVER_NS,
    LoadGovernor,
    LoadLevel,
    levels_of,
)

HOP_NS = NS_PER_S // 4
ON_TIME_NS = 20 * NS_PER_MS


def run(governor: LoadGovernor, lag_ns: int, seconds: float, start_ns: int = 0) -> int:
    """Observe one lag at every hop; return the time after."""
    n_hops = round(seconds * NS_PER_S / HOP_NS)
    for hop in range(n_hops):
        governor.observe(lag_ns, start_ns + hop * HOP_NS)
    return start_ns + n_hops * HOP_NS


def test_levels_give_up_pictures_first_and_decisions_last() -> None:
    assert [(level.grid_hz, level.hop_factor) for level in LEVELS] == [
        (16, 1), (8, 1), (4, 1), (2, 1), (2, 2), (2, 4),
    ]  # fmt: skip


@pytest.mark.parametrize("grid_hz", [2, 4, 8, 16])
def test_levels_begin_with_all_that_is_asked_for(grid_hz: int) -> None:
    levels = levels_of(grid_hz)

    assert levels[0] == LoadLevel(grid_hz=grid_hz)
    assert LoadGovernor(grid_hz=grid_hz).level == levels[0]
    assert levels[-2:] == LEVELS[-2:]
    assert len(set(levels)) == len(levels)
    assert max(level.grid_hz for level in levels) == grid_hz


def test_one_late_decision_costs_nothing() -> None:
    governor = LoadGovernor()
    governor.observe(2 * HIGH_NS, 0)
    governor.observe(ON_TIME_NS, HOP_NS)

    assert governor.observe(2 * HIGH_NS, 2 * HOP_NS) == FULL


def test_one_level_is_given_up_when_two_decisions_in_a_row_are_late() -> None:
    governor = LoadGovernor()
    governor.observe(HIGH_NS + 1, 0)

    assert governor.observe(HIGH_NS + 1, HOP_NS) == LEVELS[1]


def test_effect_is_waited_for_before_more_is_given_up() -> None:
    governor = LoadGovernor()
    run(governor, HIGH_NS + 1, 1.0)

    assert governor.level == LEVELS[1]


def test_several_levels_are_given_up_at_once_when_a_decision_is_far_too_late() -> None:
    assert LoadGovernor().observe(8 * HIGH_NS, 0) == LEVELS[3]


def test_level_is_taken_back_after_a_calm_time_and_not_before() -> None:
    governor = LoadGovernor()
    governor.observe(8 * HIGH_NS, 0)
    now_ns = run(governor, ON_TIME_NS, RECOVER_NS / NS_PER_S, HOP_NS)
    before = governor.level

    run(governor, ON_TIME_NS, 0.5, now_ns)

    assert (before, governor.level) == (LEVELS[3], LEVELS[2])


def test_level_is_kept_while_lags_are_neither_long_nor_short() -> None:
    governor = LoadGovernor()
    governor.observe(8 * HIGH_NS, 0)
    run(governor, HIGH_NS * 3 // 4, 100.0, HOP_NS)

    assert governor.level == LEVELS[3]


def test_next_try_waits_longer_when_the_last_one_failed() -> None:
    """A machine that manages 8 pictures a second and not 16."""
    governor = LoadGovernor()
    raised_ns: list[int] = []
    for hop in range(2400):
        now_ns, before = hop * HOP_NS, governor.index
        lag_ns = 2 * HIGH_NS if governor.level == FULL else ON_TIME_NS
        governor.observe(lag_ns, now_ns)
        if governor.index < before:
            raised_ns.append(now_ns)

    waits = [b - a for a, b in itertools.pairwise(raised_ns)]
    assert waits == sorted(waits)
    assert waits[0] >= 2 * RECOVER_NS
    assert MAX_RECOVER_NS <= waits[-1] <= MAX_RECOVER_NS + 3 * NS_PER_S


@given(st.lists(st.integers(0, 100 * HIGH_NS), max_size=60))
def test_everything_is_computed_again_in_bounded_time_whatever_came_before(
    lags_ns: list[int],
) -> None:
    governor = LoadGovernor()
    for hop, lag_ns in enumerate(lags_ns):
        governor.observe(lag_ns, hop * HOP_NS)

    longest_s = (len(LEVELS) - 1) * (MAX_RECOVER_NS / NS_PER_S + 1)
    run(governor, ON_TIME_NS, longest_s, len(lags_ns) * HOP_NS)

    assert governor.level == FULL


@given(st.lists(st.integers(0, HIGH_NS), max_size=60))
def test_nothing_is_given_up_while_decisions_are_on_time(lags_ns: list[int]) -> None:
    governor = LoadGovernor()

    assert all(governor.observe(lag, n * HOP_NS) == FULL for n, lag in enumerate(lags_ns))


def test_lag_that_nothing_exceeds_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        LoadGovernor(0)
