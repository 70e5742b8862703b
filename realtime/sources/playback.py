"""The time of a stream that is read rather than captured: a file or the demo scene.

Its readers, one a sense, share one `Playback`, so that both use the same start. Unpaced, a sample
is dated by its presentation time and comes as fast as it is read. Paced, the presentation is
laid on the run's clock from the first step on, and nothing comes before its time.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from realtime.clock import NS_PER_MS

if TYPE_CHECKING:
    from realtime.clock import Clock, Timeline

_MAX_WAIT_NS = 250 * NS_PER_MS  # a reader looks up this often while it waits for its time


class Playback:
    """Maps presentation time to the run's clock. Any thread may call it."""

    def __init__(self, clock: Clock, timeline: Timeline, pace: bool) -> None:
        self._clock = clock
        self._timeline = timeline
        self._pace = pace
        self._first_ns: int | None = None
        self._offset_ns: int | None = None
        self._lock = threading.Lock()

    def announce(self, first_ns: int) -> None:
        """Say that a stream begins at `first_ns`, presentation time; before the first step.

        The earliest of all announcements becomes t = 0.
        """
        with self._lock:
            if self._first_ns is None or first_ns < self._first_ns:
                self._first_ns = first_ns

    def start(self) -> None:
        """Fix the stream's t = 0; the first call counts."""
        with self._lock:
            if self._offset_ns is None:
                first_ns = self._first_ns or 0
                self._offset_ns = self._clock.now_ns() - first_ns if self._pace else 0
                self._timeline.start(first_ns + self._offset_ns)

    def time_ns(self, media_ns: int) -> int:
        """Return presentation time `media_ns` on the run's clock; `start` came before."""
        if self._offset_ns is None:
            raise ValueError("playback has not started")
        return media_ns + self._offset_ns

    def wait_until(self, media_ns: int, stop: threading.Event) -> bool:
        """Wait a bounded time for `media_ns`; return whether it has come. Unpaced it always has."""
        if not self._pace:
            return True
        left_ns = self.time_ns(media_ns) - self._clock.now_ns()
        if left_ns > 0:
            self._clock.wait(stop, min(left_ns, _MAX_WAIT_NS))
        return left_ns <= _MAX_WAIT_NS and not stop.is_set()
