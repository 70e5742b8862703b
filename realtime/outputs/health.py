"""Whether a recognizer is well, judged from its heartbeats alone. Pure.

A heartbeat proves only that the publisher's thread lives. Recognition goes on if the number of
predictions grows from one heartbeat to a later one of the same run. A stream whose every sense is
gone goes on deciding from nothing until one is back: that is not well either. What is frozen, black
or silent is there: a camera at night does not call for a restart. Bodies come from the network: any
field may be anything.
"""

from __future__ import annotations

from realtime.outputs.terminal.lines import MAX_TEXT
from weights.printable import clean

GONE = ("stale", "reconnecting", "lost", "ended", "absent")


class Health:
    """Follows the heartbeats of one publisher; one thread at a time."""

    def __init__(self) -> None:
        self._run: object = None
        self._n_predictions: int | None = None
        self._body: dict[str, object] | None = None
        self._blind: list[str] = []
        self._is_well = False

    def observe(self, body: dict[str, object]) -> bool:
        """Take note of a heartbeat; return whether recognition is known to go on."""
        counters = body.get("counters")
        n = counters.get("predictions", 0) if isinstance(counters, dict) else 0
        n = n if isinstance(n, int) else 0
        if self._n_predictions is None or body.get("run") != self._run:
            self._n_predictions = n
        self._run, self._body = body.get("run"), body
        self._blind = _blind_streams(body.get("sources"))
        self._is_well = n > self._n_predictions and not self._blind
        return self._is_well

    def describe(self) -> str:
        """Say it in one printable line."""
        if self._body is None:
            return "no heartbeat came"
        state = "recognition goes on" if self._is_well else "recognition stands still"
        if self._blind:
            state = f"nothing is seen or heard of {', '.join(self._blind)}"[:MAX_TEXT]
        senses = _senses(self._body.get("sources"))
        return clean(f"{state}{': ' if senses else ''}{senses}")


def _blind_streams(sources: object) -> list[str]:
    """Return the streams of which no sense is there."""
    if not isinstance(sources, dict):
        return []
    return [
        str(name)
        for name, senses in sources.items()
        if isinstance(senses, dict) and senses and all(s in GONE for s in senses.values())
    ]


def _senses(sources: object) -> str:
    """Return `front-door picture ok, sound lost; …`, bounded."""
    if not isinstance(sources, dict):
        return ""
    streams = [
        f"{name} " + ", ".join(f"{sense} {state}" for sense, state in senses.items())
        for name, senses in sources.items()
        if isinstance(senses, dict)
    ]
    return "; ".join(streams)[:MAX_TEXT]
