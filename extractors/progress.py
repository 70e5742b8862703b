"""A progress bar for extraction, and sentences above it. The only place here that opens rich."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from weights.printable import clean

_EVERY_S = 60.0


class ExtractProgress:
    """Shows files done; on anything but a terminal the sentences are printed, and a line a minute.

    Args:
        now_s: A clock, in seconds.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._first: tuple[float, int] | None = None  # when, and files that were through by then
        self._told_s = 0.0
        self._last_s, self._n_done = 0.0, 0
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("extracting"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> ExtractProgress:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def report(self, n_done: int, n_files: int, sentence: str | None) -> None:
        """Moves the bar and prints a sentence, if there is one.

        Args:
            n_done: Files that are through.
            n_files: Files in all.
            sentence: What is worth telling about the last one.
        """
        now_s = self._now_s()
        self._last_s, self._n_done = now_s, n_done
        if self._first is None:
            self._first, self._told_s = (now_s, n_done), now_s
        if self._task is None:
            self._task = self._progress.add_task("extracting", total=n_files)
        self._progress.update(self._task, completed=n_done)
        if sentence is not None:
            self._console.print(Text(clean(sentence)), soft_wrap=True)
        if now_s - self._told_s >= _EVERY_S and not self._console.is_terminal:
            self._told_s = now_s
            self._console.print(f"{n_done} of {n_files} files, {self.rate():.2f} a second")

    def rate(self) -> float:
        """Return files a second, from the first report to the last."""
        if self._first is None:
            return 0.0
        began_s, n_before = self._first
        passed_s = self._last_s - began_s
        return (self._n_done - n_before) / passed_s if passed_s > 0 else 0.0

    @property
    def n_new(self) -> int:
        """Files that came to be through since the first report."""
        return 0 if self._first is None else self._n_done - self._first[1]
