"""A thread around a stage: the stage has a `step`, the worker owns the loop, the end and the error.

The one place with a broad `except` beside `realtime.threads.one_off`: it keeps the exception, says
that the stage ended and lets the main thread re-raise. Nothing is swallowed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Worker:
    """Runs `step` in a named thread until it returns False, fails, or `stop` is set.

    Args:
        name: The thread's name.
        step: Does a bounded piece of work; returns whether there is more to do. It must return
            within a fraction of a second when `stop` is set.
        stop: Shared by all workers of a pipeline.
        on_end: Called in the thread, once, after the last step, with the exception or None.

    Attributes:
        n_steps: Steps taken so far; any thread may read it. It stands still when a step hangs.
    """

    def __init__(
        self,
        name: str,
        step: Callable[[], bool],
        stop: threading.Event,
        on_end: Callable[[Exception | None], None] | None = None,
    ) -> None:
        self.name = name
        self.error: Exception | None = None
        self.n_steps = 0
        self._step = step
        self._stop = stop
        self._on_end = on_end
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread; call it once."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; return whether the thread has ended (or was never started)."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stop.is_set() and self._step():
                self.n_steps += 1
        except Exception as error:  # noqa: BLE001 - kept, reported, re-raised by main
            self.error = error
        finally:
            if self._on_end is not None:
                self._on_end(self.error)
