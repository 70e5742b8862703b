"""What rules ask of an event, out of its message. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

SENSES = ("picture", "sound")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One message of an event.

    Attributes:
        id: The event's.
        source: The stream.
        label: What it is.
        phase: `onset`, `update` or `offset`.
        confidence: Highest score so far, 0 to 1.
        onset: Its begin, UTC.
        duration_s: How long it lasted; None while it goes on.
        alone: What each sense would have said by itself; None of one that was missing.
        took_part: Which senses took part, for messages that have no `alone`.
    """

    id: str
    source: str
    label: str
    phase: str
    confidence: float
    onset: datetime
    duration_s: float | None
    alone: Mapping[str, float | None] | None
    took_part: frozenset[str]

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Fact:
        """Take it out of an event message."""
        alone = (body["evidence"] or {}).get("alone")
        duration_s = body["duration_s"]
        return cls(
            id=str(body["id"]),
            source=str(body["source"]),
            label=str(body["label"]),
            phase=str(body["phase"]),
            confidence=float(body["confidence"]),
            onset=datetime.fromisoformat(body["onset"]["utc"]),
            duration_s=None if duration_s is None else float(duration_s),
            alone=None if alone is None else dict(alone),
            took_part=frozenset(body["senses"]),
        )
