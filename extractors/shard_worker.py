"""One worker of a cluster's extraction: trunks that stay loaded, and a few files at a time.

Knows no Ray: `extractors.on_ray` has an instance of this in each of its actors. A shard comes as
names and goes as what came of each file; pictures, sound and features stay in this process and on
the shared disk. A file whose decoder ends the process is tried once more, alone, and then left out.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from extractors.errors import ExtractorError, StoreError
from extractors.feature_parts import PartFolder
from extractors.file_work import FileWork, Outcome, on_threads
from extractors.shards import Rows, done_rows, fault_rows, files_of
from weights.dependencies import restrain
from weights.store import default_home

if TYPE_CHECKING:
    from extractors.datasets import MediaItem
    from extractors.encoders import Encoders

_MOST_TRIES: Final = 2


class Loads(Protocol):
    """What gives the trunks, such as `extractors.encoder_choice.EncoderChoice`."""

    @property
    def device(self) -> str:
        """What computes them, as `--device` names it."""

    def load(self) -> Encoders:
        """Load both trunks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardJob:
    """What is the same for all shards of an extraction; may be sent to another machine.

    Attributes:
        choice: Which trunks.
        work: What is done with a file.
        folder: Of the parts, at the same place on every machine.
        recipe: How its parts are made.
        n_threads: Files at a time.
    """

    choice: Loads
    work: FileWork
    folder: Path
    recipe: Mapping[str, object] = field(repr=False)
    n_threads: int = 1


class ShardWorker:
    """Works through shards, one after another.

    Args:
        job: What is done. What is at fault with it, such as a folder that this machine does not
            see, is told with the first shard: an exception here would only be tried again.
    """

    def __init__(self, job: ShardJob) -> None:
        restrain(default_home())
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._work = _Guarded(job.work)
        self._n_threads = job.n_threads
        # The same threads for all shards: each new one may take memory of its own for good.
        self._pool = ThreadPoolExecutor(job.n_threads, thread_name_prefix="extract")
        self._fault = ""
        try:
            self._parts = PartFolder.shared(job.folder, job.recipe)
            self._encoders = job.choice.load()
            _check(self._encoders, job.recipe)
        except ExtractorError as error:
            self._fault = str(error)

    def __call__(self, shard: Rows) -> Rows:
        """Extract what of a shard is not there yet.

        Args:
            shard: As `shard_of` makes it.

        Returns:
            As `extractors.shards.outcomes_of` reads it.
        """
        if self._fault:
            return fault_rows(self._fault, self._name)
        items = {item: index for index, item in files_of(shard)}
        suspects = [item for item in items if n_tries(self._parts, item)]
        others = [item for item in items if item not in suspects]
        outcomes: list[Outcome] = []
        try:
            run = on_threads(self._encoders, self._n_threads, self._pool)
            for some in (*([each] for each in suspects), others):
                outcomes += run(some, self._work, self._parts)
        except StoreError as error:
            return fault_rows(str(error), self._name)
        return done_rows([(items[each.item], each) for each in outcomes], self._name)


class _Guarded:
    """A file's work, noted on the disk while it goes on: who dies over it leaves the note."""

    def __init__(self, work: FileWork) -> None:
        self._work = work

    def do(self, item: MediaItem, encoders: Encoders, parts: PartFolder) -> Outcome:
        if parts.has(item):  # another had this shard, and died behind this file
            return Outcome(item=item)
        tries = n_tries(parts, item)
        if tries >= _MOST_TRIES:
            reason = f"{item.path} ended the process that decoded it, {tries} times"
            return Outcome(item=item, reason=reason)
        note = parts.note_of(item)
        try:
            note.write_text(str(tries + 1), encoding="ascii")
        except OSError as error:
            raise StoreError(f"cannot write {note}: {error.strerror or error}") from error
        try:
            return self._work.do(item, encoders, parts)
        finally:  # not where the process ends
            note.unlink(missing_ok=True)


def n_tries(parts: PartFolder, item: MediaItem) -> int:
    """Count how often a file was begun by a process that did not end it."""
    try:
        return int(parts.note_of(item).read_text(encoding="ascii") or 0)
    except (OSError, ValueError):
        return 0


def _check(encoders: Encoders, recipe: Mapping[str, object]) -> None:
    for sense, encoder in (("visual", encoders.picture), ("audio", encoders.sound)):
        if encoder is None or encoder.source.recipe() != recipe[sense]:
            raise StoreError(f"the {sense} trunk here has other weights than where this was begun")
