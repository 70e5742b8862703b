"""The history as an output of a run: takes event messages, in a thread of its own.

A full disk or a locked file is one warning; what cannot be written waits in memory, bounded, and
is written when it can be. Recognition never ends for it.
"""

from __future__ import annotations

import logging
import os
import sqlite3
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime.clock import NS_PER_S, Clock
from realtime.errors import OutputError
from realtime.outputs.file_lock import try_lock
from realtime.outputs.history.schema import open_to_write
from realtime.outputs.history.sidecar_scan import SidecarScan
from realtime.outputs.history.store import HistoryStore
from realtime.outputs.private_files import open_private

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from realtime.config import HistoryConfig
    from realtime.outputs.wire import Message
    from realtime.stats import Stats

logger = logging.getLogger(__name__)

MAX_WAITING = 10_000  # messages
MAX_WAITING_TRACES = 1000  # 2 kB each
UPDATE_NS = 5 * NS_PER_S  # a running event's row is brought up to date so often
SCAN_NS = 5 * NS_PER_S
RETRY_NS = 5 * NS_PER_S
PRUNE_EVERY = 100  # events


class History:
    """Writes events into a database; see `realtime.outputs.output.Output`.

    Args:
        config: Where, and how many are kept.
        recordings: The folder that is recorded to; None where nothing is.
        clock: The run's clock.
        stats: Counts `history_failures` and `lost_history_messages`.
        trace_of: Returns what an event that ended rested on, by its last message.
    """

    name = "history"
    kinds = ("event",)

    def __init__(
        self,
        config: HistoryConfig,
        recordings: Path | None,
        clock: Clock,
        stats: Stats,
        trace_of: Callable[[Mapping[str, Any]], bytes | None] = lambda body: None,
    ) -> None:
        self._path = Path(config.file)
        self._keep_events = config.keep_events
        self._clock = clock
        self._stats = stats
        self._scan = None if recordings is None else SidecarScan(recordings)
        self._scanned_ns = 0
        self._store: HistoryStore | None = None
        self._lock: int | None = None
        self._trace_of = trace_of
        self._waiting: deque[dict[str, Any]] = deque()
        self._traces: dict[str, bytes] = {}  # of events that wait
        self._written_ns: dict[str, int] = {}  # running events, and when their rows were written
        self._n_ended = 0
        self._fault = ""
        self._retry_ns = 0

    def open(self) -> None:
        """Open the file, and end what an earlier run left.

        Raises:
            OutputError: It cannot be used, or another run writes to it.
        """
        connection = open_to_write(self._path)
        try:
            self._lock = open_private(
                self._path.with_name(f"{self._path.name}.lock"), os.O_RDWR | os.O_CREAT
            )
            if not try_lock(self._lock):
                raise OutputError(
                    f"another run writes to the history {self._path}; name another file"
                )
            self._store = HistoryStore(connection, self._keep_events)
            n_cut_off = self._store.end_what_was_cut_off()
        except (OSError, sqlite3.Error) as error:
            connection.close()
            self._unlock()
            raise OutputError(f"the history {self._path} cannot be written: {error}") from error
        except BaseException:
            connection.close()
            self._unlock()
            raise
        if n_cut_off:
            logger.info("%s: %d events were cut off by an earlier end", self._path, n_cut_off)

    def write(self, message: Message) -> None:
        """Take one message."""
        self._take(dict(message.body), self._clock.now_ns())

    def tick(self) -> None:
        """Write what waits, and look for recordings now and then."""
        now_ns = self._clock.now_ns()
        if self._waiting and now_ns >= self._retry_ns:
            self._flush(now_ns)
        if self._scan is not None and now_ns - self._scanned_ns >= SCAN_NS and not self._fault:
            self._look_for_recordings(now_ns)

    def close(self) -> None:
        """Write what waits. May be called again.

        Where there are recordings the file stays open for `conclude`: the last clips end later.
        """
        if self._store is not None and self._waiting:
            self._flush(self._clock.now_ns())
        if self._scan is None:
            self._let_go()

    def conclude(self) -> None:
        """Look for the recordings that were finished last, and let go. May be called again."""
        self._look_for_recordings(self._clock.now_ns())
        self._let_go()

    def _let_go(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None
        self._unlock()

    def _take(self, body: dict[str, Any], now_ns: int) -> None:
        key, phase = str(body["id"]), body["phase"]
        written_ns = self._written_ns.get(key)
        if phase == "update" and written_ns is not None and now_ns - written_ns < UPDATE_NS:
            return
        if phase == "offset":
            self._written_ns.pop(key, None)
            self._n_ended += 1
            trace = self._trace_of(body)
            if trace is not None and len(self._traces) < MAX_WAITING_TRACES:
                self._traces[key] = trace
        else:
            self._written_ns[key] = now_ns
        if len(self._waiting) >= MAX_WAITING:
            self._waiting.popleft()
            self._stats.count("lost_history_messages")
        self._waiting.append(body)

    def _flush(self, now_ns: int) -> None:
        if self._store is None:
            return
        try:
            ids = {body["id"] for body in self._waiting}  # of what was lost there is no row
            traces = {key: trace for key, trace in self._traces.items() if key in ids}
            self._store.put(self._waiting, traces)
            self._waiting.clear()
            self._traces.clear()
            if self._n_ended >= PRUNE_EVERY:
                self._n_ended = 0
                self._store.prune()
        except sqlite3.Error as error:
            self._fail(error, now_ns)
        else:
            self._go_on()

    def _look_for_recordings(self, now_ns: int) -> None:
        if self._scan is None or self._store is None:
            return
        self._scanned_ns = now_ns
        try:
            found, gone = self._scan.news(self._store.recordings())
            if found:
                self._store.note_recordings(found)
            if gone:
                self._store.forget_recordings(gone)
        except sqlite3.Error as error:
            self._fail(error, now_ns)

    def _fail(self, error: sqlite3.Error, now_ns: int) -> None:
        self._stats.count("history_failures")
        self._retry_ns = now_ns + RETRY_NS
        if not self._fault:
            self._fault = str(error)
            logger.warning(
                "the history %s cannot be written: %s; what happens waits in memory, and "
                "recognition goes on",
                self._path,
                error,
                extra={"subject": "history"},
            )

    def _go_on(self) -> None:
        if self._fault:
            self._fault = ""
            logger.info("the history %s is written again", self._path, extra={"subject": "history"})

    def _unlock(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)
