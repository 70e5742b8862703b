"""Which events a program asked for, by label and by phase. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from realtime.errors import UsageError
from realtime.outputs.socket.wanted_labels import WantedLabels
from realtime.packets import Phase

if TYPE_CHECKING:
    from realtime.event import Event
    from weights.bundle import Bundle

ALL = "all"


class Wanted:
    """What is handed out.

    Args:
        labels: In any case; none means all. A text is one label.
        phases: Of `onset`, `update`, `offset`, or `all`.
        bundle: Whose events they are.

    Raises:
        UsageError: The bundle has not this label, or there is no such phase.
    """

    def __init__(
        self, labels: str | Iterable[str], phases: str | Iterable[str], bundle: Bundle
    ) -> None:
        self._labels = WantedLabels([labels] if isinstance(labels, str) else labels)
        missing = self._labels.missing(
            {"labels": list(bundle.labels), "background": bundle.background},
            f"the bundle {bundle.name}",
        )
        if missing is not None:
            raise UsageError(missing)
        asked = [phases] if isinstance(phases, str) else list(phases)
        known = [phase.value for phase in Phase]
        unknown = [phase for phase in asked if phase not in (*known, ALL)]
        if unknown or not asked:
            told = unknown[0] if unknown else asked
            raise UsageError(f"phases are {', '.join(known)}, or {ALL}; got {told!r}")
        self._phases = frozenset(Phase) if ALL in asked else frozenset(map(Phase, asked))

    def wants(self, event: Event) -> bool:
        """Return whether an event is handed out."""
        return event.phase in self._phases and self._labels.wants(event.label)
