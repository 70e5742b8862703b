"""From a run's best weights to a bundle that a stream can load.

The trunks are those of another bundle: features say which picture trunk made them, and only weights
with that trunk can be run on a stream. Thresholds are tuned on the validation set.
"""

from pathlib import Path

import numpy as np

from mafnet.errors import RunError
from mafnet.feature_set import FeatureSet
from mafnet.load import load_model
from mafnet.model import MAFnet
from mafnet.test import answer
from weights.bundle import Bundle, EventSpec, HeadSpec, load_bundle, write_bundle

_FALSE_SHARE = 0.01  # of the videos without a label that may still score at its threshold
_ON_RANGE = (0.35, 0.9)
_OFF_OF_ON = 0.6  # hysteresis: an event ends well below where it started
_TEMPERATURES = np.exp(np.linspace(np.log(0.25), np.log(8.0), 71))
BACKGROUND_NAMES = ("background", "nothing", "silence")


def bundle_of_run(
    folder: Path,
    validation: FeatureSet,
    *,
    trunks: str | Path,
    name: str,
    licence: str,
    provenance: str,
    to: Path,
) -> Bundle:
    """Write a bundle from `best.safetensors` in a run's folder.

    Args:
        folder: The run's folder.
        validation: What temperature and thresholds are tuned on.
        trunks: The bundle that the trunks are taken from.
        name: What the new bundle is called.
        licence: Of the new weights.
        provenance: Where they come from.
        to: The bundle's folder.

    Raises:
        RunError: The trunks are not those that the features were made with.
        WeightsError: The trunks' bundle or the weights cannot be used.
    """
    source = load_bundle(trunks)
    if (source.visual.trunk, source.visual.dim) != (validation.visual_trunk, validation.visual_dim):
        raise RunError(
            f"the features were made with {validation.visual_trunk} ({validation.visual_dim} "
            f"wide), the bundle {source.name} has {source.visual.trunk} ({source.visual.dim})"
        )
    if source.audio.sound_map != validation.sound_map:
        raise RunError(
            f"the features' sound maps are of another trunk than {source.audio.trunk}, which the "
            f"bundle {source.name} has: name theirs with --trunks"
        )
    for sense, spec in (("visual", source.visual), ("audio", source.audio)):
        digest = validation.trunk_hashes.get(sense, spec.sha256)
        if digest != spec.sha256:
            raise RunError(
                f"the features were made with other {sense} weights (sha256 {digest[:12]}…) than "
                f"the bundle {source.name} has ({spec.sha256[:12]}…): name theirs with --trunks"
            )
    model = load_model(folder / "best.safetensors")
    temperature, events = tune(model, validation)
    background = [label for label in validation.labels if label.lower() in BACKGROUND_NAMES]
    return write_bundle(
        Bundle(
            name=name,
            version="1",
            path=to,
            labels=validation.labels,
            background=background[0] if background else None,
            activation="softmax",
            temperature=temperature,
            sample_rate=source.sample_rate,
            visual=source.visual,
            audio=source.audio,
            head=HeadSpec(weights=folder / "best.safetensors"),
            events=events,
            licence=licence,
            provenance=provenance,
        ),
        to,
    )


def tune(model: MAFnet, validation: FeatureSet) -> tuple[float, EventSpec]:
    """Choose the temperature and each label's thresholds on the validation set.

    The temperature minimises the cross-entropy (Guo et al. 2017, section 4.2). A label's `on` is
    where few of the videos without it score, held inside a sensible range.
    """
    answers = answer(model, validation)
    scaled = answers.logits[None] / _TEMPERATURES[:, None, None]  # (K, N, n_labels)
    scaled -= scaled.max(axis=2, keepdims=True)
    log_probabilities = scaled - np.log(np.exp(scaled).sum(axis=2, keepdims=True))
    of_truth = log_probabilities[:, np.arange(len(validation)), validation.target]
    best = int(of_truth.mean(axis=1).argmax())
    probabilities = np.exp(log_probabilities[best])
    per_label = {}
    for k, label in enumerate(validation.labels):
        elsewhere = probabilities[validation.target != k, k]
        if len(elsewhere):
            on = float(np.clip(np.quantile(elsewhere, 1 - _FALSE_SHARE), *_ON_RANGE))
            per_label[label] = {"on": round(on, 3), "off": round(on * _OFF_OF_ON, 3)}
    return round(float(_TEMPERATURES[best]), 4), EventSpec(per_label=per_label)
