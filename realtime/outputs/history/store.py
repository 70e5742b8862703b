"""Writes a history: one row an event, from its onset on; one thread.

An event is there as soon as it is told. One that was going on when the program was killed is
found `cut off` at the next start, where it was told of last.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping

    from realtime.outputs.history.sidecar_scan import Found

_UPSERT = """
    INSERT INTO events VALUES (:id, :run, :source, :label, :state, :onset_ms, :offset_ms, :told_ms,
        :onset_t_s, :offset_t_s, :confidence, :reason, :picture, :sound, :picture_alone,
        :sound_alone, :message, :message)
    ON CONFLICT (id) DO UPDATE SET state = :state, label = :label, onset_ms = :onset_ms,
        offset_ms = :offset_ms, told_ms = :told_ms, onset_t_s = :onset_t_s,
        offset_t_s = :offset_t_s, confidence = max(confidence, :confidence), reason = :reason,
        picture = :picture, sound = :sound, picture_alone = :picture_alone,
        sound_alone = :sound_alone, last_message = :message
"""


class HistoryStore:
    """Puts events and recordings into an open history.

    Args:
        connection: See `realtime.outputs.history.schema`; closed by `close`.
        keep_events: Of more the oldest go, but for those that somebody corrected.
    """

    def __init__(self, connection: sqlite3.Connection, keep_events: int) -> None:
        self._connection = connection
        self._keep_events = keep_events

    def end_what_was_cut_off(self) -> int:
        """End events of runs that were killed, where they were told of last; return how many."""
        return self._connection.execute(
            "UPDATE events SET state = 'cut off', offset_ms = told_ms WHERE state = 'running'"
        ).rowcount

    def put(
        self, bodies: Iterable[Mapping[str, Any]], traces: Mapping[str, bytes] | None = None
    ) -> None:
        """Write event messages in one transaction; raises `sqlite3.Error`, and writes none then.

        Args:
            bodies: The messages.
            traces: What events of them rested on, by their ids.
        """
        with self._connection:
            self._connection.execute("BEGIN")
            self._connection.executemany(_UPSERT, [_row(body) for body in bodies])
            if traces:
                self._connection.executemany(
                    "INSERT OR REPLACE INTO traces VALUES (?, ?)", traces.items()
                )

    def note_recordings(self, found: Iterable[Found]) -> None:
        """Write what sidecars say of recordings, in one transaction."""
        with self._connection:
            self._connection.execute("BEGIN")
            for each in found:
                self._connection.execute(
                    "INSERT INTO recordings VALUES (?, ?, ?, ?) ON CONFLICT (sidecar) DO UPDATE "
                    "SET file = excluded.file, state = excluded.state",
                    (each.sidecar, each.file, each.source, each.state),
                )
                self._connection.executemany(
                    "INSERT OR REPLACE INTO recorded VALUES (?, ?, ?)",
                    [(each.sidecar, event, pre_roll_s) for event, pre_roll_s in each.events],
                )

    def recordings(self) -> dict[str, str]:
        """Return the state of each recording that is known, by its sidecar."""
        return dict(self._connection.execute("SELECT sidecar, state FROM recordings"))

    def forget_recordings(self, sidecars: Iterable[str]) -> None:
        """Let recordings go that were deleted, and the events that only they showed.

        What somebody corrected stays: it is what was learned.
        """
        with self._connection:
            self._connection.execute("BEGIN")
            for sidecar in sidecars:
                self._connection.execute(
                    "DELETE FROM events WHERE state != 'running' AND id IN "
                    "(SELECT event FROM recorded WHERE sidecar = ?1) AND id NOT IN "
                    "(SELECT event FROM recorded WHERE sidecar != ?1) AND id NOT IN "
                    "(SELECT event FROM corrections)",
                    (sidecar,),
                )
                self._connection.execute("DELETE FROM recordings WHERE sidecar = ?", (sidecar,))

    def prune(self) -> int:
        """Delete the oldest of too many events; return how many went.

        By number and not by age: a wall clock that leaps would empty it.
        """
        (n_events,) = self._connection.execute("SELECT count(*) FROM events").fetchone()
        n_surplus = n_events - self._keep_events
        if n_surplus <= 0:
            return 0
        return self._connection.execute(
            "DELETE FROM events WHERE rowid IN (SELECT rowid FROM events WHERE state != 'running' "
            "AND id NOT IN (SELECT event FROM corrections) ORDER BY rowid LIMIT ?)",
            (n_surplus,),
        ).rowcount

    def close(self) -> None:
        """Fold the write-ahead log into the file and close it. May be called again."""
        self._connection.close()


def _row(body: Mapping[str, Any]) -> dict[str, object]:
    evidence = body["evidence"] or {}
    alone = evidence.get("alone") or {}
    offset = body["offset"]
    return {
        "id": body["id"],
        "run": body["run"],
        "source": body["source"],
        "label": body["label"],
        "state": "ended" if body["phase"] == "offset" else "running",
        "onset_ms": utc_ms(body["onset"]["utc"]),
        "offset_ms": None if offset is None else utc_ms(offset["utc"]),
        "told_ms": utc_ms(body["sent"]["utc"]),
        "onset_t_s": body["onset"]["t_s"],
        "offset_t_s": None if offset is None else offset["t_s"],
        "confidence": body["confidence"],
        "reason": body.get("reason"),
        "picture": evidence.get("picture"),
        "sound": evidence.get("sound"),
        "picture_alone": alone.get("picture"),
        "sound_alone": alone.get("sound"),
        "message": json.dumps(body, ensure_ascii=False),
    }


def utc_ms(text: str) -> int:
    """Return a message's UTC as milliseconds since 1970."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)
