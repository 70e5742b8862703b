"""Which clients may come in: the folder of their public keys, read again when it changes."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from realtime.errors import UsageError
from realtime.outputs.socket.curve_files import (
    PUBLIC_SUFFIX,
    read_public_key,
    require_ours,
)

logger = logging.getLogger(__name__)

MAX_CLIENTS = 1000
SCAN_NS = 1_000_000_000


class AllowedClients:
    """The public keys in a `clients` folder, read again when something in it has changed.

    One thread at a time. A file that is no key, or that others may write to, is passed over with
    one warning a change. A folder that cannot be read, or that others may write to, lets nobody in;
    nor does one in a folder that others may write to.
    A file that came or went is seen at once, one that was changed in place within a second.

    Args:
        folder: Where the keys are.
        read_ns: Monotonic nanoseconds.
    """

    def __init__(self, folder: Path, read_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._folder = folder
        self._read_ns = read_ns
        self._folder_seen: tuple[int, ...] | None = None
        self._scanned_ns = 0
        self._seen: tuple[tuple[str, int, int, int], ...] | None = None
        self._names: dict[bytes, str] = {}

    def name_of(self, public: bytes) -> str | None:
        """Return the name of the file with this key (40 bytes of Z85); None if there is none."""
        try:
            self._look()
        except (OSError, UsageError) as error:
            if self._seen != ():
                reason = error.strerror if isinstance(error, OSError) else error
                logger.warning("%s: nobody is let in (%s)", self._folder, reason)
            self._folder_seen, self._seen, self._names = None, (), {}
        return self._names.get(public)

    def _look(self) -> None:
        """Take in what has changed. Who is refused asks again soon: it must not cost much."""
        # Who may write to the folder above may put another one in this one's place.
        looked_at = [(folder, folder.stat()) for folder in (self._folder, self._folder.parent)]
        folder_seen = tuple(
            number
            for _, found in looked_at
            for number in (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
        )
        now_ns = self._read_ns()
        if folder_seen == self._folder_seen and now_ns - self._scanned_ns < SCAN_NS:
            return
        for folder, found in looked_at:
            require_ours(found, folder, "others can put keys into", "700")
        seen = tuple(sorted(self._entries()))
        self._folder_seen, self._scanned_ns = folder_seen, now_ns
        if seen != self._seen:
            self._seen = seen
            self._names = self._read_all([entry[0] for entry in seen])

    def _entries(self) -> Iterator[tuple[str, int, int, int]]:
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.endswith(PUBLIC_SUFFIX):
                    try:
                        found = entry.stat()
                    except OSError:  # a link that leads nowhere: reading it says so
                        found = entry.stat(follow_symlinks=False)
                    yield entry.name, found.st_ctime_ns, found.st_size, found.st_ino

    def _read_all(self, file_names: list[str]) -> dict[bytes, str]:
        names: dict[bytes, str] = {}
        if len(file_names) > MAX_CLIENTS:
            logger.warning("%s: only the first %d keys are used", self._folder, MAX_CLIENTS)
        for file_name in file_names[:MAX_CLIENTS]:
            try:
                key = read_public_key(self._folder / file_name)
            except UsageError as error:
                logger.warning("%s; it lets nobody in", error)
            else:
                name = file_name.removesuffix(PUBLIC_SUFFIX)
                if names.setdefault(key, name) != name:
                    logger.warning(
                        "%s: %s and %s hold the same key; it is let in as long as either is there",
                        self._folder,
                        names[key] + PUBLIC_SUFFIX,
                        file_name,
                    )
        logger.info("%s: %d clients are let in", self._folder, len(names))
        return names
