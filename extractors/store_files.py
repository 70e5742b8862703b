"""Which files a feature store was made of, and what of them has changed since.

`files.json` lies beside `features.json`: each file's path, size, time of change and sha256, and in
which rows its features are. So the next extraction finds what was added, changed and removed
without decoding anything: by size and time first, then by content, so that a file that was moved or
touched is still the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from extractors.errors import StoreError
from weights.files import sha256_of, written_whole

if TYPE_CHECKING:
    from extractors.datasets import MediaItem
    from extractors.feature_parts import Part
    from extractors.feature_store import Window

FILES: Final = "files.json"
_FORMAT: Final = 1


@dataclass(slots=True)
class SenseRows:
    """Where one sense of a file lies in a store.

    Attributes:
        n_clips: Clips of the sense in the file, as it was extracted.
        rows: Split, row and the clip that the row begins with.
    """

    n_clips: int
    rows: list[tuple[str, int, int]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class KnownFile:
    """A file as it was when its features were made.

    Attributes:
        size: Bytes.
        changed_ns: When it was changed last.
        sha256: Of its bytes; empty where it could not be read.
        visual: Where its pictures are; None without.
        audio: Where its sound is; None without.
        notes: What was padded, damaged or silent.
    """

    size: int
    changed_ns: int
    sha256: str
    visual: SenseRows | None = None
    audio: SenseRows | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def has_rows(self) -> bool:
        """It was not left out."""
        return self.visual is not None or self.audio is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChanges:
    """What became of a store's files.

    Attributes:
        kept: Items whose features the store has, with what is known of each.
        n_added: Files that are new.
        n_changed: Files with other content under the same path.
        n_removed: Files of the store that are no longer asked for.
    """

    kept: Mapping[MediaItem, KnownFile] = field(repr=False)
    n_added: int
    n_changed: int
    n_removed: int

    @property
    def is_none(self) -> bool:
        """Nothing has changed."""
        return not (self.n_added or self.n_changed or self.n_removed)


class StoreFiles:
    """The files of one store, by their path."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        """Begins an empty list; `settings` are what rows depend on beside the parts."""
        self.settings = dict(settings)
        self._files: dict[str, KnownFile] = {}

    def note(
        self,
        window: Window,
        item: MediaItem,
        part: Part,
        row: int,
        sense: str,
        before: Mapping[MediaItem, KnownFile],
    ) -> None:
        """Notes that a row shows ("visual") or lets hear ("audio") a file's clips."""
        known = self._known(item, before)
        values = getattr(part, sense)
        if values is None:
            return
        place: SenseRows = getattr(known, sense) or SenseRows(len(values))
        repeats = window.loop or item.is_picture  # each such row has the same clips
        if not (repeats and place.rows):
            place.rows.append((window.split, row, window.first_clip))
        setattr(known, sense, place)
        known.notes = list(part.notes)

    def note_left_out(self, item: MediaItem) -> None:
        """Notes a file that could not be used, so that it is tried again once it has changed."""
        self._known(item, {})

    def write(self, folder: Path) -> None:
        """Writes `files.json`; raises OSError."""
        files = {path: asdict(known) for path, known in self._files.items()}
        content = {"format": _FORMAT, "settings": self.settings, "files": files}
        with written_whole(folder / FILES) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="ascii")

    @staticmethod
    def read(folder: Path) -> StoreFiles | None:
        """Reads `files.json`; None where an older version made the store.

        Raises:
            StoreError: It is not readable.
        """
        path = folder / FILES
        if not path.is_file():
            return None
        try:
            content = json.loads(path.read_text(encoding="ascii"))
            found = StoreFiles(content["settings"])
            found._files = {name: _read_known(entry) for name, entry in content["files"].items()}
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise StoreError(f"{path} is not readable: choose another folder") from error
        return found

    def compare(self, items: Iterable[MediaItem], *, same_list: bool) -> FileChanges:
        """Finds what has changed.

        Args:
            items: The files that are asked for now.
            same_list: They are listed as they were: what is not known was of no use then.
        """
        of_content = {known.sha256: known for known in self._files.values() if known.has_rows}
        sizes = {known.size for known in of_content.values()}
        kept: dict[MediaItem, KnownFile] = {}
        n_added = n_changed = 0
        gone = {path for path, known in self._files.items() if known.has_rows}
        moved: set[str] = set()
        for item in items:
            path = _name(item)
            gone.discard(path)
            known, size, changed_ns = self._files.get(path), *_stamp(item.path)
            if known is not None and (known.size, known.changed_ns) == (size, changed_ns):
                if known.has_rows:
                    kept[item] = known
                continue
            sha256 = _hash(item.path) if size in sizes else ""
            same = of_content.get(sha256)
            if same is not None:
                kept[item] = replace(same, size=size, changed_ns=changed_ns)
                moved.add(sha256)
            elif known is not None:
                n_changed += 1
            elif not same_list:
                n_added += 1
        n_removed = sum(self._files[path].sha256 not in moved for path in gone)
        return FileChanges(kept=kept, n_added=n_added, n_changed=n_changed, n_removed=n_removed)

    def _known(self, item: MediaItem, before: Mapping[MediaItem, KnownFile]) -> KnownFile:
        path = _name(item)
        if path not in self._files:
            size, changed_ns = _stamp(item.path)
            sha256 = before[item].sha256 if item in before else _hash(item.path)
            self._files[path] = KnownFile(size=size, changed_ns=changed_ns, sha256=sha256)
        return self._files[path]


def _name(item: MediaItem) -> str:
    return str(item.path.resolve())


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _hash(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError:
        return ""


def _read_known(entry: dict[str, Any]) -> KnownFile:
    def sense(name: str) -> SenseRows | None:
        place = entry[name]
        if place is None:
            return None
        rows = [(str(split), int(row), int(first)) for split, row, first in place["rows"]]
        return SenseRows(int(place["n_clips"]), rows)

    return KnownFile(
        size=int(entry["size"]),
        changed_ns=int(entry["changed_ns"]),
        sha256=str(entry["sha256"]),
        visual=sense("visual"),
        audio=sense("audio"),
        notes=[str(note) for note in entry["notes"]],
    )
