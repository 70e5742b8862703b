"""Settings of the starter's event tracker, where nothing better was measured."""

from typing import Any, Final

EVENTS: Final[dict[str, Any]] = {
    "on": 0.7,
    "off": 0.4,
    "min_duration_s": 0.0,
    "merge_gap_s": 2.0,
    "confirm": (1, 1),
    "context": 0.0,
    "smooth": 3,
}
