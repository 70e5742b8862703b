"""Which profile holds: the one that somebody chose, else by the clock, else the usual one."""

from __future__ import annotations

import logging
import threading
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from realtime.config.rules import AUTOMATIC
from realtime.errors import OutputError, UsageError
from weights.files import written_whole
from weights.printable import clean

if TYPE_CHECKING:
    from realtime.config import RulesConfig

logger = logging.getLogger(__name__)

MAX_FILE_BYTES = 200


class Profiles:
    """Knows the profile at a moment; any thread may call any method.

    Args:
        config: Names, times, the usual profile, and the file that keeps what was chosen.
    """

    def __init__(self, config: RulesConfig) -> None:
        self._usual = config.profile
        self._zone = config.zone
        self._scheduled = [(profile.name, profile.when) for profile in config.profiles]
        self.names = config.profile_names
        self._file = None if config.chosen is None else Path(config.chosen)
        self._lock = threading.Lock()
        self._chosen: str | None = None
        self._seen = ""  # what the file said last
        self.look()

    @property
    def chosen(self) -> str:
        """What somebody chose: a name, or `auto` for the schedule."""
        with self._lock:
            return AUTOMATIC if self._chosen is None else self._chosen

    def choose(self, name: str) -> None:
        """Have a profile hold until another is chosen; `auto` gives it back to the schedule.

        Raises:
            UsageError: There is no such profile.
            OutputError: It holds, but the file cannot be written.
        """
        self._take(name)
        if self._file is None:
            return
        try:
            with written_whole(self._file) as unfinished:
                unfinished.write_text(f"{name}\n", encoding="utf-8")
        except OSError as error:
            raise OutputError(
                f"the profile {name} cannot be kept in {self._file}: {error.strerror}"
            ) from error

    def look(self) -> None:
        """Read the file again; what it says counts once it says something new."""
        if self._file is None:
            return
        try:
            with self._file.open("rb") as opened:
                name = opened.read(MAX_FILE_BYTES).decode("utf-8", "replace").strip()
        except OSError:  # nobody chose one yet
            return
        with self._lock:
            is_new, self._seen = name != self._seen, name
        if not is_new:
            return
        try:
            self._take(name)
        except UsageError as error:
            logger.warning("%s: %s", self._file, clean(str(error)))

    def at(self, moment: datetime) -> str:
        """Return the profile that holds at an aware moment."""
        with self._lock:
            if self._chosen is not None:
                return self._chosen
        local = self.local(moment)
        return next((name for name, when in self._scheduled if when.cover(local)), self._usual)

    def local(self, moment: datetime) -> datetime:
        """Return an aware moment as clocks on the wall show it."""
        return moment.astimezone(self._zone)

    def _take(self, name: str) -> None:
        if name != AUTOMATIC and name not in self.names:
            known = ", ".join((*self.names, AUTOMATIC))
            raise UsageError(f"there is no profile {name[:60]!r}; there is {known}")
        chosen = None if name == AUTOMATIC else name
        with self._lock:
            is_new, self._chosen = chosen != self._chosen, chosen
        if is_new:
            logger.info("profile %s", name, extra={"subject": "rules"})
