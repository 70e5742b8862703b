"""Ctrl-C, SIGTERM and SIGHUP: a clean stop, or the program's end at once where it is asked twice.

SIGHUP says that the terminal has gone: a closed window or ssh session. It comes once from the
kernel, once more from the shell, and some service managers send it right behind SIGTERM; so it
begins a stop but never cuts one short. Where it was ignored from the start (`nohup`) it stays so.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable
from types import FrameType

# What ends a dashboard when nobody is left to do it: plain style, the old screen, cursor shown.
LEAVE_SCREEN = b"\x1b[0m\x1b[?1049l\x1b[?25h"
_HANGUP = (signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()  # not on Windows


class Interrupt:
    """Turns signals into a clean stop; a second Ctrl-C or SIGTERM ends the program at once.

    It only leaves a note that main reads: an `Event` may not be set here, main may hold its lock.

    Attributes:
        exit_code: 0 until a signal came.
        running: Whether main looks at `exit_code` often enough.
        screen: File descriptor of the terminal that a dashboard fills; None without one.
        give_back: Gives the keyboard back as it was.
    """

    def __init__(self) -> None:
        self.exit_code = 0
        self.running = False
        self.screen: int | None = None
        self.give_back: Callable[[], None] = lambda: None
        self._before = {
            number: signal.signal(number, self._on_signal)
            for number in (signal.SIGINT, signal.SIGTERM, *_HANGUP)
            if number not in _HANGUP or signal.getsignal(number) is not signal.SIG_IGN
        }

    def restore(self) -> None:
        """Give the signals back to whoever had them."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.exit_code:
            if number in _HANGUP:
                return
            self.give_back()
            if self.screen is not None:
                _leave_screen(self.screen)
            os._exit(self.exit_code)
        self.exit_code = 128 + number
        if not self.running:  # models may still load for seconds
            raise SystemExit(self.exit_code)


def _leave_screen(terminal: int) -> None:
    """Give a terminal back, past Python's buffers and locks, unless it is stopped (Ctrl-S)."""
    try:
        if select.select([], [terminal], [], 0)[1]:
            os.write(terminal, LEAVE_SCREEN)
    except (OSError, ValueError):  # it has gone; the program goes too
        return
