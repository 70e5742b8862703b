"""Chooses an event tracker's settings for kept scores: times for all labels, thresholds for each.

What is maximised is the event-based F1 over all streams together, where a detection in a stream in
which nothing happens counts several times. Labels are tracked apart, so each label's counts at each
threshold are computed once. F1 is a ratio of sums: it is maximised by taking, for each label, the
threshold with the most `2 * right - F * detections` at the F1 that this gives (Dinkelbach 1967).
A label happens a few times only; so its counts are blended with the mean of all labels' at the same
threshold.

The other way is to keep the bundle's own thresholds, moved together, and to raise those of labels
that are told where nothing happens (`quieted`).
"""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from benchmarks.streaming.replay import Scores, replay
from benchmarks.streaming.scene import EMPTY
from benchmarks.streaming.scoring import StreamResult, Truth, score
from weights.bundle import Bundle

ON_GRID = tuple(round(0.40 + 0.05 * step, 2) for step in range(12))  # 0.40 to 0.95
OFF_OF_ON = 0.6
OVER_CONTEXT = 0.02
EMPTY_WEIGHT = 3.0  # of a detection where nothing happens
PRIOR = 1.0  # weight of all labels' mean beside a label's own counts
CONFIRM = ((2, 3), (3, 4), (3, 5))
MERGE_GAPS_S = (1.0, 2.0)
RAISES = (-0.1, -0.05, 0.0, 0.05, 0.1, 0.15)  # of the bundle's own thresholds
QUIET_STEP = 0.05  # by which a label's threshold rises while it is told where nothing happens
ON_RANGE = (0.3, 0.95)
_ROUNDS = 8  # of Dinkelbach's iteration; it settles in three or four


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeptStream:
    """One composed stream: what is there, and what the bundle scored.

    Attributes:
        kind: One of `scene.KINDS`.
        fold: Streams of one fold are held out together.
        seconds: Its length.
        truths: What is there.
        scores: Of every hop.
    """

    kind: str
    fold: int
    seconds: float
    truths: tuple[Truth, ...]
    scores: Scores


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """What all labels share."""

    confirm: tuple[int, int]
    merge_gap_s: float

    def __str__(self) -> str:
        """For people."""
        return f"{self.confirm[0]} of {self.confirm[1]}, gap {self.merge_gap_s:g} s"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Of labels at thresholds in streams, each int64 `(n_streams, n_labels, n_thresholds)`."""

    right: NDArray[np.int64]
    detections: NDArray[np.int64]


def all_times() -> list[Times]:
    """Return every combination that is tried."""
    return [
        Times(confirm=confirm, merge_gap_s=gap_s)
        for confirm, gap_s in itertools.product(CONFIRM, MERGE_GAPS_S)
    ]


def settled(bundle: Bundle, times: Times, on: Mapping[str, float]) -> Bundle:
    """Return the bundle with other times and thresholds; labels not in `on` get the median."""
    middle = round(float(np.median(list(on.values()))), 3)
    pairs = {label: {"on": value, "off": off_for(value, bundle)} for label, value in on.items()}
    events = dataclasses.replace(
        bundle.events,
        on=middle,
        off=off_for(middle, bundle),
        per_label=MappingProxyType({k: MappingProxyType(pair) for k, pair in pairs.items()}),
        merge_gap_s=times.merge_gap_s,
        confirm=times.confirm,
    )
    return dataclasses.replace(bundle, events=events)


def off_for(on: float, bundle: Bundle) -> float:
    """Return the `off` of an `on`: above what the window alone gives, or no event would end."""
    return round(min(on, max(on * OFF_OF_ON, bundle.events.context + OVER_CONTEXT)), 3)


def count(streams: Sequence[KeptStream], bundle: Bundle, times: Times) -> Counts:
    """Track every label at every threshold in every stream."""
    labels = event_labels(bundle)
    shape = (len(streams), len(labels), len(ON_GRID))
    right, detections = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    context = bundle.events.context
    for at_stream, stream in enumerate(streams):
        highest = dict(zip(bundle.labels, stream.scores.highest(context), strict=True))
        for at_label, label in enumerate(labels):
            truths = [truth for truth in stream.truths if truth.label == label]
            for at_on, on in enumerate(ON_GRID):
                if highest[label] < on:
                    break
                alone = settled(bundle, times, {label: on})
                said = replay(stream.scores, alone, only=label)
                result = score(stream.kind, stream.seconds, truths, said)
                right[at_stream, at_label, at_on] = result.n_right
                detections[at_stream, at_label, at_on] = result.n_detections
    return Counts(right=right, detections=detections)


def raised(bundle: Bundle, by: float) -> dict[str, float]:
    """Return the bundle's own thresholds, each `by` higher."""
    own = {
        label: bundle.events.per_label.get(label, {"on": bundle.events.on})["on"]
        for label in event_labels(bundle)
    }
    return {label: float(np.clip(round(on + by, 3), *ON_RANGE)) for label, on in own.items()}


def quieted(
    streams: Sequence[KeptStream], bundle: Bundle, times: Times, on: Mapping[str, float]
) -> dict[str, float]:
    """Raise the thresholds of the labels that are told where nothing happens, and no others.

    Args:
        streams: Only those in which nothing happens are looked at.
        bundle: Whose labels.
        times: What all labels share.
        on: Thresholds of all its event labels, to begin with.

    Returns:
        Each label's first threshold, in steps of `QUIET_STEP`, at which it is not told; the end of
        `ON_RANGE` where it always is.
    """
    raised_on = dict(on)
    empty = [stream for stream in streams if stream.kind in EMPTY]
    while True:
        said = results(empty, settled(bundle, times, raised_on))
        too_low = {
            detection.label
            for result in said
            for detection in result.false
            if raised_on[detection.label] < ON_RANGE[1]
        }
        if not too_low:
            return raised_on
        for label in too_low:
            raised_on[label] = min(ON_RANGE[1], round(raised_on[label] + QUIET_STEP, 3))


def choose(counts: Counts, streams: Sequence[KeptStream], bundle: Bundle) -> dict[str, float]:
    """Return each label's threshold.

    Args:
        counts: What `count` gave for these streams.
        streams: The streams.
        bundle: Whose labels.
    """
    labels = event_labels(bundle)
    weight = np.array([EMPTY_WEIGHT if s.kind in EMPTY else 1.0 for s in streams])
    right = counts.right.sum(axis=0).astype(float)  # (n_labels, n_thresholds)
    said = np.einsum("s,slt->lt", weight, counts.detections.astype(float))
    n_truths = float(sum(len(s.truths) for s in streams))
    rows = np.arange(len(labels))
    f1 = 0.5
    for _ in range(_ROUNDS):
        gain = 2 * right - f1 * said
        best = (gain + PRIOR * gain.mean(axis=0)).argmax(axis=1)
        f1 = 2 * right[rows, best].sum() / max(n_truths + said[rows, best].sum(), 1.0)
    return {label: ON_GRID[k] for label, k in zip(labels, best.tolist(), strict=True)}


def results(streams: Sequence[KeptStream], bundle: Bundle) -> list[StreamResult]:
    """Score streams at the bundle's settings."""
    return [score(s.kind, s.seconds, s.truths, replay(s.scores, bundle)) for s in streams]


def of_streams(counts: Counts, which: Sequence[int]) -> Counts:
    """Return the counts of some streams."""
    return Counts(right=counts.right[list(which)], detections=counts.detections[list(which)])


def event_labels(bundle: Bundle) -> list[str]:
    """Return the labels that can be events."""
    return [label for label in bundle.labels if label != bundle.background]
