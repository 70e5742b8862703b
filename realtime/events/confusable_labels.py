"""The score of labels that are hard to tell apart: two voices, say, that share what is heard.

Where each alone scores below its `on` and all together reach it, something of their kind happens,
and the sum counts as the score of the one that the window thinks likelier. Whose it is may turn out
later: unless an event of one of them is going on, such a clip dates an event of each that has at
least half of the largest score, as one at `off` does, and counts for nothing else. Where one of
them goes on or has a hit, the others are dated from their hits alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SHARE = 0.5  # of the largest score of a group: less is not heard in a clip that they share


class Joined(NamedTuple):
    """What a clip counts for, of each label of a group.

    Attributes:
        scores: float64 `(k,)`; the likelier label's may be raised.
        dates_at: The least score of a clip that dates an event of a label, float64 `(k,)`.
    """

    scores: NDArray[np.float64]
    dates_at: NDArray[np.float64]


def join(
    scores: NDArray[np.float64],
    window: NDArray[np.float32],
    on: NDArray[np.float64],
    off: NDArray[np.float64],
    goes_on: bool,
) -> Joined:
    """Give their joint score to the likelier of confusable labels.

    Args:
        scores: Of the clip, `(k,)`, one a label of the group; not written to.
        window: Over the whole window, `(k,)`.
        on: Each label's threshold, `(k,)`.
        off: The lower one.
        goes_on: An event of one of them does.
    """
    has_hit = bool((scores >= on).any())
    dates_at = on if goes_on or has_hit else off
    likelier = int(window.argmax())
    together = scores.sum()
    if has_hit or together < on[likelier]:
        return Joined(scores, dates_at)
    if not goes_on:
        dates_at = np.where(scores >= SHARE * scores.max(), 0.0, dates_at)
    joined = scores.copy()
    joined[likelier] = min(together, 1.0)  # of independent labels it may be more
    return Joined(joined, dates_at)
