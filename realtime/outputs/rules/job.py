"""What a target is told of one event for which a rule held. Pure, but for the machine's clock."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from realtime.clock import format_utc
from realtime.config.placeholders import begins_with_placeholder, filled
from weights.printable import clean

if TYPE_CHECKING:
    from datetime import datetime

    from realtime.outputs.rules.engine import Verdict

MAX_VALUE = 500  # characters
_LEADING = re.compile(r"^[\W_]+")


@dataclass(slots=True, kw_only=True)
class Job:
    """One thing to tell one target.

    Attributes:
        values: What placeholders stand for; cleaned of what a terminal would obey.
        body: The event's message.
        text: A notification's, filled in.
        picture: JPEG to attach; None for none.
        clip: The recording to attach; None for none.
        n_tries: How often it was tried.
        due_ns: When it is tried next, on the run's clock.
        taken_ns: When the rule held, likewise.
    """

    values: Mapping[str, str]
    body: Mapping[str, Any]
    text: str
    taken_ns: int
    picture: bytes | None = None
    clip: Path | None = None
    n_tries: int = 0
    due_ns: int = field(default=0)

    @classmethod
    def of(cls, verdict: Verdict, body: Mapping[str, Any], local: datetime, taken_ns: int) -> Job:
        """Make it of a verdict and its message; `local` is the onset as the wall shows it."""
        fact = verdict.fact
        values = {
            "label": fact.label,
            "source": fact.source,
            "phase": fact.phase if fact.phase != "update" else "onset",
            "confidence": f"{fact.confidence:.2f}",
            "onset": format_utc(fact.onset),
            "duration": "" if fact.duration_s is None else f"{fact.duration_s:.1f}",
            "time": f"{local:%H:%M:%S}",
            "id": fact.id,
            "rule": verdict.rule.name,
            "profile": verdict.profile,
            "clip": "",
        }
        values = {name: clean(value)[:MAX_VALUE] for name, value in values.items()}
        return cls(
            values=values, body=body, text=filled(verdict.rule.text, values), taken_ns=taken_ns
        )

    def posted(self) -> bytes:
        """Return what `post` sends: the rule, the profile and the event, as JSON."""
        told = {
            "rule": self.values["rule"],
            "profile": self.values["profile"],
            "event": dict(self.body),
        }
        return json.dumps(told, ensure_ascii=False).encode("utf-8", "replace")

    def arguments(self, words: tuple[str, ...]) -> list[str]:
        """Return a command's words, filled in: none that begins with a value can be a flag."""
        return [words[0], *(_word(word, self.values) for word in words[1:])]

    def environment(self) -> dict[str, str]:
        """Return the values as a command's variables, and the message as `MAFNET_EVENT`."""
        named = {f"MAFNET_{name.upper()}": value for name, value in self.values.items()}
        return {**named, "MAFNET_EVENT": json.dumps(dict(self.body), ensure_ascii=True)}


def _word(word: str, values: Mapping[str, str]) -> str:
    """Fill a word in; one that begins with a value loses `-` of a flag and `@` of a file's name."""
    text = filled(word, values)
    return _LEADING.sub("", text) if begins_with_placeholder(word) else text
