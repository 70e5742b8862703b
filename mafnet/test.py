"""Testing: what a network says about a split, with both senses, sound only and picture only."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mafnet.batches import in_order, load_batches
from mafnet.compute import Compute
from mafnet.errors import FeaturesError
from mafnet.feature_set import FeatureSet, Senses
from mafnet.metrics import Metrics, measure
from mafnet.model import MAFnet

SENSES: tuple[Senses, ...] = ("both", "sound", "picture")
_CPU = Compute()
_N_BATCH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a network said about N videos.

    Attributes:
        logits: `(N, n_labels)`.
        probabilities: `(N, n_labels)`.
        attention: `(N, T, 2)`, picture first.
    """

    logits: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    attention: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """A whole test: answers and metrics by the senses that were there."""

    labels: tuple[str, ...]
    target: NDArray[np.int64]
    answers: dict[Senses, Answers]
    metrics: dict[Senses, Metrics]
    label_sets: NDArray[np.bool_] | None = None

    def right(self, row: int) -> tuple[str, ...]:
        """Return the labels that a video has."""
        if self.label_sets is None:
            return (self.labels[self.target[row]],)
        return tuple(self.labels[k] for k in np.flatnonzero(self.label_sets[row]))


@torch.inference_mode()
def answer(
    model: MAFnet, features: FeatureSet, senses: Senses = "both", compute: Compute = _CPU
) -> Answers:
    """Run a network over a set.

    Args:
        model: In evaluation mode, on the device of ``compute``.
        features: What it is asked about.
        senses: Which senses it is given; the other is masked, not blackened.
        compute: The device, and who loads batches.
    """
    parts = []
    features = features.alone(senses)
    for batch in load_batches(features, in_order(len(features), _N_BATCH), compute):
        output = model(batch.visual, batch.audio, batch.present)
        parts.append((output.logits, output.probabilities, output.attention))
    logits, probabilities, attention = (
        torch.cat(part).cpu().numpy() for part in zip(*parts, strict=True)
    )
    return Answers(logits=logits, probabilities=probabilities, attention=attention)


def examine(
    model: MAFnet, labels: tuple[str, ...], features: FeatureSet, compute: Compute = _CPU
) -> Examination:
    """Ask a network about a set and measure its answers.

    Args:
        model: In evaluation mode, on the device of ``compute``.
        labels: Of the network's outputs.
        features: Whose labels may stand in another order.
        compute: The device, and who loads batches.

    Raises:
        FeaturesError: The set's labels, visual width or sound maps are not the network's.
    """
    if features.visual_dim != model.config.visual_dim:
        raise FeaturesError(
            f"the features are {features.visual_dim} wide, the weights want "
            f"{model.config.visual_dim}: they belong to another picture trunk"
        )
    if features.sound_map != model.config.sound_map:
        raise FeaturesError(
            f"the features' sound maps are {_sizes(features.sound_map)}, the weights want "
            f"{_sizes(model.config.sound_map)}: they belong to another sound trunk"
        )
    if set(labels) != set(features.labels):
        only = sorted(set(labels) ^ set(features.labels))
        raise FeaturesError(
            f"the features' labels are not the weights' (not in both: {', '.join(only[:5])})"
        )
    place = np.array([labels.index(label) for label in features.labels])
    target = place[features.target]
    sets = None
    if features.label_sets is not None:
        if model.config.activation != "sigmoid":
            raise FeaturesError(
                "the videos have several labels, and the network tells one: test a bundle that was "
                "trained on several"
            )
        sets = np.zeros_like(features.label_sets)
        sets[:, place] = features.label_sets
    answers = {senses: answer(model, features, senses, compute) for senses in SENSES}
    return Examination(
        labels=labels,
        target=target,
        answers=answers,
        label_sets=sets,
        metrics={
            senses: measure(said.probabilities, target, sets) for senses, said in answers.items()
        },
    )


def _sizes(sound_map: tuple[int, int, int]) -> str:
    return " × ".join(map(str, sound_map))
