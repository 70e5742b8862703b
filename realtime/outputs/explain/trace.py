"""What was decided over time, as the view draws it; bounded, however long the stream.

Beyond `limit` moments neighbours are joined: the higher score of each label stays, so that nothing
short is lost, and the time between two moments doubles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from realtime.packets import Prediction, Sense

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

N_LABELS = 8  # as many lines as an eye can part


@dataclass(frozen=True, slots=True, eq=False)
class _Moment:
    """`alone` is float32 `(2, n_labels)`, not a number where a sense was missing."""

    end_s: float
    scores: NDArray[np.float32]
    alone: NDArray[np.float32]
    attention: list[list[float | None]]  # of each sense its clips, oldest first
    clip_ends_s: list[float]

    def joined(self, later: _Moment) -> _Moment:
        return _Moment(
            later.end_s,
            np.maximum(self.scores, later.scores),
            np.fmax(self.alone, later.alone),
            later.attention,
            later.clip_ends_s,
        )


class Trace:
    """Takes predictions of one stream in, in order; one thread.

    Args:
        window_weight: How scores join window and newest clip.
        limit: At most so many moments are kept, an even number.
    """

    def __init__(self, window_weight: float, limit: int) -> None:
        self._window_weight = window_weight
        self._limit = limit
        self._moments: list[_Moment] = []
        self._a_moment = 1  # predictions that are joined to one
        self._n_newest = 0  # that the newest moment holds

    def add(self, prediction: Prediction) -> None:
        """Take one in."""
        moment = _moment(prediction, self._window_weight)
        if self._moments and self._n_newest < self._a_moment:
            self._moments[-1] = self._moments[-1].joined(moment)
            self._n_newest += 1
            return
        if len(self._moments) == self._limit:
            pairs = zip(self._moments[::2], self._moments[1::2], strict=True)
            self._moments = [earlier.joined(later) for earlier, later in pairs]
            self._a_moment *= 2
        self._moments.append(moment)
        self._n_newest = 1

    def told(
        self, labels: Sequence[str], first: Iterable[str] = (), n_labels: int = N_LABELS
    ) -> dict[str, Any]:
        """Return times, scores of the labels that mattered, and attention, as JSON holds them.

        Args:
            labels: All, in the order of the scores.
            first: These come before those that came highest.
            n_labels: At most so many.
        """
        moments = self._moments
        wanted = [labels.index(label) for label in dict.fromkeys(first) if label in labels]
        if moments:
            highest = np.max([moment.scores for moment in moments], axis=0)
            order = np.argsort(-highest, kind="stable").tolist()
            wanted += [index for index in order if index not in wanted]
        shown = wanted[:n_labels]
        senses = list(Sense)
        return {
            "times": [round(moment.end_s, 3) for moment in moments],
            "labels": [
                {
                    "label": labels[index],
                    "both": [_share(moment.scores[index]) for moment in moments],
                    **{
                        sense.value: [_share(moment.alone[m, index]) for moment in moments]
                        for m, sense in enumerate(senses)
                    },
                }
                for index in shown
            ],
            "attention": {
                "clip_ends": [moment.clip_ends_s for moment in moments],
                **{
                    sense.value: [moment.attention[m] for moment in moments]
                    for m, sense in enumerate(senses)
                },
            },
        }


def _moment(prediction: Prediction, window_weight: float) -> _Moment:
    scores = prediction.scores(window_weight).astype(np.float32)
    alone = np.full((2, len(scores)), np.nan, np.float32)
    known = prediction.scores_alone(window_weight)
    if known is not None:
        there = prediction.present.any(axis=0)
        alone[there] = known[there]
    n_clips = prediction.n_clips
    end_s = prediction.end_t_ns / 1e9
    ends_s = [t_ns / 1e9 for t_ns in prediction.clip_ends_t_ns]
    ends_s = ends_s or [end_s - (n_clips - 1 - clip) for clip in range(n_clips)]
    attention = [
        [
            _share(weight) if is_there else None
            for weight, is_there in zip(
                prediction.attention[:, m], prediction.present[:, m], strict=True
            )
        ]
        for m in range(len(Sense))
    ]
    return _Moment(end_s, scores, alone, attention, [round(value, 2) for value in ends_s])


def _share(value: float | np.floating[Any]) -> float | None:
    return None if np.isnan(value) else round(float(value), 3)
