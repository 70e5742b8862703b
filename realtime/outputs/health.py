"""Whether a recognizer is well, judged from its heartbeats alone. Pure.

A heartbeat proves only that the publisher's thread lives. Recognition goes on if the number of
predictions grows from one heartbeat to a later one of the same run; a stream whose every sense is
lost makes none. Bodies come from the network: any field may be anything.
"""

from __future__ import annotations

from realtime.outputs.lines import MAX_TEXT, clean


class Health:
    """Follows the heartbeats of one publisher; one thread at a time."""

    def __init__(self) -> None:
        self._run: object = None
        self._n_predictions: int | None = None
        self._body: dict[str, object] | None = None
        self._is_well = False

    def observe(self, body: dict[str, object]) -> bool:
        """Take note of a heartbeat; return whether recognition is known to go on."""
        counters = body.get("counters")
        n = counters.get("predictions", 0) if isinstance(counters, dict) else 0
        n = n if isinstance(n, int) else 0
        if self._n_predictions is None or body.get("run") != self._run:
            self._n_predictions = n
        self._run, self._body = body.get("run"), body
        self._is_well = n > self._n_predictions
        return self._is_well

    def describe(self) -> str:
        """Say it in one printable line."""
        if self._body is None:
            return "no heartbeat came"
        state = "recognition goes on" if self._is_well else "recognition stands still"
        senses = _senses(self._body.get("sources"))
        return clean(f"{state}{': ' if senses else ''}{senses}")


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
