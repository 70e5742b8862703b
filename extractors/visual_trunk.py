"""What every picture trunk is: a torch module with a width, a transform, and a forward pass."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from extractors.frame_transform import FrameTransform


class VisualTrunk(nn.Module):
    """Pictures to pooled features: `forward` maps `(B, 3, size, size)` to `(B, dim)`, float32.

    Each picture is encoded on its own, and the constructor takes nothing: weights are loaded into
    `state_dict`. The size is the transform's.

    Attributes:
        dim: Values of a picture's feature.
        transform: What makes the network's picture of a frame.
    """

    dim: ClassVar[int]
    transform: ClassVar[FrameTransform]

    def fold(self) -> None:
        """Make it faster in place, for inference, after loading; does nothing here."""
