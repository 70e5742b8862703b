"""The log of all events beside the recordings: one message a line, whole lines only.

A program that is killed, or a disk that loses power, may leave half a line. The next line must not
continue it: what is no message is cut off before anything is appended. What cannot be written waits
in memory and is written when it can be; recordings do not depend on it.
"""

from __future__ import annotations

import json
import logging
import os
from collections import deque
from typing import TYPE_CHECKING

from realtime.outputs.private_files import open_private

if TYPE_CHECKING:
    from pathlib import Path

EVENT_LOG = "events.jsonl"
OLD_EVENT_LOG = "events.1.jsonl"  # the log's predecessor, once it has grown too long
MAX_LOG_BYTES = 64 << 20
MAX_WAITING = 10_000  # lines
MAX_LINE_BYTES = 1 << 20  # no message is that long

logger = logging.getLogger(__name__)


class EventLog:
    """Appends lines to a folder's log; one thread. Errors are OSErrors, and lose no line.

    Args:
        folder: Where it lies.

    Attributes:
        n_lost: Lines that went because too many waited.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / EVENT_LOG
        self._old_path = folder / OLD_EVENT_LOG
        self._waiting: deque[bytes] = deque()
        self.n_lost = 0

    def mend(self) -> None:
        """Cut off half a line at the end, if there is a log; raises OSError."""
        if os.path.lexists(self._path):
            descriptor = open_private(self._path, os.O_RDWR | os.O_APPEND)
            try:
                self._mend(descriptor, os.fstat(descriptor).st_size)
            finally:
                os.close(descriptor)

    def add(self, line: bytes) -> None:
        """Take a line, given without its end; `flush` writes it."""
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            self.n_lost += 1
        self._waiting.append(line + b"\n")

    def flush(self) -> None:
        """Write what waits; raises OSError, and leaves no half line then."""
        if not self._waiting:
            return
        descriptor = open_private(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        try:
            n_bytes = self._mend(descriptor, os.fstat(descriptor).st_size)
            if n_bytes >= MAX_LOG_BYTES:
                self._path.replace(self._old_path)
                newer = open_private(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
                os.close(descriptor)  # not before: where that failed it would be closed twice
                descriptor, n_bytes = newer, os.fstat(newer).st_size
            while self._waiting:
                _write_whole(descriptor, self._waiting[0], n_bytes)
                n_bytes += len(self._waiting.popleft())
        finally:
            os.close(descriptor)

    def _mend(self, descriptor: int, n_bytes: int) -> int:
        """End the last line or cut it off; return the file's length then."""
        if n_bytes == 0 or os.pread(descriptor, 1, n_bytes - 1) == b"\n":
            return n_bytes
        from_byte = max(0, n_bytes - MAX_LINE_BYTES)
        _, found, line = os.pread(descriptor, MAX_LINE_BYTES, from_byte).rpartition(b"\n")
        if _is_message(line) or not (found or from_byte == 0):
            _write_whole(descriptor, b"\n", n_bytes)
            return n_bytes + 1
        os.ftruncate(descriptor, n_bytes - len(line))
        logger.warning(
            "%s ended in half a line, as a crash leaves it; its %d bytes were cut off",
            self._path,
            len(line),
        )
        return n_bytes - len(line)


def _is_message(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _write_whole(descriptor: int, data: bytes, n_before: int) -> None:
    """Append `data` to a file that has `n_before` bytes, all of it or nothing."""
    n_written = 0
    try:
        while n_written < len(data):
            n_written += os.write(descriptor, data[n_written:])
    except OSError:
        os.ftruncate(descriptor, n_before)
        raise
