"""What a broker may switch, and what it is told of it: topics, payloads, discovery.

Under a base topic (`mafnet`); what ends in `set` is a command, all else is told and retained:

- `mafnet/SOURCE/pause`, `…/pause/set`: `ON` while the source tells and records nothing;
- `mafnet/SOURCE/recording`, `…/recording/set`: `ON` while its events are recorded;
- `mafnet/SOURCE/sound_level`: dB relative to full scale;
- `mafnet/profile`, `mafnet/profile/set`: the profile that was chosen, or `auto`;
- `mafnet/profile/now`: the profile that holds.

A retained command is not obeyed: it would be given again at each connection.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from realtime.config.rules import AUTOMATIC
from realtime.errors import OutputError, UsageError
from realtime.outputs.mqtt.topics import OFF, ON, Said, Topics
from weights.printable import clean

if TYPE_CHECKING:
    from realtime.controls import Controls

logger = logging.getLogger(__name__)

MAX_PAYLOAD = 100  # bytes of a command
_SET = "set"


class Switches:
    """Names switches, obeys them and says how they stand; any thread may call any method.

    Args:
        topics: Names of one program.
        controls: What is switched.
        control: Whether the broker may switch anything.
        records: Whether anything is recorded.
        has_rules: Whether there are profiles to choose.
        now: Returns the wall clock's time, aware.
    """

    def __init__(
        self,
        topics: Topics,
        controls: Controls,
        *,
        control: bool,
        records: bool,
        has_rules: bool,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._topics = topics
        self._controls = controls
        self._has_rules = has_rules
        self._now = now
        self._kinds: tuple[str, ...] = ("pause", "recording") if records else ("pause",)
        if not control:
            self._kinds = ()
        self._control = control
        self._commands: dict[str, Callable[[str], None]] = {}
        for source in controls.sources:
            for kind in self._kinds:
                self._commands[f"{topics.of(source, kind)}/{_SET}"] = self._switch(source, kind)
        if has_rules and control:
            self._commands[f"{topics.profile}/{_SET}"] = controls.profiles.choose

    @property
    def command_topics(self) -> tuple[str, ...]:
        """Where commands come from."""
        return tuple(self._commands)

    def obey(self, topic: str, payload: bytes) -> bool:
        """Do what a command says; return whether it was one of ours and understood."""
        command = self._commands.get(topic)
        if command is None:
            return False
        word = payload[:MAX_PAYLOAD].decode("utf-8", "replace").strip()
        try:
            command(word)
        except OutputError as error:  # obeyed, and not kept over a restart
            logger.warning("%s: %s", topic, clean(str(error)), extra={"subject": "mqtt"})
        except UsageError as error:
            logger.warning("%s: %s", topic, clean(str(error)), extra={"subject": "mqtt"})
            return False
        return True

    def states(self) -> Iterator[Said]:
        """Yield how all switches stand."""
        for source in self._controls.sources:
            for kind in self._kinds:
                is_on = (
                    self._controls.is_paused(source)
                    if kind == "pause"
                    else self._controls.records(source)
                )
                yield Said(self._topics.of(source, kind), ON if is_on else OFF)
        if self._has_rules:
            profiles = self._controls.profiles
            if self._control:
                yield Said(self._topics.profile, profiles.chosen)
            yield Said(f"{self._topics.profile}/now", profiles.at(self._now()))

    def level(self, source: str, level_db: float) -> Said | None:
        """Return a source's sound level; None while it is paused, for it tells of the room."""
        if self._controls.is_paused(source):
            return None
        return Said(self._topics.of(source, "sound_level"), f"{level_db:.1f}")

    def source_entities(self, source: str, *, has_level: bool) -> Iterator[Said]:
        """Yield the discovery of a source's switches and, where it is told, of its sound level."""
        icons = {"pause": "mdi:pause-circle", "recording": "mdi:record-rec"}
        for kind in self._kinds:
            state = self._topics.of(source, kind)
            yield from self._topics.entity(
                "switch",
                source,
                kind,
                {
                    "name": kind.capitalize(),
                    "state_topic": state,
                    "command_topic": f"{state}/{_SET}",
                    "payload_on": ON,
                    "payload_off": OFF,
                    "icon": icons[kind],
                },
            )
        if not has_level:
            return
        yield from self._topics.entity(
            "sensor",
            source,
            "sound_level",
            {
                "name": "Sound level",
                "state_topic": self._topics.of(source, "sound_level"),
                "unit_of_measurement": "dBFS",
                "state_class": "measurement",
                "icon": "mdi:volume-high",
            },
        )

    def run_entities(self) -> Iterator[Said]:
        """Yield the discovery of what belongs to no source: the profiles."""
        if not self._has_rules:
            return
        topic = self._topics.profile
        if self._control:
            yield from self._topics.entity(
                "select",
                None,
                "profile",
                {
                    "name": "Profile",
                    "state_topic": topic,
                    "command_topic": f"{topic}/{_SET}",
                    "options": [*self._controls.profiles.names, AUTOMATIC],
                    "icon": "mdi:home-clock",
                },
            )
        yield from self._topics.entity(
            "sensor",
            None,
            "profile_now",
            {"name": "Profile now", "state_topic": f"{topic}/now", "icon": "mdi:home"},
        )

    def _switch(self, source: str, kind: str) -> Callable[[str], None]:
        act = self._controls.pause if kind == "pause" else self._controls.record

        def switch(word: str) -> None:
            if word.upper() not in (ON, OFF):
                raise UsageError(f"a switch is {ON} or {OFF}, got {word[:20]!r}")
            act(source, word.upper() == ON)

        return switch


def is_level_news(level_db: float, told_db: float | None) -> bool:
    """Return whether a level differs enough to be told, by a decibel."""
    return told_db is None or abs(level_db - told_db) >= 1.0
