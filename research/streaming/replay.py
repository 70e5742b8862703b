"""Scores of a stream, kept, and what the event tracker makes of them at any settings."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from realtime.bundle_settings import event_settings
from realtime.clock import NS_PER_S
from realtime.events.thresholds import on_and_off
from realtime.events.tracker import EventTracker
from realtime.packets import Event, LabelScores, Phase, Prediction, join_scores
from research.streaming.scoring import Detection
from weights.bundle import Bundle, EventSpec
from weights.files import written_whole


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Every prediction of one stream.

    Attributes:
        end_t_ns: Stream times of the ends of the newest clips, int64 `(n_hops,)`.
        window: Probabilities of the whole windows, float32 `(n_hops, n_labels)`.
        newest: Probabilities of the newest clips alone, likewise.
    """

    end_t_ns: NDArray[np.int64]
    window: NDArray[np.float32]
    newest: NDArray[np.float32]

    def highest(self, window_weight: float, independent: bool = False) -> NDArray[np.float64]:
        """Return each label's highest score, as the tracker joins them, `(n_labels,)`."""
        joined = join_scores(self.window, self.newest, window_weight, independent)
        return np.asarray(joined.max(axis=0, initial=0.0))


class ScoreRecorder:
    """Keeps what it is told; an instance is `Pipeline`'s `observe`."""

    def __init__(self) -> None:
        self._predictions: list[Prediction] = []

    def __call__(self, prediction: Prediction) -> None:
        """Keep one prediction."""
        self._predictions.append(prediction)

    def write(self, path: Path) -> None:
        """Write a .npz that `read_scores` reads; whole or not at all.

        Raises:
            OSError: It cannot be written.
        """
        scores = Scores(
            end_t_ns=np.array([p.end_t_ns for p in self._predictions], np.int64),
            window=np.array([p.window for p in self._predictions], np.float32),
            newest=np.array([p.newest for p in self._predictions], np.float32),
        )
        write_scores(scores, path)


def write_scores(scores: Scores, path: Path) -> None:
    """Keep a stream's scores; whole or not at all."""
    with written_whole(path) as temporary, temporary.open("wb") as file:
        np.savez(file, end_t_ns=scores.end_t_ns, window=scores.window, newest=scores.newest)


def read_scores(path: Path) -> Scores:
    """Read what `write_scores` wrote."""
    with np.load(path) as kept:
        return Scores(end_t_ns=kept["end_t_ns"], window=kept["window"], newest=kept["newest"])


def replay(scores: Scores, bundle: Bundle) -> list[Detection]:
    """Track a stream's scores again.

    Args:
        scores: Of the stream.
        bundle: Thresholds, times and labels, in the order of the scores.
    """
    config = event_settings(bundle, {})
    independent = bundle.activation == "sigmoid"
    columns = _may_happen(scores, config, bundle.labels, independent)
    labels = [bundle.labels[k] for k in columns]
    own = {label: pair for label, pair in config.per_label.items() if label in labels}
    groups = {child: wider for child, wider in config.groups.items() if child in labels}
    tracker = EventTracker(dataclasses.replace(config, per_label=own, groups=groups), labels)
    told_s: dict[int, float] = {}
    detections: list[Detection] = []

    def take(events: Sequence[Event], now_s: float) -> None:
        for event in events:
            if event.phase is Phase.ONSET:
                told_s[event.number] = now_s
            elif event.phase is Phase.OFFSET and event.offset_t_ns is not None:
                detections.append(
                    Detection(
                        label=event.label,
                        onset_s=event.onset_t_ns / NS_PER_S,
                        offset_s=event.offset_t_ns / NS_PER_S,
                        told_s=told_s[event.number],
                        confidence=event.confidence,
                    )
                )

    window, newest = scores.window[:, columns], scores.newest[:, columns]
    joined = join_scores(window, newest, config.window_weight, independent)
    for hop, end_t_ns in enumerate(scores.end_t_ns.tolist()):  # both senses are always there
        heard = LabelScores(end_t_ns=end_t_ns, scores=joined[hop], window=window[hop])
        take(tracker.update(heard), end_t_ns / NS_PER_S)
    if len(scores.end_t_ns):
        last_t_ns = int(scores.end_t_ns[-1])
        take(tracker.close(last_t_ns), last_t_ns / NS_PER_S)
    return sorted(detections, key=lambda detection: detection.onset_s)


def _may_happen(
    scores: Scores, config: EventSpec, labels: Sequence[str], independent: bool
) -> list[int]:
    """Return the labels that may start an event: the others never reach their `on`.

    All confusable labels may, and whatever a narrower label that may is part of.
    """
    on, _ = on_and_off(config, labels)
    reached = scores.highest(config.window_weight, independent) >= on
    related = {label for group in config.confusable for label in group}
    told = {label for k, label in enumerate(labels) if reached[k] or label in related}
    while wider := {config.groups[label] for label in told if label in config.groups} - told:
        told |= wider
    return [k for k, label in enumerate(labels) if label in told]
