"""Keeps log lines off the dashboard: shows the newest there and prints them all afterwards."""

from __future__ import annotations

import logging
from collections import deque
from types import TracebackType

from realtime.redaction import redacted

N_KEPT = 200


class LogTail(logging.Handler):
    """Stands in for the root logger's handlers while a screen is drawn; use it with `with`.

    Records of any thread are kept, the last 200 of them. At the end the old handlers are back and
    get what was kept, so that nothing was said in vain.
    """

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._records: deque[logging.LogRecord] = deque(maxlen=N_KEPT)
        self._replaced: list[logging.Handler] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record; `logging` holds this handler's lock."""
        self._records.append(record)

    def latest(self, n: int = 4, level: int = logging.WARNING) -> tuple[str, ...]:
        """Return the newest messages of at least `level`, newest last. Any thread."""
        self.acquire()
        try:
            records = [record for record in self._records if record.levelno >= level]
        finally:
            self.release()
        return tuple(redacted(record.getMessage()) for record in records[-n:])

    def __enter__(self) -> LogTail:
        root = logging.getLogger()
        self._replaced = list(root.handlers)
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
        self._replaced = []
