"""A progress bar for extraction, and sentences above it. The only place here that opens rich."""

from __future__ import annotations

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


class ExtractProgress:
    """Shows files done; on anything but a terminal only the sentences are printed."""

    def __init__(self) -> None:
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
        if self._task is None:
            self._task = self._progress.add_task("extracting", total=n_files)
        self._progress.update(self._task, completed=n_done)
        if sentence is not None:
            self._console.print(Text(clean(sentence)), soft_wrap=True)
