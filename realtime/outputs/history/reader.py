"""Reads a history, also while it is written: which events, how many, what was said of them."""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from realtime.clock import format_utc
from realtime.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

Verdict = Literal["right", "wrong", "other"]
By = Literal["label", "hour", "source"]

_CLIP = """
    (SELECT {} FROM recorded JOIN recordings USING (sidecar)
     WHERE recorded.event = events.id AND file IS NOT NULL ORDER BY sidecar LIMIT 1)
"""
_LABEL = "coalesce(corrections.label, events.label)"
_COLUMNS = f"""
    events.*, corrections.verdict AS verdict, corrections.label AS corrected,
    {_CLIP.format("file")} AS recording, {_CLIP.format("state")} AS recording_state,
    {_CLIP.format("pre_roll_s")} AS pre_roll_s
"""
_FROM = """
    events LEFT JOIN corrections ON corrections.number =
        (SELECT max(number) FROM corrections AS newest WHERE newest.event = events.id)
"""
_BY: dict[By, str] = {
    "label": "events.label",
    "source": "events.source",
    "hour": "strftime('%Y-%m-%d %H:00', events.onset_ms / 1000, 'unixepoch')",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events; each setting that is given must hold.

    Attributes:
        event: This one alone, by its id.
        labels: One of these, as it was told or as somebody corrected it, in any case.
        sources: One of these streams.
        since_ms: Onset from here on, milliseconds since 1970, UTC.
        until_ms: Onset before this.
        least_confidence: From 0 to 1.
        reviewed: Whether somebody said whether it was right; None for both.
        before: Older than this event, for the next page; its id.
        limit: At most so many, the newest.
    """

    event: str | None = None
    labels: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    least_confidence: float = 0.0
    reviewed: bool | None = None
    before: str | None = None
    limit: int | None = None

    def where(self) -> tuple[str, list[object]]:
        """Return the SQL condition and its values."""
        terms, values = ["events.confidence >= ?"], list[object]([self.least_confidence])
        if self.labels:
            places = ", ".join("?" * len(self.labels))
            terms.append(f"{_LABEL} COLLATE NOCASE IN ({places})")
            values += self.labels
        if self.sources:
            terms.append(f"events.source IN ({', '.join('?' * len(self.sources))})")
            values += self.sources
        for value, term in (
            (self.event, "events.id = ?"),
            (self.since_ms, "events.onset_ms >= ?"),
            (self.until_ms, "events.onset_ms < ?"),
        ):
            if value is not None:
                terms.append(term)
                values.append(value)
        if self.reviewed is not None:
            terms.append(f"corrections.verdict IS {'NOT ' if self.reviewed else ''}NULL")
        if self.before is not None:
            terms.append(
                "(events.onset_ms, events.id) < (SELECT onset_ms, id FROM events WHERE id = ?)"
            )
            values.append(self.before)
        return " AND ".join(terms), values


class HistoryReader:
    """Asks an open history (`realtime.outputs.history.schema.open_to_read`); one thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def events(self, wanted: Wanted) -> Iterator[dict[str, Any]]:
        """Yield events, newest first: the table's columns, and what belongs to them.

        That is `verdict`, `corrected`, `recording` (the clip, relative to the folder of
        recordings), its `recording_state` and `pre_roll_s` (where in the clip the event begins);
        None where there is none.

        Raises:
            OutputError: The file is damaged.
        """
        where, values = wanted.where()
        limit = "" if wanted.limit is None else f"LIMIT {int(wanted.limit)}"
        query = (
            f"SELECT {_COLUMNS} FROM {_FROM} WHERE {where} "
            f"ORDER BY events.onset_ms DESC, events.id DESC {limit}"
        )
        yield from (dict(row) for row in self._run(query, values))

    def counts(self, by: By, wanted: Wanted) -> list[dict[str, Any]]:
        """Return, for each label, hour (UTC) or source, how many events and how sure they were.

        Each has `what`, `events`, `seconds` (together), `confidence` (mean), `right` and `wrong`
        (as far as somebody said; `wrong` includes those that were something else).
        """
        where, values = wanted.where()
        query = (
            f"SELECT {_BY[by]} AS what, count(*) AS events, "
            "coalesce(sum(events.offset_t_s - events.onset_t_s), 0.0) AS seconds, "
            "avg(events.confidence) AS confidence, "
            "count(*) FILTER (WHERE verdict = 'right') AS right, "
            "count(*) FILTER (WHERE verdict IN ('wrong', 'other')) AS wrong "
            f"FROM {_FROM} WHERE {where} GROUP BY what ORDER BY "
            f"{'what' if by == 'hour' else 'events DESC, what'}"
        )
        return [dict(row) for row in self._run(query, values)]

    def n_events(self, wanted: Wanted) -> int:
        """Return how many events there are; raises OutputError."""
        where, values = wanted.where()
        ((n_events,),) = self._run(f"SELECT count(*) FROM {_FROM} WHERE {where}", values)
        return int(n_events)

    def trace(self, event: str) -> bytes | None:
        """Return what an event rested on, packed (`realtime.outputs.explain.event_trace`)."""
        found = next(self._run("SELECT trace FROM traces WHERE event = ?", [event]), None)
        return None if found is None else bytes(found[0])

    def names(self) -> tuple[list[str], list[str]]:
        """Return all labels, as told or corrected, and all streams; raises OutputError."""
        labels = self._run(
            "SELECT label FROM events UNION SELECT label FROM corrections "
            "WHERE label IS NOT NULL ORDER BY label COLLATE NOCASE",
            [],
        )
        sources = self._run("SELECT DISTINCT source FROM events ORDER BY source", [])
        return [label for (label,) in labels], [source for (source,) in sources]

    def spans(self, since_ms: int, until_ms: int, bin_ms: int) -> list[dict[str, Any]]:
        """Return when which label went on, for a time line in bins.

        Args:
            since_ms: Where the first bin begins.
            until_ms: Where the last one ends.
            bin_ms: How long one lasts.

        Returns:
            `label`, as told or corrected, `first` and `last` bin, and so many `events` that lasted
            from the one to the other. What somebody said was wrong is not among them.
        """
        end = "coalesce(events.offset_ms, events.told_ms)"
        query = (
            f"SELECT {_LABEL} AS label, (max(events.onset_ms, ?1) - ?1) / ?3 AS first, "
            f"(min({end}, ?2 - 1) - ?1) / ?3 AS last, count(*) AS events FROM {_FROM} "
            f"WHERE events.onset_ms < ?2 AND {end} >= ?1 AND verdict IS NOT 'wrong' "
            "GROUP BY 1, 2, 3"
        )
        return [dict(row) for row in self._run(query, [since_ms, until_ms, bin_ms])]

    def _run(self, query: str, values: list[object]) -> Iterator[sqlite3.Row]:
        try:
            yield from self._connection.execute(query, values)
        except sqlite3.Error as error:
            raise OutputError(f"the history cannot be read: {error}") from error


def correct(
    connection: sqlite3.Connection, event: str, verdict: Verdict, label: str | None = None
) -> None:
    """Write what somebody said of an event; the newest word counts.

    Args:
        connection: Open to write.
        event: Its id.
        verdict: `right`, `wrong`, or `other` with the label that it was.
        label: With `other` alone.

    Raises:
        UsageError: There is no such event, or verdict and label do not fit.
        OutputError: It cannot be written.
    """
    if (verdict == "other") != bool(label):
        raise UsageError("a label is given where an event was another one, and only there")
    try:
        known = connection.execute("SELECT 1 FROM events WHERE id = ?", (event,)).fetchone()
        if known is None:
            raise UsageError(f"the history has no event {event}")
        connection.execute(
            "INSERT INTO corrections (event, verdict, label, made_ms) VALUES (?, ?, ?, ?)",
            (event, verdict, label, round(time.time() * 1000)),
        )
    except sqlite3.Error as error:
        raise OutputError(f"the history cannot be written: {error}") from error


def take_back(connection: sqlite3.Connection, event: str) -> bool:
    """Take the newest word on an event back; return whether there was one. Raises OutputError."""
    try:
        cursor = connection.execute(
            "DELETE FROM corrections WHERE number = "
            "(SELECT max(number) FROM corrections WHERE event = ?)",
            (event,),
        )
    except sqlite3.Error as error:
        raise OutputError(f"the history cannot be written: {error}") from error
    return cursor.rowcount > 0


def plain(row: dict[str, Any]) -> dict[str, object]:
    """Return an event as it is exported: times as UTC text, evidence as figures."""
    return {
        "id": row["id"],
        "source": row["source"],
        "label": row["label"],
        "state": row["state"],
        "onset": utc_text(row["onset_ms"]),
        "offset": None if row["offset_ms"] is None else utc_text(row["offset_ms"]),
        "onset_t_s": row["onset_t_s"],
        "offset_t_s": row["offset_t_s"],
        "confidence": row["confidence"],
        "reason": row["reason"],
        "picture": row["picture"],
        "sound": row["sound"],
        "picture_alone": row["picture_alone"],
        "sound_alone": row["sound_alone"],
        "recording": row["recording"],
        "verdict": row["verdict"],
        "corrected": row["corrected"],
    }


def messages(row: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the messages of an event's onset and of its end, or of what was told last."""
    return json.loads(row["onset_message"]), json.loads(row["last_message"])


def utc_text(ms: int) -> str:
    """Return milliseconds since 1970 as ISO 8601, UTC."""
    return format_utc(datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=ms))
