"""Adam in TensorFlow's form, which the authors trained with.

TensorFlow adds eps to √v *after* folding both bias corrections into the step size, so its eps is
scaled by √(1 − β2ᵗ) compared with the paper's and torch's: after one step the two are up to 4e-5
apart at a learning rate of 1e-4.
"""

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim import Optimizer

LR = 1e-4  # the authors' learning rate
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8  # tf.train.AdamOptimizer's defaults


class TensorFlowAdam(Optimizer):
    """``tf.train.AdamOptimizer``: each instance has its own moments and its own step count.

    A parameter without a gradient in a step is left alone, its moments too.

    Args:
        parameters: What this optimiser updates, or groups with a rate of their own.
        lr: Learning rate.
    """

    def __init__(
        self, parameters: Iterable[Tensor] | Iterable[dict[str, Any]], lr: float = LR
    ) -> None:
        super().__init__(parameters, {"lr": lr, "step": 0})

    @overload
    def step(self, closure: None = ...) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update every parameter that has a gradient; no closure is taken."""
        if closure is not None:
            raise ValueError("TensorFlowAdam takes no closure")
        for group in self.param_groups:
            group["step"] += 1
            t = group["step"]
            step_size = group["lr"] * (1 - BETA2**t) ** 0.5 / (1 - BETA1**t)
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                state = self.state[parameter]
                if not state:
                    state["m"] = torch.zeros_like(parameter)
                    state["v"] = torch.zeros_like(parameter)
                m, v = state["m"], state["v"]
                m.lerp_(parameter.grad, 1 - BETA1)
                v.mul_(BETA2).addcmul_(parameter.grad, parameter.grad, value=1 - BETA2)
                parameter.addcdiv_(m, v.sqrt().add_(EPS), value=-step_size)
        return None
