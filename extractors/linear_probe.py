"""A linear classifier on frozen features: what a trunk knows, read off without teaching it.

Place in the flow: evaluation only. Softmax regression on standardized features, weighted so that
each label counts alike, from zeros by L-BFGS: the same features give the same classifier.
"""

import dataclasses

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

L2 = 1e-3  # of the weights, on standardized features
N_ITERATIONS = 60


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LinearProbe:
    """A fitted probe.

    Attributes:
        mean: Of the training features `(D,)`.
        deviation: Likewise; 1 where a feature never changes.
        weight: `(n_labels, D)`.
        bias: `(n_labels,)`; minus infinity for labels that training did not have.
    """

    mean: Tensor
    deviation: Tensor
    weight: Tensor
    bias: Tensor

    def probabilities(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Name features.

        Args:
            features: `(N, D)`.

        Returns:
            `(N, n_labels)`, rows that sum to 1.
        """
        x = (torch.from_numpy(features) - self.mean) / self.deviation
        answers: NDArray[np.float32] = (x @ self.weight.T + self.bias).softmax(dim=1).numpy()
        return answers


def fit_probe(
    features: NDArray[np.float32], labels: NDArray[np.int64], n_labels: int, l2: float = L2
) -> LinearProbe:
    """Fit a probe.

    Args:
        features: `(N, D)`.
        labels: `(N,)`, 0 to `n_labels` - 1; a label without rows is never named.
        n_labels: Outputs.
        l2: Weight decay.

    Raises:
        ValueError: The shapes do not fit, or there is nothing to fit to.
    """
    if features.ndim != 2 or labels.shape != features.shape[:1] or not len(labels):
        raise ValueError(
            f"features must be (N, D) and labels (N,), N at least 1, got {features.shape} and "
            f"{labels.shape}"
        )
    x, y = torch.from_numpy(features), torch.from_numpy(labels)
    mean, deviation = x.mean(dim=0), x.std(dim=0, correction=0)
    deviation = torch.where(deviation > 1e-6, deviation, 1.0)
    x = (x - mean) / deviation
    counts = torch.bincount(y, minlength=n_labels)
    share = torch.where(counts > 0, 1.0 / counts.clamp_min(1), 0.0)
    weight = torch.zeros(n_labels, features.shape[1], requires_grad=True)
    bias = torch.zeros(n_labels, requires_grad=True)
    never = torch.where(counts > 0, 0.0, -torch.inf)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=N_ITERATIONS, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits = x @ weight.T + bias + never
        value = F.cross_entropy(logits, y, weight=share) + l2 * weight.square().sum()
        torch.autograd.backward(value)
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]  # torch's own
    return LinearProbe(
        mean=mean, deviation=deviation, weight=weight.detach(), bias=bias.detach() + never
    )
