"""From a run's best weights to a bundle that a stream can load.

The trunks are those that made the features (`mafnet.trunk_choice`). Thresholds are tuned on the
validation set.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mafnet.compute import Compute
from mafnet.feature_set import FeatureSet
from mafnet.load import load_model
from mafnet.model import MAFnet
from mafnet.test import answer
from mafnet.trunk_choice import TrunkChoice
from weights.bundle import Bundle, EventSpec, HeadSpec, write_bundle

_CPU = Compute()
_FALSE_SHARE = 0.01  # of the videos without a label that may still score at its threshold
# With a background what scores less than it is never told. Softmax sums to 1: half beats it.
_ON_RANGE_WITH_BACKGROUND = (0.5, 0.98)
# Without one nothing says how a label scores over what is none of them: only sure ones are told.
_ON_RANGE_WITHOUT = (0.5, 0.95)
# Each label says by itself that it is not there; rare ones seldom reach a half.
_ON_RANGE_OF_SETS = (0.3, 0.95)
_UNSURE_SHARE = 0.25  # of a label's own videos, that stay below its threshold then
_OFF_OF_ON = 0.6  # hysteresis: an event ends well below where it started
_TEMPERATURES = np.exp(np.linspace(np.log(0.25), np.log(8.0), 71))


def bundle_of_run(
    folder: Path,
    validation: FeatureSet,
    *,
    trunks: TrunkChoice,
    name: str,
    licence: str,
    provenance: str,
    to: Path,
    background: str | None = None,
    compute: Compute = _CPU,
) -> Bundle:
    """Write a bundle from `best.safetensors` in a run's folder.

    Args:
        folder: The run's folder.
        validation: What temperature and thresholds are tuned on.
        trunks: Those that made the features.
        name: What the new bundle is called.
        licence: Of the new weights.
        provenance: Where they come from.
        to: The bundle's folder.
        background: The label that is no event; None where there is none.
        compute: What answers the validation set.

    Raises:
        WeightsError: The trunks or the weights cannot be used.
    """
    model = load_model(folder / "best.safetensors").to(compute.device)
    temperature, events = tune(model, validation, background, compute)
    return write_bundle(
        Bundle(
            name=name,
            version="1",
            path=to,
            labels=validation.labels,
            background=background,
            activation="softmax" if validation.label_sets is None else "sigmoid",
            temperature=temperature,
            sample_rate=trunks.sample_rate,
            visual=trunks.visual,
            audio=trunks.audio,
            head=HeadSpec(weights=folder / "best.safetensors"),
            events=events,
            licence=licence,
            provenance=provenance,
            unverified=trunks.unverified,
        ),
        to,
    )


def tune(
    model: MAFnet,
    validation: FeatureSet,
    background: str | None = None,
    compute: Compute = _CPU,
) -> tuple[float, EventSpec]:
    """Choose the temperature and each label's thresholds on the validation set.

    The temperature minimises the cross-entropy (Guo et al. 2017, section 4.2). A label's `on` is
    where few of the videos without it score, and few of the background's, held inside a sensible
    range. Without a background it is also where a quarter of its own videos stay below.

    Args:
        model: In evaluation mode.
        validation: What it is asked about.
        background: The label that is no event; it has no thresholds.
        compute: What answers.
    """
    answers = answer(model, validation, compute=compute)
    if validation.label_sets is not None:
        return _tune_sets(answers.logits, validation.label_sets, validation, background)
    scaled = answers.logits[None] / _TEMPERATURES[:, None, None]  # (K, N, n_labels)
    scaled -= scaled.max(axis=2, keepdims=True)
    log_probabilities = scaled - np.log(np.exp(scaled).sum(axis=2, keepdims=True))
    of_truth = log_probabilities[:, np.arange(len(validation)), validation.target]
    best = int(of_truth.mean(axis=1).argmax())
    probabilities = np.exp(log_probabilities[best])  # (N, n_labels)
    per_label = {}
    for k, label in enumerate(validation.labels):
        if label != background:
            on = _threshold(probabilities[:, k], k, validation, background)
            per_label[label] = {"on": on, "off": round(on * _OFF_OF_ON, 3)}
    return round(float(_TEMPERATURES[best]), 4), EventSpec(per_label=per_label)


def _tune_sets(
    logits: NDArray[np.float32],
    label_sets: NDArray[np.bool_],
    validation: FeatureSet,
    background: str | None,
) -> tuple[float, EventSpec]:
    """Choose both of a network that says each label by itself: by the binary cross-entropy."""
    scaled = logits[None].astype(np.float64) / _TEMPERATURES[:, None, None]  # (K, N, n_labels)
    losses = np.logaddexp(0.0, np.where(label_sets[None], -scaled, scaled)).mean(axis=(1, 2))
    best = int(losses.argmin())
    probabilities = 1.0 / (1.0 + np.exp(-scaled[best]))
    per_label = {}
    for k, label in enumerate(validation.labels):
        if label != background:
            own = label_sets[:, k]
            parts = (
                (probabilities[~own, k], 1 - _FALSE_SHARE),
                (probabilities[own, k], _UNSURE_SHARE),
            )
            found = [float(np.quantile(part, share)) for part, share in parts if len(part)]
            on = round(float(np.clip(max(found), *_ON_RANGE_OF_SETS)), 3)
            per_label[label] = {"on": on, "off": round(on * _OFF_OF_ON, 3)}
    return round(float(_TEMPERATURES[best]), 4), EventSpec(per_label=per_label)


def _threshold(
    scores: NDArray[np.float32], k: int, validation: FeatureSet, background: str | None
) -> float:
    """Return the `on` of label ``k``, whose scores of all videos are `(N,)`."""
    target = validation.target
    sets = [(scores[target != k], 1 - _FALSE_SHARE)]
    if background is not None:
        sets.append((scores[target == validation.labels.index(background)], 1 - _FALSE_SHARE))
        span = _ON_RANGE_WITH_BACKGROUND
    else:
        sets.append((scores[target == k], _UNSURE_SHARE))
        span = _ON_RANGE_WITHOUT
    found = [float(np.quantile(part, share)) for part, share in sets if len(part)]
    return round(float(np.clip(max(found, default=0.0), *span)), 3)
