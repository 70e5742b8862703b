"""One opening of a device: its reader in a thread of its own, which may be given up.

A driver call can block for half a minute (OpenCV's do) or for ever, and nothing unblocks a thread
from outside. It holds nothing up: OpenCV, PyAV and PortAudio let go of Python's lock while they
wait, and what the thread delivers when it comes back meets a shut gate.
docs/design/adr/0008-sources-that-come-back.md says why this is a thread and not a process.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from realtime.threads.worker import Worker

if TYPE_CHECKING:
    from realtime.clock import Clock
    from realtime.sources.base import Reader
    from realtime.sources.gate import Gate


class Session:
    """Opens (unless that is done), reads and closes; owned by one thread, which never waits for it.

    Args:
        name: The thread's name.
        reader: A new one.
        gate: What its inlet passes.
        clock: The run's clock.
        is_open: Whether `reader.open` was called already.
    """

    def __init__(
        self, name: str, reader: Reader, gate: Gate, clock: Clock, *, is_open: bool
    ) -> None:
        self.name = name
        self.reader = reader
        self.has_opened = is_open
        self._gate = gate
        self._clock = clock
        self._call_began_ns = clock.now_ns()
        self._stop = threading.Event()
        self._has_started = False
        self._worker = Worker(name, self._step, self._stop, self._close)

    def start(self) -> None:
        """Start the thread; from here on what arrives is watched."""
        self._gate.is_watched = True
        self._call_began_ns = self._clock.now_ns()
        self._has_started = True
        self._worker.start()

    def end(self) -> None:
        """Let nothing pass any more and have the thread close the device as soon as it can."""
        self._gate.shut()
        self._stop.set()

    @property
    def is_over(self) -> bool:
        """Whether the thread has ended, the device closed."""
        return self._has_started and not self._worker.alive

    @property
    def error(self) -> Exception | None:
        """What ended it; None if it was told to end."""
        return self._worker.error

    def in_call_ns(self, now_ns: int) -> int:
        """Return for how long the call that goes on has lasted."""
        return now_ns - self._call_began_ns

    def forgive(self, pause_ns: int) -> None:
        """Say that this program itself stood still for `pause_ns`."""
        self._call_began_ns += pause_ns

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; return whether it has come. A session without a thread is closed."""
        if not self._has_started:
            self.reader.close()
            return True
        return self._worker.join(timeout_s)

    def _step(self) -> bool:
        self._call_began_ns = self._clock.now_ns()
        if not self.has_opened:
            self.reader.open()
            self.has_opened = True
            return True
        return self.reader.step()

    def _close(self, _: Exception | None) -> None:  # which the worker keeps
        self._call_began_ns = self._clock.now_ns()
        self.reader.close()
