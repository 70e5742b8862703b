"""Finds what the recorder wrote, by its sidecars, so that a history knows each event's clip.

The folder says it: nothing has to be told between two threads, and what was recorded before a
crash is found at the next start. A folder is read again only when it has changed.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from realtime.outputs.recording.sidecars import RecordPaths, read_sidecar

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
UNFINISHED = "recording"


class Found(NamedTuple):
    """A recording; paths are relative to the scanned folder."""

    sidecar: str
    file: str | None
    source: str
    state: str
    events: tuple[tuple[str, float], ...]  # id, seconds from the recording's start to its onset


class SidecarScan:
    """Looks through a `--record` folder, that of each stream among them; one thread.

    Args:
        folder: What `--record` was given.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, int] = {}  # days' folders, and when they had changed last

    def news(self, known: Mapping[str, str]) -> tuple[list[Found], list[str]]:
        """Look for recordings that are new or finished now, and for those that are gone.

        Args:
            known: The sidecars of those that are known, each with its state.

        Returns:
            What was found, and which of `known` there is no more. A folder that cannot be looked
            at now has nothing new, and nothing in it is gone.
        """
        found, there = [], set()
        unread = False
        try:
            days = list(self._days())
        except OSError:
            return [], []
        for day in days:
            try:
                changed_ns = day.stat().st_mtime_ns
                paths = {path for path in day.iterdir() if path.suffix == ".json"}
            except OSError:
                unread = True
                continue
            there |= {self._name(path) for path in paths}
            is_new = self._seen.get(day) != changed_ns
            self._seen[day] = changed_ns
            for path in sorted(paths):
                is_known = self._name(path) in known
                is_unfinished = known.get(self._name(path)) == UNFINISHED
                if is_unfinished or (is_new and not is_known):
                    found += self._read(path)
        # An empty folder is one whose disk is not there: nobody deleted all of it at once.
        gone = [] if unread or not there else sorted(known.keys() - there)
        return found, gone

    def _read(self, path: Path) -> list[Found]:
        content = read_sidecar(path)
        if content is None:
            return []
        state, file = content.get("state"), content.get("file")
        events = content.get("events")
        if not isinstance(state, str) or not isinstance(events, list):
            return []
        told = tuple(
            (each["id"], float(each["pre_roll_s"]))
            for each in events
            if isinstance(each, dict)
            and isinstance(each.get("id"), str)
            and isinstance(each.get("pre_roll_s"), int | float)
        )
        if state == UNFINISHED:  # it will be there under its last name
            file = RecordPaths.of(path).final.name
        is_name = isinstance(file, str) and Path(file).name == file
        return [
            Found(
                sidecar=self._name(path),
                file=self._name(path.with_name(str(file))) if is_name else None,
                source=str(content.get("source")),
                state=state,
                events=told,
            )
        ]

    def _days(self) -> Iterator[Path]:
        """Yield the folders of days, of one stream or of each of several."""
        for entry in sorted(self._folder.iterdir()):
            if entry.is_symlink() or not entry.is_dir():
                continue
            if _DAY.fullmatch(entry.name):
                yield entry
            else:
                yield from (
                    day
                    for day in sorted(entry.iterdir())
                    if _DAY.fullmatch(day.name) and day.is_dir() and not day.is_symlink()
                )

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()
