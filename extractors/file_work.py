"""What an extraction does with one file, and who works through many: threads of this process.

A `Runner` takes files and writes a part for each; it may be interrupted at any time and says of
each file what came of it, in whatever order they are done. Workers decode at the same time and take
turns at the trunks, which use all cores or the GPU by themselves.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from extractors.clip_features import ClipFeatures, extract_media, extract_picture
from extractors.errors import MediaError

if TYPE_CHECKING:
    from extractors.datasets import MediaItem
    from extractors.encoders import Encoders
    from extractors.feature_parts import PartFolder

_MOST_CLIPS: Final = 600  # ten minutes of one file: 120 MB of sound maps


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a file.

    Attributes:
        item: The file.
        notes: What was padded, damaged or silent.
        reason: Why it is left out; None where its part is there.
    """

    item: MediaItem
    notes: tuple[str, ...] = ()
    reason: str | None = None


class Work(Protocol):
    """What is done with one file; any thread may ask."""

    def do(self, item: MediaItem, encoders: Encoders, parts: PartFolder) -> Outcome:
        """Extract a file and write its part; raises StoreError where it cannot be written."""


class Runner(Protocol):
    """Who works through files."""

    def __call__(
        self, items: Sequence[MediaItem], work: FileWork, parts: PartFolder
    ) -> Generator[Outcome]:
        """Yields an outcome a file, once its part is written; closed, it drops what waits.

        Raises:
            StoreError: A part cannot be written.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class FileWork:
    """How one file becomes a part; may be sent to another process.

    Attributes:
        n_clips: T where the data set fixes it; None takes a file as long as it is.
        half: Store float16.
        jpeg: Pass frames through JPEG.
        keep_one_sense: Keep videos without sound or without picture.
    """

    n_clips: int | None
    half: bool
    jpeg: bool
    keep_one_sense: bool

    def do(self, item: MediaItem, encoders: Encoders, parts: PartFolder) -> Outcome:
        """Extracts a file and writes its part.

        Raises:
            StoreError: The part cannot be written.
        """
        dtype: type[np.floating[Any]] = np.float16 if self.half else np.float32
        try:
            features = self._features(item, encoders)
        except MediaError as error:
            return Outcome(item=item, reason=str(error))
        parts.write(item, features, dtype)
        return Outcome(item=item, notes=tuple(features.notes))

    def _features(self, item: MediaItem, encoders: Encoders) -> ClipFeatures:
        if item.is_picture and encoders.picture is not None:
            return extract_picture(item.path, encoders.picture)
        padded = self.n_clips is not None
        features = extract_media(
            item.path,
            replace(encoders, picture=None) if item.is_sound else encoders,
            self.n_clips if padded else _MOST_CLIPS,
            fill=padded,
            jpeg=self.jpeg,
        )
        if not item.is_sound and not self.keep_one_sense:
            if features.visual is None:
                raise MediaError(f"{item.path} holds no picture")
            if features.audio is None:
                raise MediaError(f"{item.path} holds no sound")
        return features


class ThreadRunner(Protocol):
    """A `Runner` of this process, for any work."""

    def __call__(
        self, items: Sequence[MediaItem], work: Work, parts: PartFolder
    ) -> Generator[Outcome]:
        """Yields outcomes as a `Runner` does."""


def on_threads(
    encoders: Encoders, n_workers: int, kept: ThreadPoolExecutor | None = None
) -> ThreadRunner:
    """Return a runner of threads of this process.

    Args:
        encoders: The trunks.
        n_workers: Files at a time.
        kept: Threads that outlive a run, in place of ones that end with it.
    """

    def run(items: Sequence[MediaItem], work: Work, parts: PartFolder) -> Generator[Outcome]:
        pool = kept or ThreadPoolExecutor(n_workers, thread_name_prefix="extract")
        futures = [pool.submit(work.do, item, encoders, parts) for item in items]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            # Also when interrupted: what runs ends and is kept, what waits is dropped.
            for future in futures:
                future.cancel()
            wait(futures)
            if kept is None:
                pool.shutdown()

    return run
