"""An event as programs get it: what its message says, typed and frozen. Pure; the standard library.

`recognize`, `Recognizer` and `Subscriber` hand out the same `Event`, because all three read the
message that goes over the wire (`realtime.outputs.wire`); docs/reference/messages.md explains the
fields. The tracker's own packet is `realtime.packets.Event`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from realtime.packets import Phase, Sense

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """One of the likeliest labels at the moment of a message, and how likely it was, 0 to 1."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a decision rests on; see docs/reference/messages.md, `evidence`.

    Attributes:
        attention: Share of picture and sound for each second of the window, oldest first; all
            sum to 1.
        clip_end_s: When each of these seconds ends, stream seconds.
        picture: The picture's share over the whole window, 0 to 1.
        sound: The sound's.
        strongest_s: End of the second with the greatest single share.
        strongest_sense: Whose share that is.
        strongest_share: How great it is.
        picture_alone: The event's score by the picture alone, where somebody asked; else None.
        sound_alone: Likewise by the sound.
    """

    attention: tuple[tuple[float, float], ...]
    clip_end_s: tuple[float, ...]
    picture: float
    sound: float
    strongest_s: float
    strongest_sense: Sense
    strongest_share: float
    picture_alone: float | None
    sound_alone: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One message in an event's life: its onset, an update of it, or its offset.

    Attributes:
        id: The same from onset to offset, and no other event's.
        source: The stream's name.
        label: One of the bundle's.
        phase: `onset`, `update` or `offset`; a `StrEnum`, so that it equals its text.
        onset_s: When it began, stream seconds; for a file its presentation time.
        onset_utc: The same moment in UTC.
        offset_s: When it ended; None while it goes on.
        offset_utc: The same moment in UTC.
        duration_s: From onset to offset; None while it goes on.
        confidence: Its highest score so far, 0 to 1.
        score: Its score at this moment, 0 to 1.
        reason: Why it ended: `quiet`, `stream ended`, `paused`, `finer`, `sense gone`,
            `recognizer lost` or `no data`.
        top: The likeliest labels at this moment, likeliest first.
        evidence: Which seconds and senses decided; None where no decision was taken.
        senses: The senses that the window had.
        newest_senses: The senses that its newest second had.
        window_clips: Seconds in the window.
        short_window: Whether these are fewer than asked for, as at a stream's beginning.
        latency_ms: From the newest sample used to the message; None where a file is read.
        av_skew_ms: How far the pictures lie behind the sound; None unless both are there.
        dropped_frames: Frames that the stream has lost so far.
        audio_gap_samples: Samples that it has lost so far, at 16 kHz.
    """

    id: str
    source: str
    label: str
    phase: Phase
    onset_s: float
    onset_utc: datetime
    offset_s: float | None
    offset_utc: datetime | None
    duration_s: float | None
    confidence: float
    score: float
    reason: str | None
    top: tuple[Guess, ...]
    evidence: Evidence | None
    senses: tuple[Sense, ...]
    newest_senses: tuple[Sense, ...]
    window_clips: int
    short_window: bool
    latency_ms: float | None
    av_skew_ms: float | None
    dropped_frames: int
    audio_gap_samples: int

    @classmethod
    def from_message(cls, body: Mapping[str, object]) -> Event:
        """Read the body of an event message, as `Subscriber` hands it out.

        Raises:
            ValueError: It is no event message, or a field is missing or of another kind.
        """
        if body.get("type") != "event":
            raise ValueError(f"an event message is wanted, got the type {body.get('type')!r}")
        onset, offset = _table(body, "onset"), _maybe_table(body, "offset")
        quality, evidence = _table(body, "quality"), _maybe_table(body, "evidence")
        return cls(
            id=_text(body, "id"),
            source=_text(body, "source"),
            label=_text(body, "label"),
            phase=Phase(_text(body, "phase")),
            onset_s=_number(onset, "t_s"),
            onset_utc=_moment(onset),
            offset_s=None if offset is None else _number(offset, "t_s"),
            offset_utc=None if offset is None else _moment(offset),
            duration_s=_maybe_number(body, "duration_s"),
            confidence=_number(body, "confidence"),
            score=_number(body, "score"),
            reason=None if body.get("reason") is None else _text(body, "reason"),
            top=tuple(
                Guess(label=_text(each, "label"), probability=_number(each, "probability"))
                for each in map(_as_table, _list(body, "top"))
            ),
            evidence=None if evidence is None else _evidence(evidence),
            senses=tuple(Sense(str(each)) for each in _list(body, "senses")),
            newest_senses=tuple(Sense(str(each)) for each in _list(body, "newest_senses")),
            window_clips=_take(body, "window_clips", int),
            short_window=_take(body, "short_window", bool),
            latency_ms=_maybe_number(quality, "latency_ms"),
            av_skew_ms=_maybe_number(quality, "av_skew_ms"),
            dropped_frames=_take(quality, "dropped_frames", int),
            audio_gap_samples=_take(quality, "audio_gap_samples", int),
        )


def _evidence(table: Mapping[str, object]) -> Evidence:
    strongest, alone = _table(table, "strongest"), _maybe_table(table, "alone") or {}
    attention = []
    for row in _list(table, "attention"):
        if not isinstance(row, list) or len(row) != len(Sense):
            raise ValueError(f"attention wants a pair a second, got {row!r}")
        attention.append((_as_number(row[0], "attention"), _as_number(row[1], "attention")))
    return Evidence(
        attention=tuple(attention),
        clip_end_s=tuple(_as_number(each, "clip_end_t_s") for each in _list(table, "clip_end_t_s")),
        picture=_number(table, "picture"),
        sound=_number(table, "sound"),
        strongest_s=_number(strongest, "clip_end_t_s"),
        strongest_sense=Sense(_text(strongest, "sense")),
        strongest_share=_number(strongest, "share"),
        picture_alone=_maybe_number(alone, "picture"),
        sound_alone=_maybe_number(alone, "sound"),
    )


def _take(table: Mapping[str, object], key: str, kind: type[_Value]) -> _Value:
    value = table.get(key)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"an event's field {key!r} must be {kind.__name__}, got {value!r}")
    return value


def _text(table: Mapping[str, object], key: str) -> str:
    return _take(table, key, str)


def _list(table: Mapping[str, object], key: str) -> list[object]:
    return _take(table, key, list)


def _as_table(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"an object is wanted, got {value!r}")
    return value


def _table(table: Mapping[str, object], key: str) -> Mapping[str, object]:
    return _take(table, key, dict)


def _maybe_table(table: Mapping[str, object], key: str) -> Mapping[str, object] | None:
    return None if table.get(key) is None else _table(table, key)


def _as_number(value: object, key: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"an event's field {key!r} must be a number, got {value!r}")
    return float(value)


def _number(table: Mapping[str, object], key: str) -> float:
    return _as_number(table.get(key), key)


def _maybe_number(table: Mapping[str, object], key: str) -> float | None:
    return None if table.get(key) is None else _number(table, key)


def _moment(table: Mapping[str, object]) -> datetime:
    return datetime.fromisoformat(_text(table, "utc"))
