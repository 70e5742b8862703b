"""The recorder's folder: names, sidecars, the log of all events, room on the disk, retention.

    DIR/events.jsonl                               every event message, one a line
    DIR/2026-11-24/183000_Siren_1a2b3c4d-1.mp4     a recording, named by its start in UTC
    DIR/2026-11-24/183000_Siren_1a2b3c4d-1.json    what is in it
    DIR/2026-11-24/183000_Siren_1a2b3c4d-1.part.mp4  while it is written, or after a crash

A sidecar says who made it, and only what has such a sidecar is ever deleted.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from realtime.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from realtime.config import RecordConfig
    from realtime.outputs.wire import Message
from weights.files import written_whole
from weights.printable import json_text

MAKER = "mafnet-live recorder"
EVENT_LOG = "events.jsonl"
OLD_EVENT_LOG = "events.1.jsonl"  # the log's predecessor, once it has grown too long
MAX_LOG_BYTES = 64 << 20
MAX_LABEL = 40  # characters of a label in a name
MAX_SIDECAR_BYTES = 16 << 20  # a larger one is not ours
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_SIDECAR = re.compile(r"\d{6}_[A-Za-z0-9-]+_[A-Za-z0-9]+-\d+\.json")


@dataclass(frozen=True, slots=True)
class RecordPaths:
    """Where one recording lies: while it is written, finished, and its sidecar."""

    part: Path
    final: Path
    sidecar: Path

    @classmethod
    def of(cls, sidecar: Path) -> RecordPaths:
        """Return the paths that belong to a sidecar."""
        return cls(sidecar.with_suffix(".part.mp4"), sidecar.with_suffix(".mp4"), sidecar)


class RecordStore:
    """Keeps the folder; the `record` thread alone uses it, once it is open.

    Args:
        config: Folder and retention.
        free_bytes: Returns the room on a folder's disk.
        base: The folder that several streams share; None where this one has it alone.
    """

    def __init__(
        self,
        config: RecordConfig,
        free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
        base: Path | None = None,
    ) -> None:
        self._folder = Path(config.directory)
        self._base = self._folder if base is None else base
        self._keep = timedelta(days=config.keep_days)
        self._keep_bytes = round(config.keep_gib * (1 << 30))
        self._min_free_bytes = config.min_free_mib << 20
        self._free_bytes = free_bytes

    def open(self) -> None:
        """Make the folder.

        Raises:
            OutputError: It cannot be made or written to.
        """
        log = self._folder / EVENT_LOG
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with log.open("ab") as file:
                is_empty = file.seek(0, os.SEEK_END) == 0
            if is_empty:  # the first event brings it
                log.unlink()
        except OSError as error:
            raise OutputError(
                f"cannot record to {self._folder} ({error.strerror}); "
                "give --record a folder that can be written"
            ) from error

    def restore(self) -> None:
        """Make the folder again if it went; raises OSError if the one above it went too.

        Not that one: below a mount point, say, it would lie on another disk.
        """
        self._base.mkdir(exist_ok=True)
        self._folder.mkdir(exist_ok=True)

    def has_room(self) -> bool:
        """Return whether the disk has more than its reserve; raises OSError if nobody knows."""
        return self._free_bytes(self._folder) >= self._min_free_bytes

    def begin(self, utc: datetime, label: str, run: str, number: int) -> RecordPaths:
        """Make the day's folder and return the paths of a new recording; raises OSError."""
        utc = utc.astimezone(UTC)
        day = self._folder / f"{utc:%Y-%m-%d}"
        day.mkdir(exist_ok=True)
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
        with written_whole(paths.sidecar) as unfinished:
            unfinished.write_bytes(_sidecar_bytes(content) + b" " * n_spare + b"\n")

    def rewrite_sidecar(self, paths: RecordPaths, content: dict[str, object]) -> None:
        """Replace a sidecar; on a full disk write over the one that is there. Raises OSError."""
        try:
            self.write_sidecar(paths, content)
        except OSError:
            text = _sidecar_bytes(content)
            with paths.sidecar.open("r+b", buffering=0) as file:
                n_bytes = file.seek(0, os.SEEK_END)
                if len(text) >= n_bytes:
                    raise
                file.seek(0)
                file.write(text.ljust(n_bytes - 1) + b"\n")

    def log_event(self, message: Message) -> None:
        """Append an event message to the log; raises OSError, and leaves no half line then."""
        path = self._folder / EVENT_LOG
        self.restore()
        with path.open("ab", buffering=0) as log:
            end = log.seek(0, os.SEEK_END)
            if end >= MAX_LOG_BYTES:
                path.replace(self._folder / OLD_EVENT_LOG)
                with path.open("xb") as new:
                    new.write(message.payload() + b"\n")
                return
            line = message.payload() + b"\n"
            n_written = 0
            try:
                n_written = log.write(line)
                if n_written < len(line):
                    log.write(line[n_written:])
            except OSError:
                log.truncate(end)
                raise

    def prune(self, now_utc: datetime, writing: RecordPaths | None = None) -> int:
        """Delete finished and broken recordings that are too old, then the oldest of too many.

        Args:
            now_utc: The present.
            writing: What is being written, which stays; None for nothing.

        Returns:
            How many recordings went; raises OSError.
        """
        kept: list[tuple[RecordPaths, int]] = []
        n_deleted = 0
        oldest = now_utc.astimezone(UTC) - self._keep
        for paths in self._recordings():
            if paths == writing:
                continue
            if _started(paths) < oldest:
                _delete(paths)
                n_deleted += 1
            else:
                kept.append((paths, _size(paths)))
        n_bytes = sum(size for _, size in kept)
        for paths, size in kept:
            if n_bytes <= self._keep_bytes:
                break
            _delete(paths)
            n_bytes -= size
            n_deleted += 1
        return n_deleted

    def _recordings(self) -> Iterator[RecordPaths]:
        """Yield what we made, oldest first."""
        days = sorted(d for d in self._folder.iterdir() if _DAY.fullmatch(d.name) and _is_dir(d))
        for day in days:
            for sidecar in sorted(day.iterdir()):
                if _SIDECAR.fullmatch(sidecar.name) and _is_ours(sidecar):
                    yield RecordPaths.of(sidecar)


