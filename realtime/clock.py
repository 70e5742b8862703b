"""The one clock of a run, and what the wall clock says of it.

Every frame and every audio block is dated on the run's clock: integer nanoseconds that never go
back; nothing else in the program asks for the time. `Clock` is injected, so that a test moves time
by hand (`ManualClock`). The wall clock only dates what is said (`WallClock`); nothing waits for it.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FOLLOW_NS = 20 * NS_PER_MS  # a wall clock that is this far off is followed
TELL_NS = NS_PER_S  # and told about: NTP steps by 0.128 s and more, virtual machines by less
N_READINGS = 3  # of the wall clock, when a thread is interrupted in the midst of one


class Clock(Protocol):
    """What a stage needs to know of time. Any thread may call it."""

    def now_ns(self) -> int:
        """Return monotonic nanoseconds; only differences have a meaning."""
        ...

    def wait(self, stop: threading.Event, timeout_ns: int) -> bool:
        """Wait up to `timeout_ns`, or until `stop` is set; return whether it is set."""
        ...


class MonotonicClock:
    """The real clock."""

    def now_ns(self) -> int:
        """Return `time.monotonic_ns()`."""
        return time.monotonic_ns()

    def wait(self, stop: threading.Event, timeout_ns: int) -> bool:
        """Wait up to `timeout_ns`, or until `stop` is set; return whether it is set."""
        return stop.wait(max(0, timeout_ns) / NS_PER_S)


class BootClock(MonotonicClock):
    """The real clock of a run: it goes on while the machine is suspended, where the system can."""

    def now_ns(self) -> int:
        """Return nanoseconds since the machine's boot."""
        if sys.platform == "linux":
            return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        return time.monotonic_ns()


class ManualClock:
    """A clock that stands still until a test, or a wait, moves it on."""

    def __init__(self, now_ns: int = 0) -> None:
        self._now_ns = now_ns
        self._lock = threading.Lock()

    def now_ns(self) -> int:
        """Return the time set so far."""
        with self._lock:
            return self._now_ns

    def advance(self, duration_ns: int) -> None:
        """Move on by `duration_ns` (not negative)."""
        if duration_ns < 0:
            raise ValueError(f"a clock only goes forward, got {duration_ns} ns")
        with self._lock:
            self._now_ns += duration_ns

    def wait(self, stop: threading.Event, timeout_ns: int) -> bool:
        """Move on by `timeout_ns` at once; return whether `stop` is set."""
        if not stop.is_set():
            self.advance(max(0, timeout_ns))
        return stop.is_set()


class WallClock:
    """The wall clock's UTC of moments on the run's clock; any thread may call it.

    Both are compared whenever something is dated. A wall clock that was set, or stepped by NTP, is
    followed: from then on all is dated by it, also what happened before, so that the dates within a
    message agree. A drift between the two is followed likewise.

    Args:
        clock: The run's clock.
        read_ns: Returns the wall clock, nanoseconds since 1970 in UTC.
        on_step: Told of a step of a second or more, ns, positive for ahead; called in the thread
            that saw it, without a lock.
    """

    def __init__(
        self,
        clock: Clock,
        read_ns: Callable[[], int] = time.time_ns,
        on_step: Callable[[int], None] = lambda step_ns: None,
    ) -> None:
        self._clock = clock
        self._read_ns = read_ns
        self._on_step = on_step
        self._lock = threading.Lock()
        self._offset_ns, _ = self._compare()
        self._told_ns = self._least_ns = self._most_ns = self._offset_ns

    @classmethod
    def fixed(cls, utc: datetime, at_ns: int = 0) -> WallClock:
        """Return a wall clock that was right once, at `at_ns` on the run's clock, and never steps.

        For recordings that are dated otherwise than by now, and for tests.
        """
        clock = ManualClock(at_ns)
        wall_ns = (utc - EPOCH) // timedelta(microseconds=1) * 1000
        return cls(clock, lambda: wall_ns)

    def utc(self, time_ns: int) -> datetime:
        """Return `time_ns` on the run's clock as UTC."""
        self._follow()
        return _as_utc(time_ns + self._offset_ns)

    def utc_within(self, time_ns: int) -> tuple[datetime, datetime]:
        """Return the earliest and the latest UTC that `time_ns` has had in this run."""
        self._follow()
        with self._lock:
            least_ns, most_ns = self._least_ns, self._most_ns
        return _as_utc(time_ns + least_ns), _as_utc(time_ns + most_ns)

    def _follow(self) -> None:
        with self._lock:  # also while comparing: who compared first says so first
            offset_ns, unsure_ns = self._compare()
            if abs(offset_ns - self._offset_ns) < FOLLOW_NS + unsure_ns:
                return
            again_ns, unsure_again_ns = self._compare()
            if abs(again_ns - offset_ns) >= FOLLOW_NS + unsure_ns + unsure_again_ns:
                return  # one of the two was read in the midst of a step: the next time tells
            self._offset_ns = offset_ns
            self._least_ns = min(self._least_ns, offset_ns)
            self._most_ns = max(self._most_ns, offset_ns)
            step_ns = offset_ns - self._told_ns
            if abs(step_ns) < TELL_NS:
                return
            self._told_ns = offset_ns
        self._on_step(step_ns)

    def _compare(self) -> tuple[int, int]:
        """Return how far the wall clock is ahead of the run's, ns, and how unsure that is, ns."""
        offset_ns, unsure_ns = 0, sys.maxsize
        for _ in range(N_READINGS):
            before_ns = self._clock.now_ns()
            wall_ns = self._read_ns()
            took_ns = self._clock.now_ns() - before_ns
            if took_ns < unsure_ns:
                offset_ns, unsure_ns = wall_ns - before_ns, took_ns
            if unsure_ns < NS_PER_MS:
                break
        return offset_ns, unsure_ns


