"""How far a figure can be known from what was counted: intervals of 95 % unless told otherwise."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import chi2


def rate_interval(count: int, exposure: float, level: float = 0.95) -> tuple[float, float]:
    """Return the exact interval of a Poisson count's rate (Garwood 1936).

    Args:
        count: Events counted.
        exposure: Over what, such as hours.
        level: Of confidence.

    Returns:
        Lowest and highest rate; of no event the rule of three at 97.5 %: 3.7 over the exposure.
    """
    tail = (1.0 - level) / 2.0
    low = 0.0 if count == 0 else float(chi2.ppf(tail, 2 * count)) / 2.0
    high = float(chi2.ppf(1.0 - tail, 2 * count + 2)) / 2.0
    return low / exposure, high / exposure


def f1_interval(pieces: Sequence[tuple[int, int, int]]) -> tuple[float, float]:
    """Return the interval of F1 by drawing pieces of a stream anew, a thousand times.

    Args:
        pieces: Right detections, events and detections of each piece.
    """
    counts = np.array(pieces, np.float64).reshape(-1, 3)
    drawn = np.random.default_rng(0).integers(0, len(counts), (1000, len(counts)))
    right, events, told = counts[drawn].sum(axis=1).T
    f1 = 2 * right / np.maximum(events + told, 1)
    low, high = np.percentile(f1, [2.5, 97.5])
    return float(low), float(high)
