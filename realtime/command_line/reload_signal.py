"""SIGUSR1: the run reads its bundle anew and goes on with it, as after `mafnet teach`."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any


class ReloadSignal:
    """Leaves a note that main reads; without it the signal would end the program."""

    def __init__(self) -> None:
        self._is_asked = False
        self._number = getattr(signal, "SIGUSR1", None)  # not on Windows
        self._before: Any = None
        if self._number is not None:
            self._before = signal.signal(self._number, self._on_signal)

    def take(self) -> bool:
        """Return whether somebody asked since the last call."""
        is_asked, self._is_asked = self._is_asked, False
        return is_asked

    def restore(self) -> None:
        """Give the signal back to whoever had it."""
        if self._number is not None:
            signal.signal(self._number, self._before)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._is_asked = True
