"""Which network a weights file belongs to: a name, its configuration, and numbers it must give.

A changed attention has the shapes of an unchanged one, so weights of the one load into the other
and answer otherwise. What a training run saves therefore says in its safetensors header which
network it is, and what that network answers to one fixed input: code that computes something else
is refused, whether or not somebody thought of a new name. Files without it (the shipped bundles',
converted ones) are the paper's network.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mafnet.attention import ATTENTIONS, Attention
from mafnet.model import MAFnet, MAFnetConfig
from weights.errors import BundleError
from weights.tensor_files import read_metadata

NAME = "mafnet"  # of what `mafnet.model` computes; another network takes another name
_N_LOGITS = 32  # of each window: enough to tell, and a line of text for any number of labels
_STEP = 0.6180339887498949  # the golden ratio's fraction: its multiples fill [0, 1) evenly
_TOLERANCE = 1e-3  # of the largest logit; float32 on other machines differs by 1e-5


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """What a weights file says of its network.

    Attributes:
        film: The picture modulates the sound.
        attention: How clips and senses are weighed.
        visual_dim: Width D of the visual vector.
        n_labels: Labels.
        sound_map: Channels, time and mel.
        probe: What it answers to the fixed input.
    """

    film: bool
    attention: Attention
    visual_dim: int
    n_labels: int
    sound_map: tuple[int, int, int]
    probe: tuple[float, ...]


def architecture_metadata(model: MAFnet) -> dict[str, str]:
    """Describe a network for the header of its weights file."""
    config = model.config
    described = {
        "film": config.film,
        "attention": config.attention,
        "visual_dim": config.visual_dim,
        "n_labels": config.n_labels,
        "sound_map": config.sound_map,
        "probe": [float(f"{value:.7g}") for value in _probe(model)],
    }
    return {"architecture": NAME, "configuration": json.dumps(described)}


def read_architecture(path: Path) -> Architecture | None:
    """Read what a weights file says of its network; None where it says nothing.

    Raises:
        OSError: It cannot be read.
        BundleError: It belongs to another network, or says it in another form.
    """
    metadata = read_metadata(path)
    name = metadata.get("architecture")
    if name is None:
        return None
    if name != NAME:
        raise BundleError(
            f"{path}: weights of the architecture {name!r:.40}, this program has {NAME!r}: load "
            "them with the code that trained them"
        )
    try:
        fields = json.loads(metadata["configuration"])
        channels, n_times, n_mels = map(int, fields.pop("sound_map"))
        found = Architecture(
            **{**fields, "probe": tuple(map(float, fields["probe"]))},
            sound_map=(channels, n_times, n_mels),
        )
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise BundleError(f"{path}: its header describes no network of this program") from error
    if found.attention not in ATTENTIONS or not isinstance(found.film, bool):
        raise BundleError(f"{path}: its header describes no network of this program")
    return found


def configured(config: MAFnetConfig, found: Architecture, path: Path) -> MAFnetConfig:
    """Return a configuration with what a file says of its network.

    Raises:
        BundleError: Widths, labels or sound maps are not the configuration's.
    """
    wanted = (config.visual_dim, config.n_labels, config.sound_map)
    got = (found.visual_dim, found.n_labels, found.sound_map)
    if wanted != got:
        raise BundleError(
            f"{path}: weights for (visual width, labels, sound map) {got}, wanted {wanted}"
        )
    return replace(config, film=found.film, attention=found.attention)


def check_architecture(model: MAFnet, found: Architecture, path: Path) -> None:
    """Ask a loaded network what its file says it answers.

    Raises:
        BundleError: It answers something else.
    """
    wanted, got = np.array(found.probe), np.array(_probe(model))
    if wanted.shape == got.shape:
        difference = float(np.abs(got - wanted).max())
        if difference <= _TOLERANCE * max(1.0, float(np.abs(wanted).max())):
            return
        told = f"its logits differ by {difference:.3g}"
    else:
        told = f"it has {len(wanted)} numbers to compare, not {len(got)}"
    raise BundleError(
        f"{path}: trained by code that computes another network than this program's ({told}): "
        "load it with that code"
    )


@torch.inference_mode()
def _probe(model: MAFnet) -> list[float]:
    """Ask about two windows of two clips; the second lacks a sound, then a picture."""
    config = model.config
    visual = _even(2, 2, config.visual_dim)
    audio = _even(2, 2, *config.sound_map)
    present = torch.tensor([[[True, True], [True, True]], [[True, False], [False, True]]])
    was_training = model.training
    logits = model.eval()(visual, audio, present).logits[:, :_N_LOGITS]
    model.train(was_training)
    return [float(value) for value in logits.flatten()]


def _even(*shape: int) -> Tensor:
    # The same on every machine: multiplied and cut in double precision, rounded once.
    numbers = np.arange(1, int(np.prod(shape)) + 1, dtype=np.float64) * _STEP % 1.0
    return torch.from_numpy(numbers.astype(np.float32).reshape(shape))
