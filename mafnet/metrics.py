"""What a test says in numbers: accuracy with its interval, each label, the confusions, calibration.

Plain numpy on logits and targets; nothing here knows a network.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

N_BINS = 15  # Guo et al. 2017, "On Calibration of Modern Neural Networks", section 2
_Z95 = 1.959964  # the standard normal's 97.5 % point


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """The answers whose confidence fell into one interval."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Measured on N videos.

    Attributes:
        accuracy: Share named rightly.
        interval: 95 % interval of the accuracy (Wilson).
        loss: Mean cross-entropy, nats.
        ece: Expected calibration error over `N_BINS` equal bins.
        bins: Those bins, the empty ones too.
        confusion: `(n_labels, n_labels)` int64, rows are what was there, columns what was said.
        average_precision: `(n_labels,)`, of each label against all others; NaN without videos.
        n_of_labels: `(n_labels,)`, videos that have each label.
    """

    n: int
    accuracy: float
    interval: tuple[float, float]
    loss: float
    ece: float
    bins: tuple[Bin, ...]
    confusion: NDArray[np.int64]
    average_precision: NDArray[np.float64]
    n_of_labels: NDArray[np.int64]

    def f1(self) -> NDArray[np.float64]:
        """Harmonic mean of recall and precision; NaN where a label neither is there nor said."""
        both = self.confusion.sum(axis=0) + self.confusion.sum(axis=1)
        return _share(2 * np.diag(self.confusion), both)

    def macro_f1(self) -> float:
        """Mean F1 of the labels that are there or were said."""
        return float(np.nanmean(self.f1()))

    def mean_average_precision(self) -> float:
        """Mean of the labels' average precision, the mAP."""
        return float(np.nanmean(self.average_precision))

    def recall(self) -> NDArray[np.float64]:
        """Share of each label's videos that were named rightly; NaN where there are none."""
        return _share(np.diag(self.confusion), self.confusion.sum(axis=1))

    def precision(self) -> NDArray[np.float64]:
        """Share of each label's answers that were right; NaN where it was never said."""
        return _share(np.diag(self.confusion), self.confusion.sum(axis=0))


def measure(
    probabilities: NDArray[np.float32],
    target: NDArray[np.int64],
    label_sets: NDArray[np.bool_] | None = None,
) -> Metrics:
    """Compare answers with the truth.

    Args:
        probabilities: `(N, n_labels)`.
        target: `(N,)`, the right label's index; of several any.
        label_sets: bool `(N, n_labels)`, all right labels; None where each video has one. An answer
            is right then if the likeliest label is among them, and the loss is binary, summed over
            labels.

    Raises:
        ValueError: The shapes do not fit, or there is nothing to measure.
    """
    if probabilities.ndim != 2 or target.shape != probabilities.shape[:1] or not len(target):
        raise ValueError(
            f"probabilities must be (N, n_labels) and target (N,), N at least 1, "
            f"got {probabilities.shape} and {target.shape}"
        )
    n, n_labels = probabilities.shape
    said = probabilities.argmax(axis=1)
    rows = np.arange(n)
    if label_sets is None:
        right = said == target
        of_truth = probabilities[rows, target].astype(np.float64)
        loss = float(-np.log(np.maximum(of_truth, np.finfo(np.float32).tiny)).mean())
    else:
        right = label_sets[rows, said]
        target = np.where(right, said, target)
        likely = np.where(label_sets, probabilities, 1.0 - probabilities).astype(np.float64)
        loss = float(-np.log(np.maximum(likely, np.finfo(np.float32).tiny)).sum(axis=1).mean())
    there = target[:, None] == np.arange(n_labels) if label_sets is None else label_sets
    confusion = np.zeros((n_labels, n_labels), np.int64)
    np.add.at(confusion, (target, said), 1)
    bins = _bins(probabilities.max(axis=1).astype(np.float64), right)
    return Metrics(
        n=n,
        accuracy=float(right.mean()),
        interval=wilson_interval(int(right.sum()), n),
        loss=loss,
        ece=sum(bin_.n / n * abs(bin_.accuracy - bin_.confidence) for bin_ in bins if bin_.n),
        bins=bins,
        confusion=confusion,
        n_of_labels=there.sum(axis=0),
        average_precision=np.array(
            [_average_precision(probabilities[:, k], there[:, k]) for k in range(n_labels)]
        ),
    )


def wilson_interval(n_right: int, n: int) -> tuple[float, float]:
    """Give the 95 % interval of a share; unlike the plain one it stays inside [0, 1].

    Wilson 1927; see Brown, Cai, DasGupta 2001 for why it is to be preferred.
    """
    share, z2 = n_right / n, _Z95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = _Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def _bins(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[Bin, ...]:
    place = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    bins = []
    for k in range(N_BINS):
        inside = place == k
        n = int(inside.sum())
        bins.append(
            Bin(
                low=k / N_BINS,
                high=(k + 1) / N_BINS,
                n=n,
                confidence=float(confidence[inside].mean()) if n else math.nan,
                accuracy=float(right[inside].mean()) if n else math.nan,
            )
        )
    return tuple(bins)


def _average_precision(scores: NDArray[np.float32], is_there: NDArray[np.bool_]) -> float:
    # Each threshold's precision, weighed by the recall it adds; equal scores are one threshold.
    if not is_there.any():
        return math.nan
    order = np.argsort(-scores, kind="stable")
    n_right = np.cumsum(is_there[order])
    last = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    added = np.diff(n_right[last], prepend=0)
    return float((added * n_right[last] / (last + 1)).sum() / n_right[-1])


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    shares = np.full(len(part), np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares
