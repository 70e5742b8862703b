"""What the keys of a dashboard do to what it shows: paused, picture, help, which stream is first.

It draws nothing and reads no key. What a key asks of the run, its caller does (`asks`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from realtime.outputs.base import DashboardSnapshot

QUIT, RECORD = "quit", "record"
HELP = (
    ("q", "quit: what goes on is ended and told"),
    ("p", "pause the display; recognition goes on"),
    ("v", "show the picture, or hide it"),
    ("r", "record now; r again ends it"),
    ("Tab", "the next source"),
    ("?", "this help"),
)


@dataclass(slots=True, kw_only=True)
class DashboardControls:
    """State of a screen; main thread only.

    Attributes:
        has_keys: Whether anybody can press any.
        picture: Whether the picture is shown.
        paused: Whether what is shown stands still.
        help: Whether the keys are explained.
        said: What the last key did.
        source: The stream that is shown first; None for the run's choice.
    """

    has_keys: bool = False
    picture: bool = False
    paused: bool = False
    help: bool = False
    said: str = ""
    source: str | None = None

    def press(self, key: str, sources: tuple[str, ...] = ()) -> str | None:
        """Take a key; return what it asks of the run, `QUIT` or `RECORD`, or None.

        Args:
            key: One character; those without a meaning do nothing.
            sources: The streams' names, the first one shown first.
        """
        key = key.lower()
        if key == "p":
            self.paused = not self.paused
            self.said = "the display stands still; p has it go on" if self.paused else ""
        elif key == "v":
            self.picture = not self.picture
        elif key in ("?", "h"):
            self.help = not self.help
        elif key == "\t" and len(sources) > 1:
            ordered = sorted(sources)
            self.source = ordered[(ordered.index(sources[0]) + 1) % len(ordered)]
        return {"q": QUIT, "r": RECORD}.get(key)

    def ordered(self, snapshot: DashboardSnapshot) -> DashboardSnapshot:
        """Return the snapshot with the chosen stream first."""
        chosen = next((each for each in snapshot.others if each.source == self.source), None)
        if chosen is None:
            return snapshot
        rest = tuple(each for each in snapshot.others if each is not chosen)
        return replace(
            chosen, others=(replace(snapshot, others=()), *rest), warnings=snapshot.warnings
        )
