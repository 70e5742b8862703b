"""What a log line looks like: plain text, or one JSON object a line for a collector.

Used by the command line alone, which sets the handlers. Passwords in URLs are taken out of every
line here, and what a terminal would obey is cleaned, whoever wrote it. An object has `time` (UTC),
`level`, `logger`, `thread`, `message` and, for an error with a traceback, `exception`.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from realtime.clock import format_utc
from realtime.redaction import redacted
from weights.printable import PlainFormatter, json_text

# For `extra=`: an answer to whoever called the program, which stands alone, not a line of a log.
ANSWER = {"is_answer": True}


class TextFormat(PlainFormatter):
    """A line of text: local time, a level that is not INFO, the message; an answer stands alone.

    Args:
        verbose: Whether the level is always there, and the logger's name.
    """

    def __init__(self, verbose: bool) -> None:
        super().__init__("%(message)s")
        self._verbose = verbose

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without secrets."""
        text = redacted(super().format(record))
        if getattr(record, "is_answer", False):
            return text
        moment = datetime.fromtimestamp(record.created).astimezone()
        head = moment.isoformat(" ", "milliseconds")[:23]
        if self._verbose:
            return f"{head} {record.levelname} {record.name}: {text}"
        return (
            f"{head} {text}"
            if record.levelno == logging.INFO
            else (f"{head} {record.levelname.lower()}: {text}")
        )


class JsonFormat(logging.Formatter):
    """A JSON object, on one line whatever the message holds."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object, without secrets."""
        moment = datetime.fromtimestamp(record.created, UTC)
        fields = {
            "time": format_utc(moment),
            "level": record.levelname.lower(),
            "logger": record.name,
            "thread": record.threadName,
            "message": redacted(record.getMessage()),
        }
        if record.exc_info:
            fields["exception"] = redacted(self.formatException(record.exc_info))
        return json_text(fields)
