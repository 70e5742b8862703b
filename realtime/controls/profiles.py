"""Which profile holds: the one that somebody chose, else by the clock, else the usual one."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import TYPE_CHECKING

from realtime.config.rules import AUTOMATIC
from realtime.errors import UsageError

if TYPE_CHECKING:
    from realtime.config import RulesConfig


class Profiles:
    """Knows the profile at a moment; any thread may call any method.

    Args:
        config: Names, times and the usual profile.
    """

    def __init__(self, config: RulesConfig) -> None:
        self._usual = config.profile
        self._zone = config.zone
        self._scheduled = [(profile.name, profile.when) for profile in config.profiles]
        self.names = config.profile_names
        self._lock = threading.Lock()
        self._chosen: str | None = None

    @property
    def chosen(self) -> str:
        """What somebody chose: a name, or `auto` for the schedule."""
        with self._lock:
            return AUTOMATIC if self._chosen is None else self._chosen

    def choose(self, name: str) -> None:
        """Have a profile hold until another is chosen; `auto` gives it back to the schedule.

        Raises:
            UsageError: There is no such profile.
        """
        if name != AUTOMATIC and name not in self.names:
            known = ", ".join((*self.names, AUTOMATIC))
            raise UsageError(f"there is no profile {name[:60]!r}; there is {known}")
        with self._lock:
            self._chosen = None if name == AUTOMATIC else name

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
