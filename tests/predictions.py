"""A prediction of which only the time and the scores matter."""

from __future__ import annotations

import numpy as np

from realtime.clock import NS_PER_S
from realtime.packets import Prediction


def prediction(end_s: float, *scores: float) -> Prediction:
    """Make one that ends at `end_s`, each label's score the same in window and newest clip."""
    values = np.array(scores, np.float32)
    return Prediction(
        end_t_ns=round(end_s * NS_PER_S),
        window=values,
        newest=values,
        attention=np.full((1, 2), 0.5, np.float32),
        present=np.ones((1, 2), bool),
        newest_ns=0,
        latency_ms=None,
        compute_ms=1.0,
        av_skew_ms=None,
        gap_samples=0,
    )
