"""What the event tracker makes of a stream's scores before it looks at thresholds.

Smoothing: a score is the mean over the last decisions, so that one loud quarter of a second is no
event. Groups: a wider label (Music) is at least as sure as any label that belongs to it (Piano).
It knows no thresholds and no events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Kind = TypeVar("_Kind", bound=np.generic)


class ScoreSmoother:
    """The mean of the last `n` decisions' scores; one stream's, one thread's.

    Args:
        n: At least 1; at the start and after a pause there are fewer.
    """

    def __init__(self, n: int) -> None:
        self._last: deque[NDArray[np.float64]] = deque(maxlen=n)

    def update(self, scores: NDArray[np.float64], fresh: bool) -> NDArray[np.float64]:
        """Take one decision's scores in.

        Args:
            scores: Any shape, always the same.
            fresh: None came shortly before.

        Returns:
            The mean, the caller's own.
        """
        if fresh:
            self._last.clear()
        self._last.append(scores)
        return np.asarray(np.mean(self._last, axis=0))

    def take_over(self, before: ScoreSmoother, places: Sequence[int | None]) -> None:
        """Go on with another one's last decisions, as `moved` moves their labels."""
        self._last.extend(moved(scores, places, 0.0) for scores in before._last)


def moved(
    values: NDArray[_Kind], places: Sequence[int | None], fill: float | bool
) -> NDArray[_Kind]:
    """Put the last axis in the order of other labels.

    Args:
        values: `(…, n_labels)`.
        places: Of each new label, where it stood; None where it was not.
        fill: What a label has that was not.
    """
    out = np.full((*values.shape[:-1], len(places)), fill, values.dtype)
    known = [k for k, place in enumerate(places) if place is not None]
    out[..., known] = values[..., [place for place in places if place is not None]]
    return out


def places_of(before: Sequence[str], labels: Sequence[str]) -> list[int | None]:
    """Return where each label stood before; None where it was not there."""
    known = {label: place for place, label in enumerate(before)}
    return [known.get(label) for label in labels]


class LabelGroups:
    """Which labels belong to which wider ones, by their positions.

    Args:
        labels: In the order of the scores.
        groups: Label → the wider label that it belongs to, which may belong to a wider one still.
            Both are among `labels`, and none is above itself.
    """

    def __init__(self, labels: Sequence[str], groups: Mapping[str, str]) -> None:
        place = {label: index for index, label in enumerate(labels)}
        self._above: dict[int, tuple[int, ...]] = {}
        below: dict[int, list[int]] = {}
        for label in groups:
            wider, line = label, []
            while wider in groups:
                wider = groups[wider]
                line.append(place[wider])
                below.setdefault(place[wider], []).append(place[label])
            self._above[place[label]] = tuple(line)
        self._below = {wider: tuple(own) for wider, own in below.items()}

    def above(self, index: int) -> tuple[int, ...]:
        """Return the wider labels of one, the nearest first."""
        return self._above.get(index, ())

    def below(self, index: int) -> tuple[int, ...]:
        """Return all labels that belong to one."""
        return self._below.get(index, ())

    def n_below(self, index: int) -> int:
        """Return how many labels belong to one: it is larger for each that this belongs to."""
        return len(self.below(index))

    def widen(self, scores: NDArray[np.float64]) -> None:
        """Raise each wider label to the surest that belongs to it, in place.

        Args:
            scores: `(…, n_labels)`.
        """
        for wider, own in self._below.items():
            column = scores[..., wider]
            np.maximum(column, scores[..., list(own)].max(axis=-1), out=column)
