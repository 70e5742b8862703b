"""What an event rested on, small enough to be kept with it: a trace of the seconds around it."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any

from realtime.clock import NS_PER_S
from realtime.outputs.explain.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from realtime.packets import Prediction

MAX_MOMENTS = 120
N_LABELS = 5
BEFORE_NS = AFTER_NS = 3 * NS_PER_S
MAX_BYTES = 1 << 20  # of a trace, unpacked; ours has a tenth


class EventTraces:
    """Cuts the trace of an event that ended; any thread.

    Args:
        labels: The bundle's, in the order of the scores.
        window_weight: How scores join window and newest clip.
        decisions: Returns what a stream, by its name, decided from one stream time to another.
    """

    def __init__(
        self,
        labels: Sequence[str],
        window_weight: float,
        decisions: Callable[[str, int, int], list[Prediction]],
    ) -> None:
        self._labels = tuple(labels)
        self._window_weight = window_weight
        self._decisions = decisions

    def adopt(self, labels: Sequence[str], window_weight: float) -> None:
        """Go on with another bundle's labels; what was decided before is not asked for any more."""
        self._labels, self._window_weight = tuple(labels), window_weight

    def of(self, body: Mapping[str, Any]) -> bytes | None:
        """Return the trace of an offset's message, packed; None where nothing is known of it."""
        onset_t_ns = round(body["onset"]["t_s"] * NS_PER_S)
        offset_t_ns = round(body["offset"]["t_s"] * NS_PER_S)
        found = self._decisions(body["source"], onset_t_ns - BEFORE_NS, offset_t_ns + AFTER_NS)
        if not found or body["label"] not in self._labels:
            return None
        trace = Trace(self._window_weight, MAX_MOMENTS)
        for prediction in found:
            trace.add(prediction)
        told = trace.told(self._labels, [body["label"]], N_LABELS)
        return zlib.compress(json.dumps(told, separators=(",", ":")).encode(), 6)


def unpacked(trace: bytes) -> dict[str, Any] | None:
    """Return what a packed trace tells; None of what is none of ours."""
    try:
        text = zlib.decompressobj().decompress(trace, MAX_BYTES)
        told = json.loads(text)
    except (zlib.error, ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None
