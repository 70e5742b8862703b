"""The authors' training step: three Adam optimisers, one of them drawn for each batch.

A drawn *path* only chooses which variables are updated; no input is masked, and the moving
averages of every batch norm move at each step. Each optimiser has its own moments and its own
step count. The mean softmax cross-entropy is the whole loss: no dropout, no weight decay.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator

from mafnet.compute import MixedPrecision
from mafnet.feature_set import Batch
from mafnet.model import MAFnet
from mafnet.processes import ALONE, Processes
from mafnet.rates import NO_RATES, by_factor
from mafnet.tf_adam import LR, TensorFlowAdam

# Path → the parameters it leaves alone, by prefix. The variables' optimiser slots in the authors'
# checkpoint say the same.
PATHS: dict[str, tuple[str, ...]] = {
    "all": (),
    "sound": ("picture_norm.",),
    "picture": ("film.", "filmed_block.", "sound_norm."),
}
PROBABILITIES = (0.9, 0.1, 0.0)  # of all, sound, picture; the authors' train.py


class AuthorsRecipe:
    """One training step as the authors take it.

    Args:
        model: Starts from `MAFnet.reset_parameters`, as theirs does.
        lr: The authors' 1e-4 unless told otherwise.
        mixed: Precision of the forward pass; None is float32, as theirs.
        rates: What parts' rates are multiplied with (`mafnet.rates`); theirs are all one.
        processes: Who computes shares of each batch.
    """

    def __init__(
        self,
        model: MAFnet,
        lr: float = LR,
        *,
        mixed: MixedPrecision | None = None,
        rates: Mapping[str, float] = NO_RATES,
        processes: Processes = ALONE,
    ) -> None:
        self._model = model
        self._processes = processes
        self._joined = processes.joined(model)
        self._mixed = mixed or MixedPrecision()
        self.lr = lr
        self._optimisers = {
            path: TensorFlowAdam(
                [
                    {"params": own, "lr": lr * factor}
                    for factor, own in by_factor(_moved(model, left_alone), rates).items()
                ],
                lr,
            )
            for path, left_alone in PATHS.items()
        }

    def step(self, batch: Batch, random: Generator) -> tuple[float, int]:
        """Draw a path and take a step.

        Returns:
            The loss before the step and how many of the batch were named rightly. Of several
            processes: what their sum is the batch's of.
        """
        return self.step_on(batch, str(random.choice(list(PATHS), p=np.array(PROBABILITIES))))

    def step_on(self, batch: Batch, path: str) -> tuple[float, int]:
        """Take a step on a given path: all, sound or picture."""
        self._model.train()
        self._model.zero_grad(set_to_none=True)
        weight = self._processes.weight(len(batch.target))
        batch = batch.rows(self._processes.share(len(batch.target)))
        with self._mixed.autocast():
            logits = self._joined(batch.visual, batch.audio, batch.present).logits
        loss = weight * F.cross_entropy(logits.float(), batch.target)
        self._mixed.step(loss, self._optimisers[path])
        n_right = int((logits.argmax(dim=1) == batch.target).sum())
        return loss.item() / self._processes.n, n_right

    def state_dict(self) -> dict[str, Any]:
        """Return all that a resumed run needs, tensors and plain values only."""
        states = {path: optimiser.state_dict() for path, optimiser in self._optimisers.items()}
        return {**states, "mixed": self._mixed.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` returned."""
        for path, optimiser in self._optimisers.items():
            optimiser.load_state_dict(state[path])
        self._mixed.load_state_dict(state["mixed"])


def _moved(model: MAFnet, left_alone: tuple[str, ...]) -> Iterator[tuple[str, torch.nn.Parameter]]:
    return (each for each in model.named_parameters() if not each[0].startswith(left_alone))
