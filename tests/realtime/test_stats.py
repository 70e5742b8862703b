"""Counters and latencies, from one thread and from several."""

from __future__ import annotations

import threading

import pytest

from realtime.stats import N_RECENT, Stats


def test_counter_is_nought_when_nothing_was_counted() -> None:
    assert Stats().snapshot().count("frames") == 0


def test_latencies_are_unknown_before_the_first_step() -> None:
    snapshot = Stats().snapshot()

    assert snapshot.latency_p50_ms is None
    assert snapshot.compute_p95_ms is None
    assert snapshot.sound_level_db is None


def test_percentiles_are_those_of_the_newest_steps() -> None:
    stats = Stats()
    stats.observe_step(1e6, 1e6)  # long ago
    for i in range(N_RECENT):
        stats.observe_step(float(i), None if i % 2 else 40.0)

    snapshot = stats.snapshot()

    assert snapshot.compute_p50_ms == pytest.approx((N_RECENT - 1) / 2)
    assert snapshot.compute_p95_ms == pytest.approx(0.95 * (N_RECENT - 1))


def test_step_counts_only_as_work_when_it_has_no_latency() -> None:
    stats = Stats()
    stats.observe_step(5.0, None)

    assert stats.snapshot().latency_p50_ms is None
    assert stats.snapshot().compute_p50_ms == 5.0


def test_snapshot_stays_as_it_was_when_counting_goes_on() -> None:
    stats = Stats()
    stats.count("frames", 3)
    before = stats.snapshot()
    stats.count("frames")

    assert before.count("frames") == 3
    assert stats.snapshot().count("frames") == 4


@pytest.mark.timeout(60)
def test_nothing_is_lost_when_several_threads_count() -> None:
    stats = Stats()
    n_threads, n_each = 4, 5000

    def count() -> None:
        for _ in range(n_each):
            stats.count("frames")

    threads = [threading.Thread(target=count) for _ in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30.0)

    assert stats.snapshot().count("frames") == n_threads * n_each
