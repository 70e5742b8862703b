"""Fewer training videos: what a learning curve is made of."""

import hashlib
from collections import Counter

import numpy as np

from mafnet.feature_set import FeatureSet


def fewer(features: FeatureSet, per_label: int, seed: int) -> FeatureSet:
    """Keep at most so many videos of each label; their order stays.

    A seed draws the same ones each time, and a larger number adds to a smaller one's.

    Args:
        features: All of them.
        per_label: At least 1.
        seed: Of the draw.

    Raises:
        ValueError: `per_label` is below 1.
    """
    if per_label < 1:
        raise ValueError(f"--per-label must be at least 1, got {per_label}")
    drawn = sorted(range(len(features)), key=lambda row: _rank(features.names[row], seed))
    n_taken: Counter[int] = Counter()
    kept = []
    for row in drawn:
        label = int(features.target[row])
        n_taken[label] += 1
        if n_taken[label] <= per_label:
            kept.append(row)
    return features.only(np.array(sorted(kept), np.int64))


def _rank(name: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed} {name}".encode()).digest()
