"""What was opened of a source, and what is not there yet."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realtime.errors import LibraryMissing, SourceError
from realtime.packets import Sense, SenseStatus
from realtime.sources.base import Reader, SourceSenses
from realtime.sources.reconnecting import ReconnectingReader

if TYPE_CHECKING:
    from realtime.config import SourceConfig

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedSource:
    """What was opened of one source.

    Attributes:
        readers: Opened, one for each capture thread; the owner steps and closes them.
        senses: Which senses the stream will have; the ring of another gets nothing.
        problems: Senses that were asked for and could not be opened.
        fault: Why nothing of it is there yet; its readers look for it. None if something is.
    """

    readers: list[Reader]
    senses: SourceSenses
    problems: list[SenseStatus] = field(default_factory=list)
    fault: SourceError | None = None

    def statuses(self) -> dict[Sense, SenseStatus]:
        """Return what is known of the senses that come back when lost. Any thread may call it."""
        merged: dict[Sense, SenseStatus] = {}
        for reader in self.readers:
            if isinstance(reader, ReconnectingReader):
                merged.update(reader.statuses())
        return merged


def asked_senses(config: SourceConfig) -> SourceSenses:
    """Return which senses a source was asked for; of a file or URL nobody knows before."""
    if config.kind != "live":
        return SourceSenses(picture=True, sound=True)
    return SourceSenses(picture=config.camera is not None, sound=config.microphone is not None)


def open_or_look_for(
    config: SourceConfig, reader: ReconnectingReader, fault: SourceError | None, *, wait: bool
) -> SourceError | None:
    """Open it, unless a fault is known already; what is not there may be looked for.

    Returns:
        What was wrong, where it is looked for.
    """
    if fault is None:
        try:
            reader.open()
        except SourceError as error:
            if not wait or isinstance(error, LibraryMissing):
                raise
            fault = error
    if fault is not None:
        look_for(config, reader, fault)
    return fault


def look_for(config: SourceConfig, reader: ReconnectingReader, error: SourceError) -> None:
    """Say that a source is not there yet, and have its reader try again."""
    logger.warning("%s: is not there yet: %s", config.name, error)
    reader.retry(error)
