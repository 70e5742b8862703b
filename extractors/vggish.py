"""The VGGish trunk: a second's log-mel picture to the sound map that MAFnet reads.

Place in the flow: log-mel → **VGGish trunk** → MAFnet. It stops at conv4_2 after its ReLU, before
pool4: no embedding, no PCA, no quantisation.

Source: the public VGGish (`vggish_slim.py`), as the MAFnet authors cut it. Same layers, channels
first.
"""

from typing import ClassVar, cast

import torch.nn.functional as F
from torch import Tensor, nn

from extractors.log_mel import N_MEL_FRAMES, N_MELS, LogMel
from extractors.sound_trunk import FrontEnd, SoundTrunk

# Layer, channels in, channels out, and whether a 2×2 pool follows; names from vggish_slim.py.
LAYERS: tuple[tuple[str, int, int, bool], ...] = (
    ("conv1", 1, 64, True),
    ("conv2", 64, 128, True),
    ("conv3_1", 128, 256, False),
    ("conv3_2", 256, 256, True),
    ("conv4_1", 256, 512, False),
    ("conv4_2", 512, 512, False),
)


class VGGishTrunk(SoundTrunk):
    """Six 3×3 convolutions with bias and ReLU, three pools; no batch norm, as published."""

    dim: ClassVar[int] = 512
    map_size: ClassVar[tuple[int, int]] = (12, 8)
    front_end: ClassVar[type[FrontEnd]] = LogMel

    def __init__(self) -> None:
        super().__init__()
        for name, n_in, n_out, _ in LAYERS:
            self.add_module(name, nn.Conv2d(n_in, n_out, kernel_size=3, padding=1))

    def convolution(self, name: str) -> nn.Conv2d:
        """Look a layer up by its upstream name, typed.

        Args:
            name: One of the names in `LAYERS`.

        Returns:
            That convolution.
        """
        return cast(nn.Conv2d, self.get_submodule(name))

    def forward(self, log_mel: Tensor) -> Tensor:
        """Compute conv4_2 after its ReLU.

        Args:
            log_mel: `(B, 1, 96, 64)` float32, time by mel, from `LogMel`.

        Returns:
            `(B, 512, 12, 8)` float32, not negative.

        Raises:
            ValueError: If the picture has another shape.
        """
        if log_mel.ndim != 4 or log_mel.shape[1:] != (1, N_MEL_FRAMES, N_MELS):
            raise ValueError(
                f"log_mel must be (B, 1, {N_MEL_FRAMES}, {N_MELS}), got {tuple(log_mel.shape)}"
            )
        x = log_mel
        for name, _, _, pooled in LAYERS:
            x = F.relu(self.convolution(name)(x))
            x = F.max_pool2d(x, 2) if pooled else x
        return x
