"""FiLM, the lateral connection: what is seen scales and shifts the channels of what is heard.

Paper section 3.2; the block's order is the one the authors' graph computes, which the text leaves
open: the residual leaves after the first convolution's ReLU, and nothing follows the addition.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from mafnet.norm import DECAY, BatchNorm

SOUND_CHANNELS = 512  # VGGish conv4_2


class Film(nn.Module):
    """One linear layer from the raw visual vector to a gamma and a beta for every sound channel.

    Args:
        visual_dim: Width D of the visual vector.
    """

    def __init__(self, visual_dim: int) -> None:
        super().__init__()
        self.generator = nn.Linear(visual_dim, 2 * SOUND_CHANNELS)

    def forward(self, visual: Tensor) -> tuple[Tensor, Tensor]:
        """Map `(N, D)` to gamma, with the 1 added, and beta, both `(N, 512)`."""
        gamma, beta = self.generator(visual).chunk(2, dim=1)
        return 1.0 + gamma, beta


class FilmedBlock(nn.Module):
    """The residual sound block whose normalised map FiLM modulates.

    Args:
        norm_decay: See `BatchNorm`.
    """

    def __init__(self, norm_decay: float = DECAY) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(SOUND_CHANNELS, SOUND_CHANNELS, kernel_size=1)
        self.conv2 = nn.Conv2d(SOUND_CHANNELS, SOUND_CHANNELS, kernel_size=3, padding=1)
        self.norm = BatchNorm(SOUND_CHANNELS, norm_decay)

    def forward(
        self, audio: Tensor, gamma: Tensor, beta: Tensor, rows: Tensor | None = None
    ) -> Tensor:
        """Return the pooled block.

        Args:
            audio: Sound maps `(N, 512, 12, 8)`, time before mel.
            gamma: `(N, 512)`, with the 1 added.
            beta: `(N, 512)`.
            rows: bool `(N,)`, rows that hold sound; see `BatchNorm`.

        Returns:
            `(N, 512)`, the mean over the map.
        """
        residual = F.relu(self.conv1(audio))  # (N, 512, 12, 8)
        x = self.norm(self.conv2(residual), rows)
        x = gamma[:, :, None, None] * x + beta[:, :, None, None]
        x = F.relu(x) + residual  # no ReLU after the addition
        return x.mean(dim=(2, 3))  # (N, 512)
