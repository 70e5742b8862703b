"""FiLM, the lateral connection: what is seen scales and shifts the channels of what is heard.

Paper section 3.2; the block's order is the one the authors' graph computes, which the text leaves
open: the residual leaves after the first convolution's ReLU, and nothing follows the addition.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mafnet.norm import DECAY, BatchNorm

SOUND_CHANNELS = 512  # of the block, whatever goes in; VGGish conv4_2 has as many


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
        n_in: Channels C of the sound maps; 512 in the paper.

    Attributes:
        shares_repeats: Convolve sound maps that repeat in a batch once. Looped short sounds repeat
            theirs, and the convolutions are nearly all of a training step's time. The result is
            the same up to rounding; off unless training asks for it, so that a graph can be traced.
    """

    def __init__(self, norm_decay: float = DECAY, n_in: int = SOUND_CHANNELS) -> None:
        super().__init__()
        self.shares_repeats = False
        self.conv1 = nn.Conv2d(n_in, SOUND_CHANNELS, kernel_size=1)
        self.conv2 = nn.Conv2d(SOUND_CHANNELS, SOUND_CHANNELS, kernel_size=3, padding=1)
        self.norm = BatchNorm(SOUND_CHANNELS, norm_decay)

    def forward(
        self, audio: Tensor, gamma: Tensor, beta: Tensor, rows: Tensor | None = None
    ) -> Tensor:
        """Return the pooled block.

        Args:
            audio: Sound maps `(N, C, H, W)`, time before mel; the paper's are 512 × 12 × 8.
            gamma: `(N, 512)`, with the 1 added.
            beta: `(N, 512)`.
            rows: bool `(N,)`, rows that hold sound; see `BatchNorm`.

        Returns:
            `(N, 512)`, the mean over the map.
        """
        repeats = _repeats(audio) if self.shares_repeats else None
        if repeats is not None:
            first, place = repeats
            audio = audio.index_select(0, first).contiguous(memory_format=torch.channels_last)
        residual = F.relu(self.conv1(audio))  # (N, 512, H, W)
        x = self.conv2(residual)
        if repeats is not None:
            x, residual = x.index_select(0, place), residual.index_select(0, place)
        return self.modulate(self.norm(x, rows), residual, gamma, beta)

    def convolve(self, audio: Tensor) -> Tensor:
        """Compute, in evaluation, what looks at the sound alone: nearly all of the block's work.

        Args:
            audio: Sound maps `(N, C, H, W)`.

        Returns:
            `(N, 2, 512, H, W)`: what `modulate` takes as `x`, and the residual.
        """
        residual = F.relu(self.conv1(audio))
        return torch.stack((self.norm(self.conv2(residual)), residual), dim=1)

    def modulate(self, x: Tensor, residual: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
        """Return the pooled block `(N, 512)` from the normalised map and the residual."""
        x = gamma[:, :, None, None] * x + beta[:, :, None, None]
        x = F.relu(x) + residual  # no ReLU after the addition
        return x.mean(dim=(2, 3))  # (N, 512)


class SoundConvolutions(nn.Module):
    """`FilmedBlock.convolve` as a module, for whoever runs it elsewhere than in torch."""

    def __init__(self, block: FilmedBlock) -> None:
        super().__init__()
        self.block = block

    def forward(self, audio: Tensor) -> Tensor:
        """Map `(N, C, H, W)` to `(N, 2, 512, H, W)`."""
        return self.block.convolve(audio)


def _repeats(maps: Tensor) -> tuple[Tensor, Tensor] | None:
    # (rows that come for the first time, each row's place among those), None if none repeats.
    # Sums find the candidates; only maps that are equal throughout are taken for the same.
    first: list[int] = []
    place: list[int] = []
    with_sum: dict[float, list[int]] = {}  # → places in `first`
    for row, total in enumerate(maps.sum(dim=(1, 2, 3)).tolist()):
        same = with_sum.setdefault(total, [])
        found = next((k for k in same if torch.equal(maps[first[k]], maps[row])), None)
        if found is None:
            found = len(first)
            same.append(found)
            first.append(row)
        place.append(found)
    if len(first) == len(place):
        return None
    device = maps.device
    return torch.tensor(first, device=device), torch.tensor(place, device=device)
