"""Stream time against the run's clock and UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from realtime.clock import NS_PER_S, Timeline, WallClock

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_utc_counts_from_the_first_sample_when_it_comes_long_after_the_start() -> None:
    timeline = Timeline(WallClock.fixed(STARTED, 100 * NS_PER_S))
    timeline.start(107 * NS_PER_S)  # the models took seven seconds

    assert timeline.utc(2 * NS_PER_S) == STARTED + timedelta(seconds=9)


def test_utc_counts_from_the_start_when_times_are_a_files() -> None:
    timeline = Timeline(WallClock.fixed(STARTED), 0)
    timeline.start(107 * NS_PER_S)  # the file's time stamps begin there

    assert timeline.utc(2 * NS_PER_S) == STARTED + timedelta(seconds=2)


def test_first_call_fixes_where_the_stream_begins() -> None:
    timeline = Timeline(WallClock.fixed(STARTED), 0)

    assert [timeline.start(5), timeline.start(3)] == [5, 5]
    assert timeline.t_ns(8) == 3
    assert timeline.time_ns(3) == 8
