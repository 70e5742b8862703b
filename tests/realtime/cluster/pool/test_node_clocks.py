"""How far a node's wall clock is off, by what its actor answers."""

from __future__ import annotations

from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.cluster.pool.node_clocks import NodeClocks


def asked(behind_ns: int, ways_ns: list[int]) -> list[int]:
    """Return what is told of a clock that is so far behind, with exchanges of these lengths."""
    now = [0]
    told: list[int] = []
    ways = iter(ways_ns)

    def ask(actor: str) -> int | None:
        way_ns = next(ways)
        now[0] += way_ns
        return now[0] - way_ns - behind_ns  # all of the way is the answer's

    clocks = NodeClocks(ask, lambda actor, ns: told.append(ns), lambda: now[0])
    for _ in ways_ns:
        clocks.ask(["a"])
    return told


def test_shortest_exchange_says_how_far_a_clock_is_off() -> None:
    told = asked(5 * NS_PER_S, [400 * NS_PER_MS, 2 * NS_PER_MS, 300 * NS_PER_MS])

    assert abs(told[0] - 5 * NS_PER_S) <= 200 * NS_PER_MS
    assert abs(told[-1] - 5 * NS_PER_S) <= NS_PER_MS


def test_what_the_way_explains_is_nothing() -> None:
    assert asked(0, [4 * NS_PER_MS]) == [0]


def test_actor_that_does_not_answer_is_passed_over() -> None:
    told: list[int] = []
    NodeClocks(lambda actor: None, lambda actor, ns: told.append(ns)).ask(["a"])

    assert told == []
