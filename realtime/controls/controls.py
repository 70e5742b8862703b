"""The switches of a run; whoever acts by them asks, whoever shows them asks too."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from realtime.config import RulesConfig
from realtime.controls.profiles import Profiles
from realtime.errors import UsageError

if TYPE_CHECKING:
    from realtime.config import RunConfig

logger = logging.getLogger(__name__)


class Controls:
    """Switches of each source, and the run's profiles; any thread may call any method.

    A source that is paused tells no events and records nothing; its time goes on. A source whose
    recording is off begins no recording.

    Args:
        config: The run; a source is known by its name.

    Attributes:
        profiles: Which profile holds.
        sources: The names of all sources.
    """

    def __init__(self, config: RunConfig) -> None:
        self.profiles = Profiles(config.rules or RulesConfig())
        self.sources = tuple(source.name for source in config.sources)
        self._lock = threading.Lock()
        self._paused: frozenset[str] = frozenset()
        self._unrecorded: frozenset[str] = frozenset()

    def is_paused(self, source: str) -> bool:
        """Whether a source tells nothing now."""
        return source in self._paused

    def records(self, source: str) -> bool:
        """Whether a source's events are recorded, where anything is."""
        return source not in self._unrecorded

    def pause(self, source: str, on: bool) -> None:
        """Pause a source, or have it go on.

        Raises:
            UsageError: There is no such source.
        """
        self._check(source)
        with self._lock:
            was_on = source in self._paused
            self._paused = self._paused | {source} if on else self._paused - {source}
        if was_on != on:
            said = "is paused: nothing is told or recorded" if on else "goes on"
            logger.info("%s %s", source, said, extra={"subject": source})

    def record(self, source: str, on: bool) -> None:
        """Have a source's events recorded, or not.

        Raises:
            UsageError: There is no such source.
        """
        self._check(source)
        with self._lock:
            was_on = source not in self._unrecorded
            self._unrecorded = self._unrecorded - {source} if on else self._unrecorded | {source}
        if was_on != on:
            said = "is recorded" if on else "is not recorded"
            logger.info("%s %s", source, said, extra={"subject": source})

    def _check(self, source: str) -> None:
        if source not in self.sources:
            known = ", ".join(self.sources)
            raise UsageError(f"there is no source {source[:100]!r}; there is {known}")
