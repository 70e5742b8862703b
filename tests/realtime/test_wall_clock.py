"""Dates follow the wall clock, however it is set; stream time does not notice."""

from __future__ import annotations

import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from realtime.clock import NS_PER_MS, NS_PER_S, BootClock, ManualClock, Timeline, WallClock

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAYS_400 = timedelta(days=400)


class Machine:
    """A clock moved by hand and a wall clock that somebody sets."""

    def __init__(self, utc: datetime = STARTED) -> None:
        self.clock = ManualClock(100 * NS_PER_S)
        self.steps: list[int] = []
        self._ahead_ns = round((utc - EPOCH).total_seconds()) * NS_PER_S - self.clock.now_ns()
        self.wall = WallClock(self.clock, self._read_ns, self.steps.append)

    def _read_ns(self) -> int:
        return self.clock.now_ns() + self._ahead_ns

    def pass_s(self, seconds: float) -> None:
        self.clock.advance(round(seconds * NS_PER_S))

    def set_ahead(self, by: timedelta) -> None:
        self._ahead_ns += round(by.total_seconds() * NS_PER_S)

    def now_utc(self) -> datetime:
        return self.wall.utc(self.clock.now_ns())


@pytest.mark.parametrize(
    "step",
    [DAYS_400, -DAYS_400, timedelta(days=20_000), timedelta(seconds=-1.5), timedelta(seconds=2)],
)
def test_dates_follow_and_it_is_told_once_when_the_wall_clock_is_set(step: timedelta) -> None:
    machine = Machine()
    machine.pass_s(60)
    assert machine.now_utc() == STARTED + timedelta(seconds=60)

    machine.set_ahead(step)
    for _ in range(3):
        machine.pass_s(1)
        machine.now_utc()

    assert machine.now_utc() == STARTED + timedelta(seconds=63) + step
    assert machine.steps == [round(step.total_seconds() * NS_PER_S)]


def test_what_lay_before_a_step_is_dated_like_what_came_after_it() -> None:
    machine = Machine(EPOCH)
    timeline = Timeline(machine.wall)
    timeline.start(machine.clock.now_ns())
    machine.pass_s(5)
    machine.set_ahead(STARTED - EPOCH)

    onset, offset = timeline.utc(2 * NS_PER_S), timeline.utc(5 * NS_PER_S)

    assert offset - onset == timedelta(seconds=3)
    assert onset == STARTED + timedelta(seconds=2)


def test_both_dates_are_known_of_a_moment_when_the_clock_was_set_and_set_back() -> None:
    machine = Machine()
    machine.now_utc()
    machine.set_ahead(DAYS_400)
    machine.now_utc()
    machine.set_ahead(-2 * DAYS_400)

    assert machine.wall.utc_within(machine.clock.now_ns()) == (
        STARTED - DAYS_400,
        STARTED + DAYS_400,
    )


def test_a_drift_is_followed_and_told_only_once_it_is_a_second() -> None:
    machine = Machine()
    for _ in range(100):
        machine.pass_s(1000)
        machine.set_ahead(timedelta(milliseconds=15))
        machine.now_utc()
    drifted = machine.now_utc() - STARTED - timedelta(seconds=100_000)

    assert drifted == pytest.approx(timedelta(seconds=1.5), abs=timedelta(milliseconds=20))
    assert len(machine.steps) == 1


def test_a_slow_reading_is_no_step() -> None:
    clock = ManualClock()

    def slow_reading() -> int:
        clock.advance(500 * NS_PER_MS)  # no processor in the midst of it
        return clock.now_ns()

    steps: list[int] = []
    wall = WallClock(clock, slow_reading, steps.append)
    for _ in range(5):
        wall.utc(clock.now_ns())

    assert steps == []


def test_one_odd_reading_is_no_step() -> None:
    clock = ManualClock(100 * NS_PER_S)
    odd_ns: list[int] = []
    steps: list[int] = []
    wall = WallClock(clock, lambda: clock.now_ns() + (odd_ns.pop() if odd_ns else 0), steps.append)
    odd_ns.append(400 * 86_400 * NS_PER_S)  # the first reading of the next comparison

    before = wall.utc(clock.now_ns())
    after = wall.utc(clock.now_ns())

    assert steps == []
    assert before == after


def test_who_compared_before_a_step_does_not_undo_it_afterwards() -> None:
    clock = ManualClock(100 * NS_PER_S)
    ahead_ns = 0
    interrupted, go_on = threading.Event(), threading.Event()
    slow: threading.Thread | None = None

    def read_ns() -> int:
        read = clock.now_ns() + ahead_ns
        if threading.current_thread() is slow:
            interrupted.set()
            go_on.wait(0.2)
        return read

    steps: list[int] = []
    wall = WallClock(clock, read_ns, steps.append)
    slow = threading.Thread(target=wall.utc, args=(clock.now_ns(),))
    slow.start()
    assert interrupted.wait(10)
    ahead_ns = 5 * NS_PER_S
    quick = threading.Thread(target=wall.utc, args=(clock.now_ns(),))
    quick.start()
    quick.join(0.1)
    go_on.set()
    quick.join(10)
    slow.join(10)
    wall.utc(clock.now_ns())

    assert steps == [5 * NS_PER_S]


def test_a_files_times_count_from_the_start_by_the_clock_as_it_is_now() -> None:
    machine = Machine()
    timeline = Timeline(machine.wall, machine.clock.now_ns())
    timeline.start(0)
    machine.set_ahead(DAYS_400)

    assert timeline.utc(7 * NS_PER_S) == STARTED + DAYS_400 + timedelta(seconds=7)


@pytest.mark.skipif(sys.platform != "linux", reason="CLOCK_BOOTTIME is Linux's")
def test_a_runs_clock_counts_while_the_machine_sleeps() -> None:
    before_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    assert 0 <= BootClock().now_ns() - before_ns < 60 * NS_PER_S
