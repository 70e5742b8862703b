"""What main shows while a run goes on: the dashboard, or plain lines, drawn from snapshots."""

from __future__ import annotations

from types import TracebackType
from typing import TextIO

from realtime.config import RunConfig
from realtime.outputs.base import Screen, writing
from realtime.outputs.terminal.dashboard import Dashboard, terminal_console
from realtime.outputs.terminal.log_tail import LogTail
from realtime.outputs.terminal.plain import PlainLines, summary
from realtime.pipeline import Pipeline

REDRAW_S = 0.125


class Screens:
    """Chooses between dashboard and plain lines; main thread only, used with `with`.

    Args:
        config: Whether a dashboard is wanted.
        stream: Where people read: stdout, or stderr where stdout carries JSON.

    Attributes:
        terminal: File descriptor of the terminal that the dashboard fills; None without one.
    """

    interval_s = REDRAW_S

    def __init__(self, config: RunConfig, stream: TextIO) -> None:
        self._stream = stream
        self._log: LogTail | None = None
        self.terminal: int | None = None
        console = terminal_console(stream) if config.dashboard else None
        self._screen: Screen
        if console is None:
            self._screen = PlainLines(stream)
        else:
            self._log = LogTail()
            self.terminal = stream.fileno() if stream.isatty() else None
            self._screen = Dashboard(console)

    def __enter__(self) -> Screens:
        """Take the log off the screen, if there is one."""
        if self._log is not None:
            self._log.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was, then print what was logged meanwhile."""
        try:
            with writing(self._stream):
                self._screen.close()
        finally:
            if self._log is not None:
                self._log.__exit__(kind, error, trace)

    def show(self, pipeline: Pipeline) -> None:
        """Draw the run as it is now."""
        warnings = self._log.latest() if self._log is not None else ()
        with writing(self._stream):
            self._screen.show(pipeline.view(warnings))

    def summarize(self, pipeline: Pipeline) -> None:
        """Print the events and the figures of the run."""
        with writing(self._stream):
            self._stream.write("\n" + summary(pipeline.view()))
            self._stream.flush()
