"""What is said to a broker, as topics and payloads. Pure.

Under a base topic (`mafnet`):

- `mafnet/status`: `online`, or `offline` by the last will;
- `mafnet/SOURCE/available`: `online` while the stream runs and has a sense;
- `mafnet/SOURCE/picture`, `…/sound`: the state of each sense;
- `mafnet/SOURCE/label/LABEL`: `ON` while an event of it goes on, else `OFF`, with `…/attributes`;
- `mafnet/SOURCE/event`: each onset and offset, as on the event socket. All others are retained.

Home Assistant's discovery (https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery) makes a
device of each source, with a binary sensor a label and a sensor a sense. What can be switched is in
`switches` beside this.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ONLINE, OFFLINE = "online", "offline"
ON, OFF = "ON", "OFF"
SENSES = ("picture", "sound")
ICONS = {"picture": "mdi:cctv", "sound": "mdi:microphone"}
MAX_SLUG = 64
_SHOWN = ("confidence", "onset", "offset", "duration_s", "reason", "evidence", "id")


class Said(NamedTuple):
    """A topic and what is said under it."""

    topic: str
    payload: str


def slug(text: str) -> str:
    """Return what of a name may stand in a topic and an id.

    Names stay different that differ in more than case.
    """
    plain = re.sub("[^a-z0-9]+", "_", text.lower()).strip("_")
    if plain == text.lower() and 0 < len(plain) <= MAX_SLUG:
        return plain
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{plain[:MAX_SLUG]}_{digest}" if plain else digest


class Topics:
    """Names and payloads of one program.

    Args:
        base: The base topic.
        discovery: Home Assistant's prefix; None for no discovery.
        version: The program's, for discovery.
    """

    def __init__(self, base: str, discovery: str | None, version: str) -> None:
        self._base = base
        self._discovery = discovery
        self._version = version

    @property
    def status(self) -> str:
        """Topic of the program's own availability, where the last will is said."""
        return f"{self._base}/status"

    @property
    def birth(self) -> str | None:
        """Topic by which Home Assistant says that it has started; None without discovery."""
        return None if self._discovery is None else f"{self._discovery}/status"

    def event(self, body: Mapping[str, Any]) -> Said:
        """Return an event message; not retained."""
        payload = json.dumps(body, ensure_ascii=False)
        return Said(f"{self._base}/{slug(body['source'])}/event", payload)

    def label(self, source: str, label: str) -> str:
        """Topic of a label's state."""
        return f"{self._base}/{slug(source)}/label/{slug(label)}"

    def label_states(self, body: Mapping[str, Any], running: bool) -> Iterator[Said]:
        """Yield a label's state and its last event's evidence."""
        topic = self.label(body["source"], body["label"])
        shown = {name: body[name] for name in _SHOWN if body.get(name) is not None}
        yield Said(f"{topic}/attributes", json.dumps(shown, ensure_ascii=False))
        yield Said(topic, ON if running else OFF)

    def stream(self, body: Mapping[str, Any]) -> Iterator[Said]:
        """Yield what a status message says of a stream: availability, and each sense."""
        source = f"{self._base}/{slug(body['source'])}"
        states = {sense: str(body["senses"][sense]["state"]) for sense in SENSES}
        gone = all(state in ("absent", "lost", "ended") for state in states.values())
        is_there = body["state"] in ("starting", "running") and not gone
        yield Said(f"{source}/available", ONLINE if is_there else OFFLINE)
        for sense, state in states.items():
            yield Said(f"{source}/{sense}", state)

    def of(self, source: str, what: str) -> str:
        """Topic of something of a source."""
        return f"{self._base}/{slug(source)}/{what}"

    @property
    def profile(self) -> str:
        """Topic of the run's profile."""
        return f"{self._base}/profile"

    def devices(self, source: str, labels: Sequence[str]) -> Iterator[Said]:
        """Yield the discovery of a source's device: retained, and said again when asked for."""
        for label in labels:
            state = self.label(source, label)
            yield from self.entity(
                "binary_sensor",
                source,
                slug(label),
                {
                    "name": label,
                    "state_topic": state,
                    "json_attributes_topic": f"{state}/attributes",
                    "payload_on": ON,
                    "payload_off": OFF,
                },
            )
        for sense in SENSES:
            yield from self.entity(
                "sensor",
                source,
                sense,
                {
                    "name": sense.capitalize(),
                    "state_topic": self.of(source, sense),
                    "entity_category": "diagnostic",
                    "icon": ICONS[sense],
                },
            )

    def entity(
        self, kind: str, source: str | None, name: str, content: dict[str, object]
    ) -> Iterator[Said]:
        """Yield the discovery of one entity; nothing where there is no discovery.

        Args:
            kind: Home Assistant's, such as `switch`.
            source: Whose device it is on; None for the program's own.
            name: Its own, in topics and ids.
            content: What it is.
        """
        if self._discovery is None:
            return
        base, sw_version = slug(self._base), self._version
        node = base if source is None else f"{base}_{slug(source)}"
        availability = [{"topic": self.status}]
        if source is not None:
            availability.append({"topic": self.of(source, "available")})
        whole: dict[str, object] = {
            "unique_id": f"{node}_{name}",
            **content,
            "availability": availability,
            "availability_mode": "all",
            "device": {
                "identifiers": [node],
                "name": self._base if source is None else source,
                "manufacturer": "mafnet-live",
                "model": "audio-visual events",
                "sw_version": sw_version,
            },
            "origin": {"name": "mafnet-live", "sw_version": sw_version},
        }
        topic = f"{self._discovery}/{kind}/{node}/{name}/config"
        yield Said(topic, json.dumps(whole, ensure_ascii=False))
