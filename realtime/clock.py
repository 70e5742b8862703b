"""The one clock of a run: monotonic integer nanoseconds, and the only reading of the wall clock.

Every frame and every audio block is dated on this clock; nothing else in the program asks for the
time. `Clock` is injected, so that a test moves time by hand (`ManualClock`).
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000


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


class Timeline:
    """Where a stream's own time starts: its first sample is t = 0.

    `time_ns` is a time on the run's clock (or, for a file, its presentation time); `t_ns` counts
    from the stream's first sample. Any thread may call it.

    Args:
        started_utc: UTC at the run's start; now if None.
        started_ns: The same moment on the run's clock, where the stream is dated on it: its first
            sample may come seconds after the start. None for presentation time, whose first
            sample counts as of the start.
    """

    def __init__(self, started_utc: datetime | None = None, started_ns: int | None = None) -> None:
        self._started_utc = started_utc if started_utc is not None else datetime.now(UTC)
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
        """Return stream time `t_ns` as UTC."""
        if self._started_ns is not None and self._epoch_ns is not None:
            t_ns += self._epoch_ns - self._started_ns
        return self._started_utc + timedelta(microseconds=t_ns / 1000)