def plain_label(label: str) -> str:
    """Return what of a label is safe in a file's name: letters, digits and dashes of ASCII."""
    return re.sub("[^A-Za-z0-9]+", "-", label).strip("-")[:MAX_LABEL] or "event"


def _sidecar_bytes(content: dict[str, object]) -> bytes:
    return json_text({"made_by": MAKER, **content}, indent=1).encode()


def _is_dir(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _is_ours(sidecar: Path) -> bool:
    try:
        if sidecar.is_symlink() or sidecar.stat().st_size > MAX_SIDECAR_BYTES:
            return False
        content = json.loads(sidecar.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError):  # not ours, or it has just gone
        return False
    return isinstance(content, dict) and content.get("made_by") == MAKER


def _started(paths: RecordPaths) -> datetime:
    moment = f"{paths.sidecar.parent.name} {paths.sidecar.name[:6]}"
    try:
        return datetime.strptime(moment, "%Y-%m-%d %H%M%S").replace(tzinfo=UTC)
    except ValueError:  # no such day or hour: somebody renamed it, so it is not ours any more
        return datetime.max.replace(tzinfo=UTC)


def _size(paths: RecordPaths) -> int:
    files = (paths.part, paths.final, paths.sidecar)
    return sum(file.stat().st_size for file in files if file.exists())


def _delete(paths: RecordPaths) -> None:
    """Delete the sidecar last: without it nobody would know whose the rest is."""
    for file in (paths.part, paths.final, paths.sidecar):
        file.unlink(missing_ok=True)
    if not any(paths.sidecar.parent.iterdir()):
        paths.sidecar.parent.rmdir()
