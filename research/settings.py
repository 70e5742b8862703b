"""Settings of the starter's event tracker, where nothing better was measured."""

from typing import Any, Final

EVENTS: Final[dict[str, Any]] = {
    "on": 0.65,
    "off": 0.3,
    "min_duration_s": 0.0,
    "merge_gap_s": 3.0,
    "confirm": (2, 3),
    "window_weight": 0.15,
    "smooth": 1,
}
