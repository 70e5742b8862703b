"""Trunks that other packages announce, by entry point: which names there are. Loads none.

`extractors.trunk_registry` loads what is asked for; docs/guide/extending.md announces one.
"""

from __future__ import annotations

from importlib.metadata import EntryPoints, entry_points
from typing import Final, Literal

Sense = Literal["visual", "sound"]
GROUPS: Final[dict[Sense, str]] = {
    "visual": "mafnet_live.visual_trunks",
    "sound": "mafnet_live.sound_trunks",
}


def announced(sense: Sense, name: str | None = None) -> EntryPoints:
    """Return the entry points of a sense's trunks, each a class; of one name, if it is given."""
    points = entry_points(group=GROUPS[sense])
    return points if name is None else points.select(name=name)
