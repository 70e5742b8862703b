"""Where events of each label begin and end, as arrays beside its scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from weights.event_spec import EventSpec


def on_and_off(events: EventSpec, labels: Sequence[str]) -> NDArray[np.float64]:
    """Return both thresholds of each label, float64 `(2, n_labels)`: `on`, then `off`."""
    pairs = [events.thresholds(label) for label in labels]
    return np.array(pairs, np.float64).reshape(-1, 2).T
