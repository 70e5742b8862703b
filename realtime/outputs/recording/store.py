"""The recorder's folder: names, sidecars, room on the disk, retention.

    DIR/events.jsonl                               every event message, one a line (`record_log`)
    DIR/age.json                                   how old the folder is (`record_age`)
    DIR/2026-11-24/183000_Siren_1a2b3c4d-1.mp4     a recording, named by its start in UTC
    DIR/2026-11-24/183000_Siren_1a2b3c4d-1.json    what is in it
    DIR/2026-11-24/183000_Siren_1a2b3c4d-1.part.mp4  while it is written, or after a crash

A sidecar says who made it, and only what has such a sidecar is ever deleted. Only the owner reads
any of it, no link inside the folder is followed, and no two runs use a folder at a time.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from realtime.errors import OutputError
from realtime.outputs.file_lock import try_lock
from realtime.outputs.private_files import (
    FOLDER_MODE,
    make_private_folder,
    make_private_folders,
    open_private,
)
from realtime.outputs.recording.age import FolderAge
from realtime.outputs.recording.fault import reason_of
from realtime.outputs.recording.log import EventLog
from realtime.outputs.recording.sidecars import (
    KeptRecording,
    RecordPaths,
    delete,
    n_bytes_of,
    plain_label,
    read_sidecar,
    sidecar_bytes,
    started_at,
)
from weights.files import written_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from realtime.config import RecordConfig
    from realtime.outputs.wire import Message

logger = logging.getLogger(__name__)

MAX_COMPLAINTS = 100
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_SIDECAR = re.compile(r"\d{6}_[A-Za-z0-9-]+_[A-Za-z0-9]+-\d+\.json")


class RecordStore:
    """Keeps the folder; the `record` thread alone uses it, once it is open.

    Args:
        config: Folder and retention.
        free_bytes: Returns the room on a folder's disk.
        base: The folder that several streams share; None where this one has it alone.

    Attributes:
        log: Every event message.
        age: How old the folder and its recordings are.
    """

    def __init__(
        self,
        config: RecordConfig,
        free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
        base: Path | None = None,
    ) -> None:
        self._folder = Path(config.directory)
        self._base = self._folder if base is None else base
        self._keep_s = config.keep_days * 86_400
        self._keep_bytes = round(config.keep_gib * (1 << 30))
        self._min_free_bytes = config.min_free_mib << 20
        self._free_bytes = free_bytes
        self._is_open = False
        self._locked: int | None = None  # the folder's descriptor
        self._complained: set[Path] = set()
        self.log = EventLog(self._folder)
        self.age = FolderAge(self._folder)

    def open(self) -> None:
        """Make the folder and have it for this run alone, until `close`.

        Raises:
            OutputError: It cannot be made or written to, or another run uses it.
        """
        try:
            make_private_folders(self._base)
            if self._folder != self._base:
                make_private_folder(self._folder)
            self._lock()
            with tempfile.TemporaryFile(dir=self._folder):  # it can be written to
                pass
        except OSError as error:
            self._unlock()
            raise OutputError(
                f"cannot record to {self._folder} ({reason_of(error)}); "
                "give --record a folder that can be written"
            ) from error
        self._is_open = True
        try:
            self.log.mend()
        except OSError as error:
            logger.warning("events cannot be logged now: %s", reason_of(error))

    def close(self) -> None:
        """Write what waits, and let other runs have the folder. May be called again."""
        try:
            self.log.flush()
        except OSError as error:
            logger.warning("not all events are logged: %s", reason_of(error))
        if self.age.is_kept:
            self.age.keep()
        self._is_open = False
        self._unlock()

    def _unlock(self) -> None:
        if self._locked is not None:
            os.close(self._locked)
            self._locked = None

    def restore(self) -> None:
        """Make the folder again if it went; raises OSError if the one above it went too.

        Not that one: below a mount point, say, it would lie on another disk.
        """
        self._base.mkdir(FOLDER_MODE, exist_ok=True)
        if self._folder != self._base:
            make_private_folder(self._folder)
        if self._is_open and not self._has_lock():
            self._unlock()
            self._lock()

    def _has_lock(self) -> bool:
        """Return whether the folder that is there now is the one that was locked."""
        locked = self._locked
        return locked is not None and os.path.samestat(os.fstat(locked), self._folder.stat())

    def _lock(self) -> None:
        self._locked = os.open(self._folder, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        if not try_lock(self._locked):
            self._unlock()
            raise OutputError(
                f"{self._folder} is in use by another run; stop it, or give --record another folder"
            )

    def has_room(self, n_bytes: int = 0) -> bool:
        """Return whether the disk has its reserve beside `n_bytes`; raises OSError if unknown."""
        return self._free_bytes(self._folder) >= self._min_free_bytes + n_bytes

    def begin(self, utc: datetime, label: str, run: str, number: int) -> RecordPaths:
        """Make the day's folder and return the paths of a new recording; raises OSError."""
        utc = utc.astimezone(UTC)
        day = self._folder / f"{utc:%Y-%m-%d}"
        make_private_folder(day)
        name = f"{utc:%H%M%S}_{plain_label(label)}_{run}-{number}.json"
        return RecordPaths.of(day / name)

    def write_sidecar(
        self, paths: RecordPaths, content: dict[str, object], n_spare: int = 0
    ) -> None:
        """Put a sidecar in its place, whole or not at all; raises OSError.

        Args:
            paths: Whose.
            content: What it says.
            n_spare: Blanks at its end, so that `rewrite_sidecar` needs no room for so much more.
        """
        with written_whole(paths.sidecar, private=True) as unfinished:
            unfinished.write_bytes(sidecar_bytes(content) + b" " * n_spare + b"\n")

    def rewrite_sidecar(self, paths: RecordPaths, content: dict[str, object]) -> None:
        """Replace a sidecar; on a full disk write over the one that is there. Raises OSError."""
        try:
            self.write_sidecar(paths, content)
        except OSError:
            text = sidecar_bytes(content)
            with os.fdopen(open_private(paths.sidecar, os.O_RDWR), "r+b", buffering=0) as file:
                n_bytes = file.seek(0, os.SEEK_END)
                if len(text) >= n_bytes:
                    raise
                file.seek(0)
                file.write(text.ljust(n_bytes - 1) + b"\n")

    def log_event(self, message: Message | None = None) -> None:
        """Append an event message to the log, and what waits; None for what waits alone.

        Raises:
            OSError: It cannot be written now; it is with the next message that can.
            OutputError: Another run has the folder now.
        """
        if message is not None:
            self.log.add(message.payload())
        self.restore()
        self.log.flush()

    def prune(self, now_utc: datetime, writing: RecordPaths | None = None) -> int:
        """Delete finished and broken recordings that are too old, then the oldest of too many.

        What is old is said by the folder's age, not by dates: none is too old that is newer than
        one which is not.

        Args:
            now_utc: The present, for a folder whose age nobody has told.
            writing: What is being written, which stays; None for nothing.

        Returns:
            How many recordings went; raises OSError where the folder cannot be read. One that
            cannot be deleted stays, and is said once.
        """
        if not self.age.is_told:
            self.age.tell(0, now_utc, now_utc)
        found = sorted(self.recordings(), key=lambda r: (r.number, r.age_s, r.paths.sidecar))
        kept = [r for r in found if r.paths != writing]
        n_gone, n_bytes = 0, sum(n_bytes_of(r.paths) for r in kept)
        for recording in kept:
            is_old = self.age.age_s - recording.age_s > self._keep_s
            if not is_old and n_bytes <= self._keep_bytes:
                break
            size = n_bytes_of(recording.paths)
            try:
                delete(recording.paths)
            except OSError as error:  # nothing new would be recorded for it
                self._say_once(recording.paths.sidecar, "cannot be deleted", error)
                continue
            n_bytes -= size
            n_gone += 1
        return n_gone

    def recordings(self) -> Iterator[KeptRecording]:
        """Yield what we made, by the dates in the names; raises OSError."""
        for sidecar in self.sidecars():
            content, started = read_sidecar(sidecar), started_at(sidecar)
            if content is not None and started is not None:
                number, age_s = self.age.place_of(content.get("folder"), started)
                yield KeptRecording(RecordPaths.of(sidecar), number, age_s, content)

    def sidecars(self) -> Iterator[Path]:
        """Yield the files that are named like our sidecars; raises OSError."""
        yield from (file for file in self.files() if _SIDECAR.fullmatch(file.name))

    def files(self) -> Iterator[Path]:
        """Yield what lies in the days' folders; one that cannot be read is said once."""
        for day in self.days():
            try:
                found = sorted(day.iterdir())
            except OSError as error:
                self._say_once(day, "cannot be looked at", error)
                continue
            yield from found

    def _say_once(self, path: Path, what: str, error: OSError) -> None:
        if path not in self._complained and len(self._complained) < MAX_COMPLAINTS:
            self._complained.add(path)
            logger.warning("%s %s: %s", path, what, reason_of(error))

    def days(self) -> list[Path]:
        """Return the folders of the days; raises OSError."""
        return sorted(d for d in self._folder.iterdir() if _DAY.fullmatch(d.name) and _is_dir(d))


def _is_dir(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
