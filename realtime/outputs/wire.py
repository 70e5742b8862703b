"""Packets to messages: what subscribers and `--log-json` get. Pure: no socket, no thread.

`docs/reference/messages.md` explains the messages and `realtime/message.schema.json` describes
them; a test holds this module to the schema. Numbers are rounded here, once: times to 0.1 ms,
probabilities and shares to 4 digits. JSON has no NaN; a probability that is not finite is refused
while the culprit is still on the stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from realtime.packets import GRID_HZ, SenseStatus
from realtime.stats import Damage
from weights.printable import json_text

VERSION = 1  # raised when a client that knows the old form would misread the new one


@dataclass(frozen=True, slots=True)
class Message:
    """A topic and a JSON object; nobody writes to `body` after it was made."""

    topic: str
    body: dict[str, object]

    def payload(self) -> bytes:
        """Return the body as compact UTF-8 JSON; raises ValueError for NaN or infinity."""
        return json_text(self.body).encode()

    def as_replay(self) -> Message:
        """Return the same message marked as sent again: same numbers, `"replay": true`."""
        return Message(self.topic, {**self.body, "replay": True})


class StreamState(StrEnum):
    """How a whole stream is doing."""

    STARTING = "starting"
    RUNNING = "running"
    ENDED = "ended"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """What the stream has lost since the run began."""

    dropped_frames: int = 0
    audio_gap_samples: int = 0

    @classmethod
    def of(cls, counts: Mapping[str, int]) -> Quality:
        """Take the losses out of a stream's counters."""
        return cls(
            dropped_frames=counts.get("dropped_frames", 0),
            audio_gap_samples=counts.get("audio_gap_samples", 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamStatus:
    """Everything that a client needs to read a stream's messages.

    Attributes:
        state: How the stream is doing.
        senses: One entry a sense; a sense that is not named is published as absent.
        bundle: Name of the bundle, with `bundle_version`.
        labels: All labels that it can name, in its order.
        background: The label that is no event, or None.
        hop_s: Time between decisions now.
        window_clips: T, the full window.
        device: `cpu`, `cuda`, …; `backend` is what runs the trunks there.
        detail: One sentence, such as why it failed.
        grid_hz: Pictures a second that are computed now, at most.
        lag_s: By how much it lags behind a source that delivers in lumps; 0 for a smooth one.
        damage: What of its source came broken or not at all.
    """

    state: StreamState
    senses: tuple[SenseStatus, ...]
    bundle: str
    bundle_version: str
    labels: tuple[str, ...]
    background: str | None
    hop_s: float
    window_clips: int
    device: str
    backend: str
    detail: str = ""
    grid_hz: int = GRID_HZ
    lag_s: float = 0.0
    damage: Damage = field(default_factory=Damage)
