"""How old a recording folder is, counted so that no step of the wall clock changes it.

A folder's age grows while a run is on, by the run's clock, and by the time between two runs, as the
wall clock has it. A recording keeps the age at which it began, and its number in the order of all.
So a clock that is set by 400 days makes no recording old, and one dated 1970 is not the oldest.

It errs to one side: time that nobody measured does not count, and recordings stay longer. Between
two runs the least is taken that their wall clocks allow, and nothing after a run whose clock was
set by more than a day. More than a day counts once the run has lasted an hour: a machine that boots
with a wrong clock has it corrected by then. What is recorded before is dated as if it counted.
"""

from __future__ import annotations

import json
import logging
import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeGuard

from realtime.clock import EPOCH, NS_PER_S
from realtime.outputs.private_files import open_private
from weights.files import written_whole

if TYPE_CHECKING:
    from pathlib import Path

AGE_FILE = "age.json"
MAX_BYTES = 1 << 16
SURE_GAP = timedelta(days=1)
PROVING_S = 3600.0
KEEP_S = 60.0
FIRST_YEAR = 2020  # no recorder is older than this; a date before it is a clock's that starts anew
MOST = 1e11  # seconds: three thousand years

logger = logging.getLogger(__name__)


class FolderAge:
    """A folder's age and the numbers of its recordings; one thread.

    Args:
        folder: Whose; its file is written only by `save`.

    Attributes:
        is_told: Whether anybody has said what time it is.
        is_kept: Whether the folder has such a file, or will.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / AGE_FILE
        self._before_s = 0.0  # its age when the last run ended
        self._run_s = 0.0
        self._began_ns = 0
        self._gap = timedelta()  # between that end and this run
        self._last_utc: datetime | None = None  # the latest that any run has known
        self._is_next_gap_known = True
        self._born_utc = EPOCH
        self._latest_utc = EPOCH
        self._n_recordings = 0
        self._span = timedelta()  # of the dates that a moment has had
        self._kept_at: tuple[float, timedelta] | None = None
        self._is_failing = False
        self.is_told = self.is_kept = False

    def tell(self, now_ns: int, earliest_utc: datetime, latest_utc: datetime) -> None:
        """Say what time it is, as often as anybody asks for an age or saves it.

        Args:
            now_ns: On the run's clock.
            earliest_utc: The same, by the wall clock's least setting in this run.
            latest_utc: And by its furthest.
        """
        if not self.is_told:
            self.is_told = True
            self._began_ns = now_ns
            self._read()
        self._run_s = (now_ns - self._began_ns) / NS_PER_S
        began_utc = earliest_utc - timedelta(seconds=self._run_s)
        if self._last_utc is None:
            self._born_utc = began_utc
        elif self._is_next_gap_known:
            self._gap = began_utc - self._last_utc
        self._latest_utc = max(self._latest_utc, latest_utc)
        self._span = latest_utc - earliest_utc

    @property
    def age_s(self) -> float:
        """How old it is now at least, seconds."""
        return self._before_s + (self._gap_s if self._is_sure else 0.0) + self._run_s

    def next_place(self) -> dict[str, object]:
        """Return what the sidecar of a new recording says of its place."""
        self._n_recordings += 1
        unsure_s = 0.0 if self._is_sure else self._gap_s
        return {
            "number": self._n_recordings,
            "age_s": round(self.age_s, 3),
            "unsure_s": round(unsure_s, 3),
        }

    @property
    def _gap_s(self) -> float:
        return max(0.0, self._gap.total_seconds())

    @property
    def _is_sure(self) -> bool:
        return self._gap <= SURE_GAP or self._run_s >= PROVING_S

    def place_of(self, told: object, started_utc: datetime) -> tuple[int, float]:
        """Return a recording's number and how old the folder was when it began.

        Args:
            told: What its sidecar says of them; only what can be is taken.
            started_utc: Its date, for recordings made before ages were kept. They were first.
        """
        entry = told if isinstance(told, dict) else {}
        number, age_s, unsure_s = (entry.get(k) for k in ("number", "age_s", "unsure_s"))
        if _is_number(number) and _is_number(age_s) and _is_number(unsure_s) and number >= 1:
            self._n_recordings = max(self._n_recordings, int(number))
            if not self.is_kept:  # its file was lost
                self._before_s += max(0.0, age_s - self.age_s)
            return int(number), age_s + unsure_s
        if started_utc.year < FIRST_YEAR:
            return 0, 0.0
        return 0, min(0.0, (started_utc - self._born_utc).total_seconds())

    def keep_now_and_then(self) -> None:
        """Write it down again after a minute, and at once when the wall clock was set."""
        if self.is_kept and (
            self._kept_at is None
            or self._run_s - self._kept_at[0] >= KEEP_S
            or self._span != self._kept_at[1]
        ):
            self.keep()

    def keep(self) -> None:
        """Write it down for the next run; where that fails, recordings stay longer at worst."""
        self._kept_at = self._run_s, self._span
        self.is_kept = True  # or is tried again
        try:
            self._save()
        except OSError as error:
            if not self._is_failing:
                logger.warning("%s cannot be written: %s", self._path, error.strerror)
            self._is_failing = True
        else:
            self._is_failing = False

    def _save(self) -> None:
        content = {
            "age_s": round(self.age_s, 3),
            "n_recordings": self._n_recordings,
            "born_utc": self._born_utc.isoformat(),
            "latest_utc": max(self._latest_utc, self._last_utc or EPOCH).isoformat(),
            "clock_was_set": self._span > SURE_GAP,
        }
        with written_whole(self._path, private=True) as unfinished:
            unfinished.write_text(json.dumps(content) + "\n", encoding="utf-8")

    def _read(self) -> None:
        """Read what an earlier run kept; where that is damaged the recordings know it as well."""
        try:
            with os.fdopen(open_private(self._path, os.O_RDONLY), "rb") as file:
                content = json.loads(file.read(MAX_BYTES))
            age_s, n_recordings = content["age_s"], content["n_recordings"]
            was_set = content["clock_was_set"] is not False
            born, latest = (datetime.fromisoformat(content[k]) for k in ("born_utc", "latest_utc"))
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            logger.warning("%s cannot be read and is made anew: %s", self._path, error)
            return
        if _is_number(age_s) and _is_number(n_recordings) and born.tzinfo and latest.tzinfo:
            self._before_s, self._n_recordings = float(age_s), int(n_recordings)
            self._born_utc, self._last_utc = born, latest
            self._is_next_gap_known = not was_set
            self.is_kept = True


def _is_number(value: object) -> TypeGuard[float]:
    """Tell whether a value of a file can be an age or a count."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= MOST
