"""Batch normalisation as the paper's graph has it: torch's differs in three numbers.

torch's moving variance is the unbiased one, its eps defaults to 1e-5 and its momentum to 0.1;
the authors' graph keeps the biased variance, eps 1e-3 and 0.999 of the old value. With eps 1e-5
alone the logits move by 0.14 and every one of four reference videos changes its class.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPS = 1e-3  # authors' graph, tf.nn.batch_normalization's variance_epsilon
DECAY = 0.999  # authors' graph: moving = 0.999·moving + 0.001·batch


class BatchNorm(nn.Module):
    """Normalises channels (axis 1) over every other axis, with biased moving variance.

    Args:
        n_channels: Channels C.
        decay: What stays of the old moving average at a step; the paper's 0.999 needs thousands
            of steps to settle, so a short training wants less.

    Attributes:
        frozen: In training too it normalises by the averages and leaves them alone.
        over_processes: A batch is spread over the processes of `torch.distributed`: statistics are
            the whole batch's. All of them must call together.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, n_channels: int, decay: float = DECAY) -> None:
        super().__init__()
        self.decay = decay
        self.frozen = False
        self.over_processes = False
        self.weight = nn.Parameter(torch.ones(n_channels))
        self.bias = nn.Parameter(torch.zeros(n_channels))
        self.register_buffer("running_mean", torch.zeros(n_channels))
        self.register_buffer("running_var", torch.ones(n_channels))

    def forward(self, x: Tensor, rows: Tensor | None = None) -> Tensor:
        """Normalise ``x``; in training by its own statistics, which move the averages.

        Args:
            x: `(N, C)` or `(N, C, H, W)`, float32, or 16 bits under autocast.
            rows: bool `(N,)`: rows that hold data. Only they count in the batch statistics; all
                rows are normalised. None means all.

        Returns:
            The shape of ``x``.
        """
        if not self.training or self.frozen:
            return self._normalise(x, self.running_mean, self.running_var)
        seen = x if rows is None else x[rows]
        found = _of_all(seen) if self.over_processes else _of(seen)
        if found is None:
            return self._normalise(x, self.running_mean, self.running_var)
        var, mean = found
        with torch.no_grad():
            self.running_mean.lerp_(mean, 1.0 - self.decay)
            self.running_var.lerp_(var, 1.0 - self.decay)
        if rows is None and not self.over_processes:
            # The fused kernel: same numbers, half the time.
            return F.batch_norm(x, None, None, self.weight, self.bias, training=True, eps=EPS)
        return self._normalise(x, mean, var)

    def _normalise(self, x: Tensor, mean: Tensor, var: Tensor) -> Tensor:
        if not (mean.requires_grad or var.requires_grad):
            return F.batch_norm(x, mean, var, self.weight, self.bias, training=False, eps=EPS)
        shape = (1, -1) + (1,) * (x.ndim - 2)  # gradients must pass through the statistics
        scale = self.weight * torch.rsqrt(var + EPS)
        return (x - mean.view(shape)) * scale.view(shape) + self.bias.view(shape)


def _of(seen: Tensor) -> tuple[Tensor, Tensor] | None:
    # Biased variance and mean of each channel; None without rows.
    if seen.shape[0] == 0:
        return None
    axes = [axis for axis in range(seen.ndim) if axis != 1]
    var, mean = torch.var_mean(seen.float(), dim=axes, correction=0)
    return var, mean


def _of_all(seen: Tensor) -> tuple[Tensor, Tensor] | None:
    # The same over the rows of all processes: own means and variances, put together by Chan's rule.
    own = _of(seen)
    if own is None:  # zeros that depend on the rows, so that going back meets the others' sums
        nothing = seen.float().flatten(2).sum(dim=(0, 2)) if seen.ndim > 2 else seen.sum(dim=0)
        own = nothing, nothing
    var, mean = own
    n_own = seen.numel() // seen.shape[1]
    sums = total(torch.cat([n_own * mean, mean.new_tensor([n_own])]))
    n_all = sums[-1].detach()
    if not n_all:
        return None
    mean_of_all = sums[:-1] / n_all
    squares = total(n_own * (var + (mean - mean_of_all) ** 2))
    return squares / n_all, mean_of_all


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, values: Tensor) -> Tensor:
        sums = values.clone()
        torch.distributed.all_reduce(sums)
        return sums

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        sums = gradients[0].clone()
        torch.distributed.all_reduce(sums)
        return sums


def total(values: Tensor) -> Tensor:
    """Sum values over all processes; each one's loss counts in every process's gradient."""
    sums: Tensor = _Total.apply(values)
    return sums
