"""How far a trunk's features may lie from torch's in float32, whatever else computes them.

As relative L2 distance of the features of noise. In float32 sums in another order lie under 1e-6
away, a wrong graph over 1e-2 (tests/parity/test_backends_parity.py). The bounds of half precision
admit its rounding, of a graph that float32 has shown to be right: DenseNet-201 lay 0.02 to 0.027
away, VGGish 0.016 to 0.032, by its weights, YAMNet 0.030, EfficientNet-Lite0 0.092. (Starter 6, on
real input: 0.015 on half of 86 sounds and at most 0.047; 0.05 to 0.06 on photographs.)
docs/lab/2026-11-25-precision.md tells what that changes in what the bundle says.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

FLOAT32 = 1e-4
HALF = 0.03
_WIDER_HALVES = {
    "efficientnet_lite0": 0.12,
    "vggish": 0.04,  # not normalised between layers
    "yamnet": 0.06,
}


def tolerance(trunk: str, precision: str) -> float:
    """Return the bound for a trunk's name and float32, bfloat16 or float16."""
    return FLOAT32 if precision == "float32" else _WIDER_HALVES.get(trunk, HALF)


def relative_distance(exact: Tensor, rough: Tensor) -> float:
    """Return the L2 distance of two tensors, relative to `exact`; NaN where nothing sensible is."""
    exact = exact.cpu()
    return float((exact - rough.cpu()).norm() / exact.norm().clamp_min(1e-12))


def noise(
    size: int, n_images: int, sound_shape: tuple[int, ...]
) -> tuple[NDArray[np.uint8], Tensor]:
    """Return the same pictures and the same second of noise every time.

    Args:
        size: Of a picture's side.
        n_images: How many pictures.
        sound_shape: Of what a sound trunk reads a second as.

    Returns:
        Pictures `(n, size, size, 3)`, uint8, and a second `(1, *sound_shape)`, float32.
    """
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (n_images, size, size, 3), dtype=np.uint8)
    log_mel = random.normal(-3.0, 1.0, (1, *sound_shape)).astype(np.float32)
    return images, torch.from_numpy(log_mel)
