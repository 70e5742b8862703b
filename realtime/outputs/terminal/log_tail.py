"""Keeps log lines off the dashboard: shows there what matters now, and prints them all afterwards.

Only what would go to a terminal is held back. A log in a file or a pipe is written as it comes, so
that it is there while the program runs and after it was killed.

What a warning is about may be named (`extra={"subject": …}`): the newest record of a subject says
how it stands, so a warning goes once something milder was said of the same.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

from realtime.redaction import redacted

N_KEPT = 200
SHOWN_S = 60.0  # a warning that stands for itself; one with a subject stays as long as it holds


class LogTail(logging.Handler):
    """Stands in for the root logger's terminals while a screen is drawn; use it with `with`.

    Records of any thread are kept, the last 200 of them. At the end the old handlers are back and
    get what was kept, so that nothing was said in vain.

    Args:
        now: The time of `logging`'s records: seconds since 1970.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        super().__init__(logging.INFO)
        self._now = now
        self._records: deque[logging.LogRecord] = deque(maxlen=N_KEPT)
        self._standing: dict[str, logging.LogRecord] = {}  # subject → its newest record
        self._replaced: list[logging.Handler] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record; `logging` holds this handler's lock."""
        self._records.append(record)
        subject = getattr(record, "subject", None)
        if subject is not None:
            self._standing.pop(subject, None)  # put anew: the order is that of the last word
            self._standing[subject] = record

    def latest(self, n: int = 4) -> tuple[str, ...]:
        """Return the warnings that hold now, each once and with its time, newest last. Any thread.

        Args:
            n: The most that is returned, of those that hold as well as of those that are new.
        """
        self.acquire()
        try:
            holding = [r for r in self._standing.values() if r.levelno >= logging.WARNING]
            since = self._now() - SHOWN_S
            passing = [
                record
                for record in self._records
                if record.levelno >= logging.WARNING
                and record.created >= since
                and getattr(record, "subject", None) is None
            ]
        finally:
            self.release()
        told: dict[str, tuple[logging.LogRecord, int]] = {}
        for record in sorted([*holding, *passing], key=lambda record: record.created):
            text = redacted(record.getMessage())
            _, n_times = told.pop(text, (record, 0))
            told[text] = (record, n_times + 1)
        return tuple(_line(text, *what) for text, what in list(told.items())[-n:])

    def __enter__(self) -> LogTail:
        root = logging.getLogger()
        self._replaced = [handler for handler in root.handlers if _is_on_a_terminal(handler)]
        for handler in self._replaced:
            root.removeHandler(handler)
        root.addHandler(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        root = logging.getLogger()
        root.removeHandler(self)
        for handler in self._replaced:
            root.addHandler(handler)
        for record in self._records:
            for handler in self._replaced:
                if record.levelno >= handler.level:
                    handler.handle(record)
        self._records.clear()
        self._standing.clear()
        self._replaced = []


def _is_on_a_terminal(handler: logging.Handler) -> bool:
    if not isinstance(handler, logging.StreamHandler):
        return False
    try:
        return bool(handler.stream.isatty())
    except (AttributeError, ValueError):  # something that is no file, or closed
        return False


def _line(text: str, record: logging.LogRecord, n_times: int) -> str:
    moment = time.strftime("%H:%M:%S", time.localtime(record.created))
    return f"{moment} {text}" + (f" ({n_times} times)" if n_times > 1 else "")
