"""Labels that are rare: weights of the loss, or an order that shows all labels equally often.

For the modern recipe alone; the authors' training knows neither. A label without a video counts
nowhere.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Balance = Literal["none", "weights", "sampling"]
BALANCES: tuple[Balance, ...] = ("none", "weights", "sampling")


def label_weights(target: NDArray[np.int64], n_labels: int) -> NDArray[np.float32]:
    """Weigh labels by how rare they are: N / (n_labels_there · N of the label).

    King and Zeng 2001, "Logistic Regression in Rare Events Data", equation 4, for several labels.

    Args:
        target: `(N,)`, each video's label.
        n_labels: How many there are.

    Returns:
        `(n_labels,)`; their mean over the videos is 1, and a label without a video has 0.
    """
    counts = np.bincount(target, minlength=n_labels)
    n_there = np.count_nonzero(counts)
    weights = np.zeros(n_labels, np.float32)
    np.divide(len(target) / n_there, counts, out=weights, where=counts > 0, casting="unsafe")
    return weights


def balanced_order(target: NDArray[np.int64], random: Generator) -> NDArray[np.int64]:
    """Draw an epoch's order in which all labels come equally often, up to one video.

    A rare label's videos come again once all of them have been shown, each time in another order;
    of a frequent one an epoch shows a part.

    Args:
        target: `(N,)`, each video's label.
        random: What draws.

    Returns:
        `(N,)`, rows, some of them several times.
    """
    n_videos = len(target)
    there = np.unique(target)
    n_each = -(-n_videos // len(there))
    drawn = []
    for label in there:
        own = np.flatnonzero(target == label)
        n_times = -(-n_each // len(own))
        shown = np.concatenate([random.permutation(own) for _ in range(n_times)])
        drawn.append(shown[:n_each])
    by_turns = np.stack(drawn, axis=1)[:, random.permutation(len(there))]  # one of each label a row
    return random.permutation(by_turns.ravel()[:n_videos])


def unrecognised(
    labels: Sequence[str], n_right: NDArray[np.int64], n_of_labels: NDArray[np.int64]
) -> list[str]:
    """Name labels that have videos of which none was named rightly: a recall of 0."""
    rows = zip(labels, n_right, n_of_labels, strict=True)
    return [f"{label} ({n})" for label, right, n in rows if n and not right]
