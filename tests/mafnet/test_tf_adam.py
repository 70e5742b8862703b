import pytest
import torch

from mafnet.tf_adam import BETA1, BETA2, EPS, TensorFlowAdam


def test_steps_follow_tensorflows_formula() -> None:
    # tf.train.AdamOptimizer's documentation: eps is added after the bias correction.
    gradients = [1e-7, -3e-8, 2e-7]  # small, where the place of eps shows
    parameter = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimiser = TensorFlowAdam([parameter], lr=0.1)
    value, m, v = 0.0, 0.0, 0.0
    for t, gradient in enumerate(gradients, start=1):
        parameter.grad = torch.tensor([gradient], dtype=torch.float64)
        optimiser.step()
        m = BETA1 * m + (1 - BETA1) * gradient
        v = BETA2 * v + (1 - BETA2) * gradient**2
        value -= 0.1 * (1 - BETA2**t) ** 0.5 / (1 - BETA1**t) * m / (v**0.5 + EPS)
        assert parameter.item() == pytest.approx(value, rel=1e-12)


def test_parameter_without_a_gradient_is_left_alone() -> None:
    moved, still = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(1))
    moved.grad = torch.ones(1)
    TensorFlowAdam([moved, still]).step()
    assert still.item() == 1.0
    assert moved.item() < 1.0
