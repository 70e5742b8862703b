"""What keeps a stream from being recorded, or its events from being logged: told once, tried again.

The two are apart: a log that cannot be written stops no recording.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from realtime.clock import NS_PER_S, Clock
from realtime.outputs.base import RECORDING_STOPPED
from realtime.outputs.recording.fault import advice_on, reason_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from realtime.errors import OutputError
    from realtime.stats import Stats

logger = logging.getLogger(__name__)

RETRY_NS = 5 * NS_PER_S  # between tries to record again


class RecordTrouble:
    """Keeps and tells what is wrong; the `record` thread's, except `fault`.

    Args:
        source: The stream's name, for the log.
        directory: The folder, for advice.
        clock: The run's clock.
        stats: Counts `record_failures` and `event_log_failures`.
        remark: Called with one sentence when something goes wrong, and with "" when nothing is.
    """

    def __init__(
        self,
        source: str,
        directory: str,
        clock: Clock,
        stats: Stats,
        remark: Callable[[str], None],
    ) -> None:
        self._source = source
        self._directory = directory
        self._clock = clock
        self._stats = stats
        self._remark = remark
        self._stopped = self._unlogged = ""
        self._retry_ns = self._log_again_ns = 0

    @property
    def fault(self) -> str:
        """What is wrong now, in one sentence; empty for nothing. Any thread."""
        return "; ".join(filter(None, (self._stopped, self._unlogged)))

    @property
    def stopped(self) -> str:
        """Why nothing is recorded; empty where something can be."""
        return self._stopped

    def is_waiting(self) -> bool:
        """Return whether it is too early to try again."""
        return bool(self._stopped) and self._clock.now_ns() < self._retry_ns

    def stop(self, error: OSError | OutputError | None) -> None:
        """Say that nothing can be recorded; None for a disk below its reserve."""
        if error is not None:
            self._stats.count("record_failures")
        self._retry_ns = self._clock.now_ns() + RETRY_NS
        if self._stopped:
            return
        why = "the disk is almost full" if error is None else reason_of(error)
        self._stopped = f"{RECORDING_STOPPED}: {why}"
        advice = advice_on(error, self._directory, RETRY_NS // NS_PER_S)
        subject = self._subject("recording")
        logger.warning("%s: %s; %s", self._source, self._stopped, advice, extra=subject)
        self._remark(self.fault)

    def go_on(self) -> None:
        """Say that recording is possible again."""
        if self._stopped:
            self._stopped = ""
            said = "%s: there is room again: recording goes on"
            logger.info(said, self._source, extra=self._subject("recording"))
            self._remark(self.fault)

    def may_log_again(self) -> bool:
        """Return whether to try what could not be logged again."""
        return bool(self._unlogged) and self._clock.now_ns() >= self._log_again_ns

    def cannot_log(self, error: OSError | OutputError) -> None:
        """Say that an event could not be logged; it waits in memory."""
        self._stats.count("event_log_failures")
        self._log_again_ns = self._clock.now_ns() + RETRY_NS
        if not self._unlogged:
            self._unlogged = f"events are not logged: {reason_of(error)}"
            logger.warning(
                "%s: %s; recording goes on, and the log when it can be written",
                self._source,
                self._unlogged,
                extra=self._subject("event log"),
            )
            if not self._stopped:  # one thing at a time: most often it is the same
                self._remark(self.fault)

    def logs(self) -> None:
        """Say that all events are logged."""
        if self._unlogged:
            self._unlogged = ""
            subject = self._subject("event log")
            logger.info("%s: events are logged again", self._source, extra=subject)
            if not self._stopped:
                self._remark(self.fault)

    def forget(self) -> None:
        """Nothing is to be recorded any more."""
        self._stopped = self._unlogged = ""

    def _subject(self, what: str) -> dict[str, str]:
        """For `extra=`: the newest log record of a subject says how it stands."""
        return {"subject": f"{self._source} {what}"}
