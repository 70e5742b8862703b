"""Pictures that bear no time: what they are dated when they come evenly, late, or all at once."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest

from realtime.buffers.lag import Lag
from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.sources.delivery import Delivery
from realtime.sources.playout import Playout

INTERVAL_NS = 50 * NS_PER_MS  # 20 a second
FIRST_NS = NS_PER_S


def played(arrivals_ns: list[int], look_ns: int = NS_PER_MS) -> dict[int, tuple[int, int]]:
    """Have pictures come; return, of each that was taken, its date and when it was taken."""
    playout: Playout[int] = Playout(Delivery(NS_PER_S, 0), Lag())
    taken: dict[int, tuple[int, int]] = {}
    n_put = 0
    for now_ns in range(0, arrivals_ns[-1] + NS_PER_S, look_ns):
        while n_put < len(arrivals_ns) and arrivals_ns[n_put] <= now_ns:
            playout.put(n_put, 10_000, None, arrivals_ns[n_put])
            n_put += 1
        while (arrived := playout.take(now_ns)) is not None:
            taken[arrived.item] = (playout.time_ns(0, arrived), now_ns)
    return taken


def evenly(n: int) -> list[int]:
    return [FIRST_NS + number * INTERVAL_NS for number in range(n)]


def held_up(
    arrivals_ns: list[int], first: int, until_ns: int, apart_ns: int = NS_PER_MS
) -> list[int]:
    """Have whatever came from picture `first` to `until_ns` come then, so far apart."""
    late, n_late = list(arrivals_ns), 0
    for number in range(first, len(late)):
        if late[number] < until_ns + n_late * apart_ns:
            late[number] = until_ns + n_late * apart_ns
            n_late += 1
    return late


def test_what_comes_evenly_is_dated_when_it_came_and_waits_for_nobody() -> None:
    arrivals = evenly(100)
    taken = played(arrivals)
    assert [taken[number] for number in range(100)] == [(t, t) for t in arrivals]


@pytest.mark.parametrize(("apart_ms", "off_ms"), [(1, 20), (15, 120), (30, 220)])
def test_burst_after_a_pause_is_laid_back_over_it(apart_ms: int, off_ms: int) -> None:
    """A busy machine takes its time to read what waited: it is late by then, and evenly so."""
    true = evenly(100)
    until_ns = true[46] + 10 * NS_PER_MS  # 0.3 s of pictures wait
    arrivals = held_up(true, 40, until_ns, apart_ms * NS_PER_MS)
    taken = played(arrivals)
    dates = np.array([taken[number][0] for number in range(100)])
    assert np.abs(dates - np.array(true)).max() < off_ms * NS_PER_MS
    assert np.diff(dates).min() >= min(30, apart_ms) * NS_PER_MS
    assert np.diff(dates).max() < 100 * NS_PER_MS
    assert all(date <= at for date, at in taken.values())


@pytest.mark.parametrize("pause_s", [0.3, 3.0, 300.0])
def test_picture_that_comes_late_alone_is_dated_when_it_came(pause_s: float) -> None:
    arrivals = evenly(60)
    arrivals += [arrivals[-1] + round(pause_s * NS_PER_S) + n * INTERVAL_NS for n in range(20)]
    taken = played(arrivals)
    assert [taken[number][0] for number in range(80)] == arrivals
    assert max(at - date for date, at in taken.values()) <= 38 * NS_PER_MS


def test_burst_after_a_long_pause_lies_at_its_end() -> None:
    """A camera that was away for a minute kept three pictures, not a minute of them."""
    arrivals = evenly(60)
    back_ns = arrivals[-1] + 60 * NS_PER_S
    arrivals += [back_ns + n * NS_PER_MS for n in range(3)]
    arrivals += [back_ns + n * INTERVAL_NS for n in range(1, 20)]
    taken = played(arrivals)
    assert back_ns - taken[60][0] == pytest.approx(2 * INTERVAL_NS, abs=10 * NS_PER_MS)
    assert taken[62][0] == arrivals[62]


def test_lumps_of_pictures_are_played_as_evenly_as_they_were_taken() -> None:
    arrivals = [FIRST_NS + n // 10 * 10 * INTERVAL_NS + n % 10 * NS_PER_MS for n in range(400)]
    taken = played(arrivals)
    dates = np.array([taken[number][0] for number in range(400)])
    gaps = np.diff(dates[100:])
    assert gaps.min() > 30 * NS_PER_MS
    assert gaps.max() < 100 * NS_PER_MS


def test_dates_never_go_back_whatever_comes() -> None:
    rng = random.Random(7)
    for _ in range(50):
        arrivals, now_ns = [], FIRST_NS
        for _ in range(200):
            now_ns += rng.choice([0, NS_PER_MS, 20 * NS_PER_MS, 50 * NS_PER_MS, 400 * NS_PER_MS])
            arrivals.append(now_ns)
        taken = played(arrivals, look_ns=rng.choice([1, 7, 60]) * NS_PER_MS)
        assert sorted(taken) == list(range(200))
        in_order = [taken[number] for number in range(200)]
        assert all(a[0] <= b[0] for a, b in itertools.pairwise(in_order))
        assert all(date <= at for date, at in in_order)
        assert max(at - arrivals[n] for n, (_, at) in taken.items()) <= 400 * NS_PER_MS
