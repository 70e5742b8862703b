"""An event message as the typed `Event` of programs."""

from __future__ import annotations

import copy
import dataclasses
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from realtime.event import Event, Guess
from realtime.packets import Phase, Sense

MESSAGES = Path(__file__).parents[2] / "docs" / "reference" / "messages.md"


def documented_event() -> dict[str, Any]:
    """Return the event of docs/reference/messages.md."""
    text = MESSAGES.read_text(encoding="utf-8")
    blocks = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    body = next(each for each in map(json.loads, blocks) if each["type"] == "event")
    assert isinstance(body, dict)
    return body


def test_event_says_what_its_message_says() -> None:
    event = Event.from_message(documented_event())

    assert (event.label, event.source, event.phase) == ("Siren", "front-door", "onset")
    assert event.phase is Phase.ONSET
    assert event.onset_s == 10.25
    assert event.onset_utc == datetime(2026, 1, 2, 3, 4, 15, 250_000, tzinfo=UTC)
    assert (event.offset_s, event.offset_utc, event.duration_s) == (None, None, None)
    assert (event.confidence, event.score) == (0.97, 0.9)
    assert event.top[0] == Guess(label="Siren", probability=0.91)
    assert event.evidence is not None
    assert event.evidence.attention[0] == (0.0417, 0.125)
    assert (event.evidence.picture_alone, event.evidence.sound_alone) == (0.81, 0.62)
    assert event.evidence.strongest_sense is Sense.SOUND
    assert event.senses == (Sense.PICTURE, Sense.SOUND)


def test_offset_has_its_time_and_reason() -> None:
    body = documented_event()
    body.update(phase="offset", duration_s=2.0, reason="quiet")
    body["offset"] = {"t_s": 12.25, "utc": "2026-01-02T03:04:17.250Z"}

    event = Event.from_message(body)

    assert (event.offset_s, event.duration_s, event.reason) == (12.25, 2.0, "quiet")


def test_event_without_a_decision_has_no_evidence() -> None:
    body = documented_event()
    body.update(evidence=None, top=[], senses=[], newest_senses=[])

    event = Event.from_message(body)

    assert event.evidence is None
    assert event.top == ()


def test_event_cannot_be_changed() -> None:
    event = Event.from_message(documented_event())

    with pytest.raises(dataclasses.FrozenInstanceError):
        event.label = "Bark"  # type: ignore[misc]
    assert not hasattr(event, "__dict__")


@pytest.mark.parametrize(
    "field",
    ["label", "phase", "onset", "confidence", "top", "quality", "senses", "window_clips"],
)
@pytest.mark.parametrize("value", [None, 3 + 4j, "nonsense"])
def test_field_of_another_kind_is_a_value_error(field: str, value: object) -> None:
    body = copy.deepcopy(documented_event())
    if field == "label" and value == "nonsense":
        pytest.skip("a text is a label")
    body[field] = value

    with pytest.raises(ValueError, match=r"."):
        Event.from_message(body)


def test_message_of_another_kind_is_no_event() -> None:
    with pytest.raises(ValueError, match="event message is wanted, got the type 'status'"):
        Event.from_message({"type": "status"})
