"""Event messages as rules get them, and rules to ask."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from realtime.clock import format_utc
from realtime.config import ProfileConfig, RuleConfig, RulesConfig
from realtime.controls import Profiles
from realtime.outputs.rules.engine import RuleEngine, Verdict

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, fold: int = 0) -> datetime:
    """A moment by a clock on a wall in Berlin."""
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN, fold=fold)


def event_body(
    number: int = 1,
    *,
    label: str = "Siren",
    source: str = "hall",
    phase: str = "onset",
    confidence: float = 0.9,
    onset: datetime | None = None,
    duration_s: float | None = None,
    alone: dict[str, float | None] | None = None,
    senses: tuple[str, ...] = ("picture", "sound"),
) -> dict[str, Any]:
    onset = at("2026-11-30 12:00") if onset is None else onset
    ended = phase == "offset"
    lasted = (2.0 if duration_s is None else duration_s) if ended else None
    return {
        "type": "event",
        "id": f"a1b2c3d4-{source}-{number}",
        "phase": phase,
        "source": source,
        "label": label,
        "confidence": confidence,
        "onset": {"t_s": 1.0, "utc": format_utc(onset)},
        "offset": {"t_s": 3.0, "utc": format_utc(onset + timedelta(seconds=lasted))}
        if lasted is not None
        else None,
        "duration_s": lasted,
        "evidence": None if alone is None else {"alone": alone},
        "senses": list(senses),
    }


def make_rule(name: str = "tell", **settings: Any) -> RuleConfig:
    return RuleConfig(**{"name": name, "run": ("true",), **settings})


def make_config(*rules: RuleConfig, profiles: tuple[ProfileConfig, ...] = ()) -> RulesConfig:
    return RulesConfig(time_zone="Europe/Berlin", rules=rules, profiles=profiles)


class Scene:
    """Rules that are told events."""

    def __init__(self, *rules: RuleConfig, profiles: tuple[ProfileConfig, ...] = ()) -> None:
        config = make_config(*rules, profiles=profiles)
        self.profiles = Profiles(config)
        self.engine = RuleEngine(config, self.profiles)

    def take(self, *args: Any, **settings: Any) -> list[Verdict]:
        return list(self.engine.take(event_body(*args, **settings)))

    def held(self, *args: Any, **settings: Any) -> bool:
        """Whether a single rule held for a new event."""
        (verdict,) = self.take(*args, **settings)
        return not verdict.why_not
