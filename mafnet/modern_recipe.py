"""A recipe of today beside the authors': one AdamW, cosine, label smoothing, mixup, dropped senses.

Dropping whole senses is what makes the network usable live: a stream loses its camera or its
microphone, and the attention must then have learnt to do without.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from torch import Tensor

from mafnet.compute import MixedPrecision
from mafnet.feature_set import Batch
from mafnet.model import MAFnet
from mafnet.processes import ALONE, Processes
from mafnet.rates import NO_RATES, by_factor

LR = 5e-4
WEIGHT_DECAY = 0.02
SMOOTHING = 0.1
MIXUP = 0.3  # both parameters of the Beta that mixing weights are drawn from
DROP_SENSE = 0.15  # of the videos, for each sense; never both
NORM_DECAY = 0.98  # the paper's 0.999 lags behind a schedule this short
_WARM_UP = 0.05  # share of the steps over which the rate rises
_CLIP_NORM = 5.0


class ModernRecipe:
    """One step of the modern recipe.

    Args:
        model: Made with `NORM_DECAY`.
        n_steps: Steps of the whole run, over which the rate falls along a cosine.
        lr: Peak learning rate; from the first step on the attribute is the last step's.
        mixed: Precision of the forward pass; None is float32.
        rates: What parts' rates are multiplied with; see `mafnet.rates`.
        label_weights: `(n_labels,)` float32, of each label's videos in the loss; None: all alike.
        processes: Who computes shares of each batch.
    """

    def __init__(
        self,
        model: MAFnet,
        n_steps: int,
        lr: float = LR,
        *,
        mixed: MixedPrecision | None = None,
        rates: Mapping[str, float] = NO_RATES,
        label_weights: Tensor | None = None,
        processes: Processes = ALONE,
    ) -> None:
        self._model = model
        self._processes = processes
        self._joined = processes.joined(model)
        self._label_weights = label_weights
        self._mixed = mixed or MixedPrecision()
        self._n_steps = n_steps
        self._lr = lr
        self._step = 0
        self.lr = lr
        self._optimiser = torch.optim.AdamW(
            [
                {"params": kept, "weight_decay": decay, "factor": factor}
                for factor, own in by_factor(model.named_parameters(), rates).items()
                for decay, kept in (
                    (WEIGHT_DECAY, [parameter for parameter in own if parameter.ndim > 1]),
                    (0.0, [parameter for parameter in own if parameter.ndim <= 1]),
                )
            ],
            lr=lr,
        )

    def step(self, batch: Batch, random: Generator) -> tuple[float, int]:
        """Mix, drop senses and take a step; see `AuthorsRecipe.step`."""
        self._model.train()
        self.lr = self._lr * self._schedule()
        for group in self._optimiser.param_groups:
            group["lr"] = self.lr * group["factor"]
        self._optimiser.zero_grad(set_to_none=True)
        # All is drawn for the whole batch, by every process alike.
        partner, weight = _draw_mixing(batch, random)
        present = _drop_senses(batch, random)
        share = self._processes.share(len(batch.target))
        share_weight = self._processes.weight(len(batch.target))
        batch, other = batch.rows(share), batch.rows(partner[share])
        weight = weight[share]
        with self._mixed.autocast():
            output = self._joined(*_mixed(batch, other, weight), present[share])
        logits = output.logits.float()
        if batch.label_sets is None or other.label_sets is None:
            losses = weight * self._losses(logits, batch.target)
            losses = losses + (1 - weight) * self._losses(logits, other.target)
        else:
            both = torch.lerp(other.label_sets, batch.label_sets, weight[:, None])
            losses = label_set_losses(logits, both)
        loss = share_weight * losses.mean()
        self._mixed.step(loss, self._optimiser, self._clip)
        self._step += 1
        told = loss.item() / self._processes.n
        if batch.label_sets is not None and other.label_sets is not None:
            heavier = torch.where((weight >= 0.5)[:, None], batch.label_sets, other.label_sets)
            return told, int(heavier.gather(1, logits.argmax(dim=1)[:, None]).sum())
        heavier = torch.where(weight >= 0.5, batch.target, other.target)
        return told, int((logits.argmax(dim=1) == heavier).sum())

    def _losses(self, logits: Tensor, target: Tensor) -> Tensor:
        losses = F.cross_entropy(logits, target, label_smoothing=SMOOTHING, reduction="none")
        return losses if self._label_weights is None else losses * self._label_weights[target]

    def _clip(self) -> Tensor:
        return torch.nn.utils.clip_grad_norm_(self._model.parameters(), _CLIP_NORM)

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resumed run needs, tensors and plain values only."""
        return {
            "step": self._step,
            "optimiser": self._optimiser.state_dict(),
            "mixed": self._mixed.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` returned."""
        self._step = int(state["step"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._mixed.load_state_dict(state["mixed"])

    def _schedule(self) -> float:
        done = self._step / self._n_steps
        if done < _WARM_UP:
            return (self._step + 1) / (math.ceil(_WARM_UP * self._n_steps) + 1)
        return 0.5 * (1 + math.cos(math.pi * (done - _WARM_UP) / (1 - _WARM_UP)))


def label_set_losses(logits: Tensor, label_sets: Tensor) -> Tensor:
    """Return the binary cross-entropy of each video, `(B,)`: the sum over its labels, in nats.

    Args:
        logits: `(B, n_labels)`.
        label_sets: Likewise, from 0 to 1.
    """
    return F.binary_cross_entropy_with_logits(logits, label_sets, reduction="none").sum(dim=1)


def _draw_mixing(batch: Batch, random: Generator) -> tuple[Tensor, Tensor]:
    n_videos = len(batch.target)
    device = batch.target.device
    partner = torch.from_numpy(random.permutation(n_videos)).to(device)
    drawn = random.beta(MIXUP, MIXUP, n_videos).astype(np.float32)
    weight = torch.from_numpy(drawn).to(device)
    if batch.present is not None:  # what one of the two lacks cannot be mixed
        same = (batch.present == batch.present[partner]).flatten(1).all(dim=1)
        weight = torch.where(same, weight, 1.0)
    return partner, weight


def _mixed(batch: Batch, other: Batch, weight: Tensor) -> tuple[Tensor, Tensor]:
    return (
        torch.lerp(other.visual, batch.visual, weight[:, None, None]),
        torch.lerp(other.audio, batch.audio, weight[:, None, None, None, None]),
    )


def _drop_senses(batch: Batch, random: Generator) -> Tensor:
    n_videos, n_clips, _ = batch.visual.shape
    drawn = random.random(n_videos)
    kept = np.stack([drawn >= DROP_SENSE, drawn < 1 - DROP_SENSE], axis=1)  # never both dropped
    present = torch.from_numpy(kept).to(batch.target.device)[:, None].expand(n_videos, n_clips, 2)
    if batch.present is None:
        return present
    left = present & batch.present
    # Of a video with one sense alone that one is never dropped.
    return torch.where(left.flatten(1).any(dim=1)[:, None, None], left, batch.present)
