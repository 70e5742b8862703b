"""What happened, for the page: asked of the history, off the web thread's loop.

SQLite and the disk are waited for in two threads of their own, so that neither the live page nor
recognition waits. A clip is found by its event, through the history, and only in the folder of
recordings: no request names a file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from realtime.errors import UsageError
from realtime.outputs.history.reader import (
    HistoryReader,
    Verdict,
    Wanted,
    correct,
    plain,
    take_back,
)
from realtime.outputs.history.schema import open_to_read, open_to_write
from realtime.outputs.history.sidecar_scan import UNFINISHED
from realtime.web.explained import Explained
from weights.files import inside

N_THREADS = 2
CLIP_SUFFIX = ".mp4"
DAY_MS = 86_400_000
BIN_MS = 900_000  # of a time line: a quarter of an hour
N_BINS = DAY_MS // BIN_MS
_Value = TypeVar("_Value")


class Past:
    """Asks one history; its methods are awaited in the web thread.

    Args:
        history: The database; made by the run.
        recordings: The folder that clips lie in; None where nothing is recorded.
    """

    def __init__(self, history: Path, recordings: Path | None) -> None:
        self._history = history
        self._recordings = recordings
        self._threads = ThreadPoolExecutor(N_THREADS, "web-history")
        self._explained = Explained()

    async def page(self, wanted: Wanted) -> dict[str, object]:
        """Return a page of events, newest first, and how many there are beyond it.

        Raises:
            OutputError: The history cannot be read; likewise of all that follow.
        """

        def ask(reader: HistoryReader) -> dict[str, object]:
            rows = [self._event(row) for row in reader.events(wanted)]
            return {"events": rows, "total": reader.n_events(wanted)}

        return await self._ask(ask)

    async def event(self, event: str) -> dict[str, object] | None:
        """Return one event; None where there is none of this id."""
        row = await self._row(event)
        return None if row is None else self._event(row)

    async def clip(self, event: str) -> Path | None:
        """Return an event's clip; None where it has none, or none that is finished."""
        row = await self._row(event)
        if row is None or row["recording"] is None or self._recordings is None:
            return None
        path = inside(self._recordings, row["recording"])
        is_clip = path is not None and path.suffix == CLIP_SUFFIX and not path.is_symlink()
        return path if is_clip and path is not None and path.is_file() else None

    async def explanation(self, event: str, film_address: str) -> dict[str, object] | None:
        """Return why an event was told, for the view; None where there is no such event."""
        row = await self._row(event)
        if row is None:
            return None
        trace = await self._ask(lambda reader: reader.trace(event))
        clip = await self.clip(event)
        return await self._explained.told(row, trace, clip, film_address)

    async def film(self, event: str) -> bytes | None:
        """Return the strip of pictures of an event's clip, JPEG; None where there is none."""
        row = await self._row(event)
        clip = await self.clip(event)
        return None if row is None or clip is None else await self._explained.film(row, clip)

    async def names(self) -> tuple[list[str], list[str]]:
        """Return all labels and all streams that the history has."""
        return await self._ask(lambda reader: reader.names())

    async def time_line(self, until_ms: int) -> dict[str, object]:
        """Return the day that ends at `until_ms`, each label with its number of events a bin."""
        since_ms = until_ms - DAY_MS

        def ask(reader: HistoryReader) -> dict[str, object]:
            labels: dict[str, list[int]] = {}
            events: dict[str, int] = {}
            for span in reader.spans(since_ms, until_ms, BIN_MS):
                bins = labels.setdefault(span["label"], [0] * N_BINS)
                events[span["label"]] = events.get(span["label"], 0) + span["events"]
                for place in range(span["first"], span["last"] + 1):
                    bins[place] += span["events"]
            rows = [
                {"label": label, "events": events[label], "bins": bins}
                for label, bins in sorted(labels.items(), key=lambda item: -events[item[0]])
            ]
            return {"since_ms": since_ms, "until_ms": until_ms, "bin_ms": BIN_MS, "labels": rows}

        return await self._ask(ask)

    async def say(self, event: str, verdict: Verdict, label: str | None) -> None:
        """Write what somebody said of an event; raises UsageError where there is no such event."""

        def write() -> None:
            with closing(open_to_write(self._history)) as connection:
                correct(connection, event, verdict, label)

        await self._write(event, write)

    async def take_back(self, event: str) -> bool:
        """Take the newest word on an event back; return whether there was one."""

        def write() -> bool:
            with closing(open_to_write(self._history)) as connection:
                return take_back(connection, event)

        return await self._write(event, write)

    def close(self) -> None:
        """Wait for nobody and take no more questions."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._explained.close()

    async def _row(self, event: str) -> dict[str, Any] | None:
        return await self._ask(
            lambda reader: next(iter(list(reader.events(Wanted(event=event, limit=1)))), None)
        )

    async def _write(self, event: str, write: Callable[[], _Value]) -> _Value:
        if await self._row(event) is None:  # also: a history that is gone is not made anew
            raise UsageError(f"the history has no event {event}")
        return await self._run(write)

    async def _ask(self, question: Callable[[HistoryReader], _Value]) -> _Value:
        def ask() -> _Value:
            with closing(open_to_read(self._history)) as connection:
                return question(HistoryReader(connection))

        return await self._run(ask)

    async def _run(self, work: Callable[[], _Value]) -> _Value:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _event(self, row: dict[str, Any]) -> dict[str, object]:
        told = {name: value for name, value in plain(row).items() if name != "recording"}
        is_recorded = row["recording"] is not None and self._recordings is not None
        is_recording = is_recorded and row["recording_state"] == UNFINISHED
        return {
            **told,
            "onset_ms": row["onset_ms"],
            "offset_ms": row["offset_ms"],
            "has_clip": is_recorded and not is_recording,
            "is_recording": is_recording,
            "pre_roll_s": row["pre_roll_s"],
        }