class Timeline:
    """Where a stream's own time starts: its first sample is t = 0.

    `time_ns` is a time on the run's clock (or, for a file, its presentation time); `t_ns` counts
    from the stream's first sample. Any thread may call it.

    Args:
        wall: Dates the run's clock; None where no stream of this run is dated.
        started_ns: The run's start on its clock, where the stream has presentation times: its
            first sample counts as of then. None where the stream is dated on the run's clock.
    """

    def __init__(self, wall: WallClock | None = None, started_ns: int | None = None) -> None:
        self._wall = wall
        self._started_ns = started_ns
        self._epoch_ns: int | None = None
        self._lock = threading.Lock()

    @property
    def epoch_ns(self) -> int | None:
        """Time of the first sample on the run's clock; None before it came."""
        return self._epoch_ns

    def start(self, time_ns: int) -> int:
        """Say that a first sample came at `time_ns`; the first call fixes t = 0.

        Args:
            time_ns: Capture time of a first sample, on the run's clock.

        Returns:
            The epoch in force, ns.
        """
        with self._lock:
            if self._epoch_ns is None:
                self._epoch_ns = time_ns
            return self._epoch_ns

    def t_ns(self, time_ns: int) -> int:
        """Return the stream time of `time_ns`; raises ValueError before the first sample."""
        if self._epoch_ns is None:
            raise ValueError("the stream has no first sample yet")
        return time_ns - self._epoch_ns

    def time_ns(self, t_ns: int) -> int:
        """Return stream time `t_ns` on the clock; raises ValueError before the first sample."""
        if self._epoch_ns is None:
            raise ValueError("the stream has no first sample yet")
        return t_ns + self._epoch_ns

    def utc(self, t_ns: int) -> datetime:
        """Return stream time `t_ns` as UTC, as the wall clock has it now.

        Raises:
            ValueError: Nobody knows: there is no wall clock, or no first sample yet.
        """
        if self._wall is None:
            raise ValueError("this stream has no wall clock")
        start_ns = self.time_ns(0) if self._started_ns is None else self._started_ns
        return self._wall.utc(start_ns + t_ns)

    def utc_within(self, time_ns: int) -> tuple[datetime, datetime]:
        """Return the earliest and the latest UTC that `time_ns`, on the run's clock, has had.

        Raises:
            ValueError: There is no wall clock.
        """
        if self._wall is None:
            raise ValueError("this stream has no wall clock")
        return self._wall.utc_within(time_ns)


def _as_utc(since_1970_ns: int) -> datetime:
    return EPOCH + timedelta(microseconds=since_1970_ns / 1000)


def format_utc(moment: datetime) -> str:
    """Return ISO 8601 in UTC with milliseconds and `Z`."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
