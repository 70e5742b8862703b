"""What main shows while a run goes on: the dashboard, or plain lines, drawn from snapshots."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from types import FrameType, TracebackType
from typing import Any, TextIO

from realtime.command_line.running import Running
from realtime.config import RunConfig
from realtime.outputs.base import DashboardSnapshot, Screen, writing
from realtime.outputs.terminal.controls import QUIT, RECORD, DashboardControls
from realtime.outputs.terminal.dashboard import Dashboard, terminal_console
from realtime.outputs.terminal.keys import Keys
from realtime.outputs.terminal.log_tail import LogTail
from realtime.outputs.terminal.plain import PlainLines, summary

REDRAW_S = 0.125
_SUSPEND = getattr(signal, "SIGTSTP", None)  # not on Windows


class Screens:
    """Chooses between dashboard and plain lines; main thread only, used with `with`.

    Args:
        config: Whether a dashboard is wanted.
        stream: Where people read: stdout, or stderr where stdout carries JSON.
        keyboard: Where keys come from; none do unless it is a terminal.

    Attributes:
        terminal: File descriptor of the terminal that the dashboard fills; None without one.
        keys: Reads the keyboard of a dashboard; whoever ends the program at once restores it.
        quits: Whether somebody pressed `q`.
    """

    interval_s = REDRAW_S

    def __init__(
        self, config: RunConfig, stream: TextIO, keyboard: TextIO | None = sys.stdin
    ) -> None:
        self._stream = stream
        self._log: LogTail | None = None
        self._controls = DashboardControls(picture=config.picture)
        self._shown: DashboardSnapshot | None = None
        self._is_suspended = False
        self._before: Any = None
        self.terminal: int | None = None
        self.quits = False
        console = terminal_console(stream) if config.dashboard else None
        self.keys = Keys(None if console is None else keyboard)
        self._screen: Screen
        if console is None:
            self._screen = PlainLines(stream)
        else:
            self._log = LogTail()
            self.terminal = stream.fileno() if stream.isatty() else None
            self._screen = Dashboard(console, self._controls)

    def __enter__(self) -> Screens:
        """Take the log off the screen, if there is one, and keys from the keyboard."""
        if self._log is not None:
            self._log.__enter__()
            self._controls.has_keys = self.keys.begin()
            if _SUSPEND is not None and signal.getsignal(_SUSPEND) is signal.SIG_DFL:
                self._before = signal.signal(_SUSPEND, self._on_suspend)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was, then print what was logged meanwhile."""
        try:
            self.keys.restore()
            with writing(self._stream):
                self._screen.close()
        finally:
            if self._before is not None and _SUSPEND is not None:
                signal.signal(_SUSPEND, self._before)
            if self._log is not None:
                self._log.__exit__(kind, error, trace)

    def show(self, pipeline: Running) -> None:
        """Do what was typed, and draw the run as it is now."""
        if self._is_suspended:
            self._suspend()
        warnings = self._log.latest() if self._log is not None else ()
        snapshot = pipeline.view(warnings)
        for key in self.keys.read():
            self._press(key, snapshot, pipeline)
        if self._controls.picture:
            first = self._controls.ordered(snapshot).source
            picture = pipeline.newest_picture(first)
            if first == snapshot.source:
                snapshot = replace(snapshot, picture=picture)
            else:
                others = (
                    replace(each, picture=picture) if each.source == first else each
                    for each in snapshot.others
                )
                snapshot = replace(snapshot, others=tuple(others))
        with writing(self._stream):
            self._screen.show(snapshot)

    def summarize(self, pipeline: Running) -> None:
        """Print the events and the figures of the run."""
        with writing(self._stream):
            self._stream.write("\n" + summary(pipeline.view()))
            self._stream.flush()

    def _press(self, key: str, snapshot: DashboardSnapshot, pipeline: Running) -> None:
        shown = self._controls.ordered(snapshot)
        sources = (shown.source, *(each.source for each in shown.others))
        asked = self._controls.press(key, sources)
        if asked == QUIT:
            self.quits = True
        elif asked == RECORD:
            self._controls.said = pipeline.record_now(shown.source)

    def _on_suspend(self, number: int, _frame: FrameType | None) -> None:
        self._is_suspended = True  # between two drawings, or half a screen would stay

    def _suspend(self) -> None:
        """Give the terminal back, stop, and take it again when the program goes on (Ctrl-Z, fg)."""
        self._is_suspended = False
        if _SUSPEND is None:
            return
        self.keys.restore()
        with writing(self._stream):
            self._screen.close()
        signal.signal(_SUSPEND, signal.SIG_DFL)
        os.kill(os.getpid(), _SUSPEND)
        signal.signal(_SUSPEND, self._on_suspend)
        self._controls.has_keys = self.keys.begin()
