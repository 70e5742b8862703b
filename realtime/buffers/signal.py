"""How the rings of one stream tell its clip assembler that something is new.

One `DataSignal` serves both rings, so that the assembler waits in one place for whichever sense
comes first. A ring notifies after it let go of its own lock: nobody ever holds two.
"""

from __future__ import annotations

import threading


class DataSignal:
    """Counts notices. Any thread may call it; a notice before `wait` is never missed.

    Args:
        parent: Is notified too: one thread waits for several streams in one place.
    """

    def __init__(self, parent: DataSignal | None = None) -> None:
        self._parent = parent
        self._changed = threading.Condition()
        self._count = 0

    @property
    def count(self) -> int:
        """How many notices there were so far."""
        with self._changed:
            return self._count

    def notify(self) -> None:
        """Say that something is new and wake all who wait."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()
        if self._parent is not None:
            self._parent.notify()

    def wait(self, seen: int, timeout_s: float) -> int:
        """Wait until the count differs from `seen`, or `timeout_s` has gone; return the count."""
        with self._changed:
            self._changed.wait_for(lambda: self._count != seen, timeout_s)
            return self._count
