"""Single keys from the terminal, and the terminal as it was whenever they are not wanted.

Only where stdin is a terminal and this program is in its foreground: a program in the background
that touched it would be stopped. Echo and line editing go; Ctrl-C and Ctrl-Z stay signals.
"""

from __future__ import annotations

import os
import select
from typing import Any, TextIO

try:
    import termios
    import tty
except ImportError:  # not on Windows
    termios = None  # type: ignore[assignment]

MAX_BYTES = 64


class Keys:
    """Reads keys; main thread only, but `restore` which a signal's handler may call."""

    def __init__(self, stream: TextIO | None) -> None:
        self._before: list[Any] | None = None
        self._file: int | None = None
        try:
            if termios is not None and stream is not None and stream.isatty():
                self._file = stream.fileno()
        except (OSError, ValueError):  # closed
            return

    def begin(self) -> bool:
        """Take single keys from now on; return whether there are any."""
        if self._before is None and self._file is not None and self._is_ours():
            try:
                before = termios.tcgetattr(self._file)
                tty.setcbreak(self._file, termios.TCSANOW)
                self._before = before
            except (OSError, termios.error):  # the terminal has gone
                self._file = None
        return self._before is not None

    def read(self) -> str:
        """Return what was typed since the last call; never waits."""
        if self._before is None or self._file is None or not self._is_ours():
            return ""
        try:
            if not select.select([self._file], [], [], 0)[0]:
                return ""
            typed = os.read(self._file, MAX_BYTES)
        except (OSError, ValueError):
            typed = b""
        if not typed:  # hung up
            self._before = self._file = None
        return "" if typed.startswith(b"\x1b") else typed.decode("ascii", "ignore")

    def restore(self) -> None:
        """Give the terminal back as it was. May be called again."""
        before, self._before = self._before, None
        if before is not None and self._file is not None and self._is_ours():
            try:
                termios.tcsetattr(self._file, termios.TCSANOW, before)
            except (OSError, termios.error):
                return

    def _is_ours(self) -> bool:
        try:
            return self._file is not None and os.tcgetpgrp(self._file) == os.getpgrp()
        except OSError:
            return False
