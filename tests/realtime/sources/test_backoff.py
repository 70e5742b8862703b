"""The waits before a lost device is looked for again."""

from __future__ import annotations

import random

import pytest

from realtime.clock import NS_PER_S
from realtime.sources.backoff import JITTER, Backoff

TIERS_S = (1.0, 5.0, 20.0, 60.0)


def test_waits_grow_to_the_last_tier_and_stay_there() -> None:
    backoff = Backoff(TIERS_S, random.Random(1))
    tiers, waits_s = [], []
    for _ in range(6):
        tiers.append(backoff.tier_s)
        waits_s.append(backoff.next_ns() / NS_PER_S)

    assert tiers == [1.0, 5.0, 20.0, 60.0, 60.0, 60.0]
    for tier_s, wait_s in zip(tiers, waits_s, strict=True):
        assert (1 - JITTER) * tier_s <= wait_s <= (1 + JITTER) * tier_s


def test_two_recognizers_do_not_ask_at_the_same_moment() -> None:
    waits = {Backoff(TIERS_S, random.Random(seed)).next_ns() for seed in range(20)}

    assert len(waits) == 20
    assert max(waits) - min(waits) > NS_PER_S // 4


def test_the_first_wait_comes_again_after_a_reset() -> None:
    backoff = Backoff(TIERS_S, random.Random(1))
    for _ in range(3):
        backoff.next_ns()
    assert backoff.is_last

    backoff.reset()

    assert backoff.tier_s == 1.0
    assert not backoff.is_last


def test_the_second_wait_comes_next_when_a_device_is_back_and_may_flutter() -> None:
    backoff = Backoff(TIERS_S, random.Random(1))
    backoff.ease()
    assert backoff.tier_s == 1.0
    for _ in range(4):
        backoff.next_ns()

    backoff.ease()

    assert backoff.tier_s == 5.0


def test_a_backoff_without_waits_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one wait"):
        Backoff((), random.Random(1))
