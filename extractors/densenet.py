"""DenseNet-201, the paper's picture trunk (paper section III-A; Huang et al. 2017).

torchvision's layers and names; the pooled 1920 values are what the authors take from
Keras's DenseNet201 without its top. torchvision's `.features` ends in a batch norm, Keras's
model in the ReLU after it: that ReLU is applied here. It knows nothing of files: weights come
through `extractors.visual`.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import nn
from torchvision.models import densenet201

from extractors.frame_transform import DENSENET201_TRANSFORM, FrameTransform
from extractors.visual_trunk import VisualTrunk


class DenseNet201Trunk(VisualTrunk):
    """Pictures to pooled DenseNet-201 features; parameter names are torchvision's."""

    dim: ClassVar[int] = 1920
    transform: ClassVar[FrameTransform] = DENSENET201_TRANSFORM

    def __init__(self) -> None:
        super().__init__()
        self.features: nn.Module = densenet201(weights=None).features

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Encodes each picture on its own.

        Args:
            frames: Normalized pictures `(B, 3, 224, 224)`, float32.

        Returns:
            Features `(B, 1920)`, float32, none negative.

        Raises:
            ValueError: `frames` has another shape.
        """
        if frames.ndim != 4 or frames.shape[1] != 3:
            raise ValueError(f"frames must be (B, 3, 224, 224), got {tuple(frames.shape)}")
        feature_map = F.relu(self.features(frames))  # (B, 1920, 7, 7)
        return feature_map.mean(dim=(2, 3))
