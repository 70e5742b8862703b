"""Offset and drift of an edge's clock, with ways that are uneven and edges that lie."""

from __future__ import annotations

import random

from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.cluster.ingest.edge_clock import N_AT_MOST, N_TO_SETTLE, EdgeClock

OFFSET_NS = 5 * NS_PER_S
PPM = 200.0


def edge_time(pool_ns: int) -> int:
    return pool_ns + OFFSET_NS + round(pool_ns * PPM / 1e6)


def exchange(clock: EdgeClock, now_ns: int, there_ns: int, back_ns: int) -> bool:
    at_edge_ns = edge_time(now_ns + there_ns)
    return clock.observe(now_ns, at_edge_ns, at_edge_ns + 50_000, now_ns + there_ns + back_ns)


def run(clock: EdgeClock, seconds: float, rng: random.Random, begin_ns: int = 0) -> int:
    """Exchange twice a second, each way mostly short and sometimes long; return the end."""
    now_ns = begin_ns
    while now_ns < begin_ns + seconds * NS_PER_S:
        there_ns = round(NS_PER_MS * (0.2 + rng.expovariate(1 / 3)))
        back_ns = round(NS_PER_MS * (0.3 + rng.expovariate(1 / 8)))
        exchange(clock, now_ns, there_ns, back_ns)
        now_ns += NS_PER_S // 2
    return now_ns


def test_offset_and_drift_are_learned_when_the_ways_are_uneven() -> None:
    clock = EdgeClock()
    end_ns = run(clock, 120, random.Random(1))

    error_ns = clock.to_pool(edge_time(end_ns)) - end_ns
    assert abs(error_ns) < 2 * NS_PER_MS
    assert abs(clock.drift + PPM / 1e6) < 30e-6
    assert abs(clock.to_edge(end_ns) - edge_time(end_ns)) < 2 * NS_PER_MS
    assert clock.n_restarts == 0


def test_error_stays_small_from_the_first_settled_exchange_on() -> None:
    clock, rng = EdgeClock(), random.Random(2)
    now_ns, worst_ns = 0, 0
    while now_ns < 60 * NS_PER_S:
        run(clock, 0.5, rng, now_ns)
        now_ns += NS_PER_S // 2
        if clock.settled:
            worst_ns = max(worst_ns, abs(clock.to_pool(edge_time(now_ns)) - now_ns))
    assert worst_ns < 10 * NS_PER_MS


def test_nothing_is_settled_before_there_was_a_short_way_or_a_long_wait() -> None:
    clock = EdgeClock()
    for k in range(N_AT_MOST):
        assert not clock.settled
        exchange(clock, k * NS_PER_MS, 30 * NS_PER_MS, 30 * NS_PER_MS)
    assert clock.settled

    quick = EdgeClock()
    for k in range(N_TO_SETTLE):
        assert not quick.settled
        exchange(quick, k * NS_PER_MS, NS_PER_MS, NS_PER_MS)
    assert quick.settled


def test_exchange_that_cannot_be_true_is_passed_over() -> None:
    clock = EdgeClock()
    run(clock, 10, random.Random(3))
    before = clock.to_pool(OFFSET_NS)

    assert not clock.observe(0, 10, 5, 100)  # sent before it came
    assert not clock.observe(0, 0, 10 * NS_PER_S, 100)  # held longer than all of it lasted
    assert not clock.observe(0, 0, 0, 10 * NS_PER_S)  # far too long on its way
    assert clock.to_pool(OFFSET_NS) == before


def test_clock_that_jumps_is_learned_anew() -> None:
    clock = EdgeClock()
    end_ns = run(clock, 30, random.Random(4))
    jumped_ns = edge_time(end_ns) + 3600 * NS_PER_S
    clock.observe(end_ns, jumped_ns, jumped_ns, end_ns + NS_PER_MS)

    assert clock.n_restarts == 1
    assert not clock.settled
    assert abs(clock.to_pool(jumped_ns) - end_ns) <= NS_PER_MS
