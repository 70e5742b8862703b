"""Fine-tuning: a network that begins with a bundle's weights, some of them left as they are.

Labels may be others: a label that the bundle has too keeps its row of the head, a new one is drawn.
Any number of clips will do, since nothing in the network depends on T. What a bundle's trunks say
by their own classes (`mafnet.evidence`) is not taken along, nor a head that only corrects it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from mafnet.errors import FeaturesError
from mafnet.feature_set import FeatureSet
from mafnet.load import load_head
from mafnet.model import MAFnet
from mafnet.norm import BatchNorm
from mafnet.trunk_choice import check_trunks
from weights.bundle import Bundle, load_bundle

# What may be left as it is, and the modules that it is made of.
PARTS: dict[str, tuple[str, ...]] = {
    "film": ("film",),
    "sound": ("filmed_block", "sound_dense", "sound_norm"),
    "picture": ("picture_dense", "picture_norm"),
    "attention": ("attention",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where fine-tuning begins.

    Attributes:
        bundle: Whose weights.
        model: Its network, on the CPU.
        frozen: Names of `PARTS` that stay as they are, their statistics too.
    """

    bundle: Bundle
    model: MAFnet
    frozen: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """What tells one start from another."""
        return f"{self.bundle.head.sha256} {sorted(self.frozen)}"

    def shared(self, labels: Sequence[str]) -> list[str]:
        """Return the labels whose rows of the head are taken over."""
        if self.model.evidence is not None:
            return []
        return [label for label in labels if label in self.bundle.labels]

    @torch.no_grad()
    def apply(self, model: MAFnet, labels: Sequence[str]) -> None:
        """Set a network's weights, and freeze what stays.

        Args:
            model: Of the same form as the bundle's, but for its labels.
            labels: The model's.

        Raises:
            FeaturesError: A width or the form is another.
        """
        ours, theirs = model.config, self.model.config
        for what in ("visual_dim", "sound_map", "film", "attention"):
            wanted, got = getattr(theirs, what), getattr(ours, what)
            if wanted != got:
                raise FeaturesError(
                    f"the bundle {self.bundle.name} has {what} {wanted}, this run {got}: it cannot "
                    "start there"
                )
        state = model.state_dict()
        for name, value in self.model.state_dict().items():
            if name.split(".")[0] not in ("head", "head_norm", "evidence"):
                state[name].copy_(value)
        shared = self.shared(labels)
        new = [list(labels).index(label) for label in shared]
        old = [self.bundle.labels.index(label) for label in shared]
        for name, value in self.model.state_dict().items():
            if name.split(".")[0] in ("head", "head_norm"):
                state[name][new] = value[old]
        for part in self.frozen:
            for module_name in PARTS[part]:
                _freeze(getattr(model, module_name))


def load_start(name: str, training: FeatureSet, frozen: Sequence[str] = ()) -> Start:
    """Load a bundle to start from.

    Args:
        name: starter, ave or a bundle's folder.
        training: What will be learnt.
        frozen: Names of `PARTS`.

    Raises:
        RunError: Other trunks made the features than the bundle has.
        WeightsError: The bundle cannot be used.
    """
    bundle = load_bundle(name)
    check_trunks(training, bundle.visual, bundle.audio)
    return Start(bundle=bundle, model=load_head(bundle), frozen=tuple(frozen))


def _freeze(module: nn.Module | None) -> None:
    if module is not None:  # an ablated one
        module.requires_grad_(False)
        for each in module.modules():
            if isinstance(each, BatchNorm):
                each.frozen = True
