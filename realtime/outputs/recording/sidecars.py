"""A recording's files by name, and its sidecar: written, and trusted only where it is ours."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from realtime.outputs.private_files import open_private
from weights.printable import json_text

MAKER = "mafnet-live recorder"
MAX_LABEL = 40  # characters of a label in a name
MAX_SIDECAR_BYTES = 16 << 20  # a larger one is not ours


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


class KeptRecording(NamedTuple):
    """A recording in the folder: its place in the order of all, and what its sidecar says."""

    paths: RecordPaths
    number: int
    age_s: float  # the folder's when it began
    content: dict[str, Any]


def plain_label(label: str) -> str:
    """Return what of a label is safe in a file's name: letters, digits and dashes of ASCII."""
    return re.sub("[^A-Za-z0-9]+", "-", label).strip("-")[:MAX_LABEL] or "event"


def sidecar_bytes(content: dict[str, object]) -> bytes:
    """Return a sidecar as it is written."""
    return json_text({"made_by": MAKER, **content}, indent=1).encode()


def read_sidecar(sidecar: Path) -> dict[str, Any] | None:
    """Return what a sidecar says; None if it is not ours, or torn."""
    try:
        with os.fdopen(open_private(sidecar, os.O_RDONLY), "rb") as file:
            content = json.loads(file.read(MAX_SIDECAR_BYTES))
    except (ValueError, RecursionError, OSError):  # not ours, or it has just gone
        return None
    is_ours = isinstance(content, dict) and content.get("made_by") == MAKER
    return content if is_ours else None


def started_at(sidecar: Path) -> datetime | None:
    """Return when a recording began, by its name; None where the name says no time."""
    moment = f"{sidecar.parent.name} {sidecar.name[:6]}"
    try:
        return datetime.strptime(moment, "%Y-%m-%d %H%M%S").replace(tzinfo=UTC)
    except ValueError:  # no such day or hour: somebody renamed it, so it is not ours any more
        return None


def n_bytes_of(paths: RecordPaths) -> int:
    """Return how much a recording's files take."""
    n_bytes = 0
    for file in (paths.part, paths.final, paths.sidecar):
        with suppress(FileNotFoundError):
            n_bytes += file.lstat().st_size
    return n_bytes


def delete(paths: RecordPaths) -> None:
    """Delete the sidecar last: without it nobody would know whose the rest is."""
    for file in (paths.part, paths.final, paths.sidecar):
        file.unlink(missing_ok=True)
    with suppress(OSError):  # others' files lie there, too
        paths.sidecar.parent.rmdir()
