"""The YAMNet trunk: a second's log-mel picture to a sound map and the classes of AudioSet.

Place in the flow: log-mel → **YAMNet trunk** → MAFnet. Its own classifier of 521 sound classes
stays reachable beside the map: it knows sounds that the project has no files of. It knows nothing
of files: weights come through `extractors.sound`.

Source: Google's YAMNet (`yamnet.py`, `params.py` in tensorflow/models, research/audioset/yamnet;
Apache-2.0): MobileNet v1's depthwise-separable blocks. Same layers, channels first.
"""

from __future__ import annotations

from typing import ClassVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from extractors.log_mel import N_MEL_FRAMES, N_MELS, LogMel
from extractors.sound_trunk import FrontEnd, SoundTrunk

STEM_CHANNELS = 32  # yamnet.py _YAMNET_LAYER_DEFS, layer1
# Channels out and stride of layer2 to layer14, yamnet.py _YAMNET_LAYER_DEFS.
BLOCKS: tuple[tuple[int, int], ...] = (
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
)
NORM_EPS = 1e-4  # params.py batchnorm_epsilon
LOG_OFFSET = 0.001  # params.py log_offset: silence is ln 0.001


class YAMNetLogMel(LogMel):
    """VGGish's log-mel with YAMNet's offset."""

    def __init__(self) -> None:
        super().__init__(LOG_OFFSET)


class NormedConv(nn.Module):
    """A 3×3 or 1×1 convolution, its norm and ReLU, padded as TensorFlow's SAME does.

    Args:
        n_in: Channels in.
        n_out: Channels out.
        size: Of the kernel, 3 or 1.
        stride: 1 or 2.
        depthwise: One kernel a channel; then `n_out` is `n_in`.
    """

    def __init__(
        self, n_in: int, n_out: int, size: int, stride: int = 1, depthwise: bool = False
    ) -> None:
        super().__init__()
        # With stride 2 on an even length SAME puts its one row of zeros at the end.
        self._pads_end = stride == 2
        self.conv = nn.Conv2d(
            n_in,
            n_out,
            kernel_size=size,
            stride=stride,
            padding=0 if self._pads_end else size // 2,
            groups=n_in if depthwise else 1,
            bias=False,
        )
        self.norm: nn.Module = nn.BatchNorm2d(n_out, eps=NORM_EPS)
        self.norm.register_parameter("weight", None)  # params.py batchnorm_scale = False

    def forward(self, x: Tensor) -> Tensor:
        """Map `(B, n_in, H, W)` to `(B, n_out, H / stride, W / stride)`."""
        if self._pads_end:
            x = F.pad(x, (0, 1, 0, 1))
        return F.relu(self.norm(self.conv(x)))

    def fold(self) -> None:
        """Fold the norm into the convolution, in place."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv, self.norm)
            self.norm = nn.Identity()


class YAMNetTrunk(SoundTrunk):
    """Fourteen layers of convolutions to a map of 1024 channels, and a classifier on its mean."""

    dim: ClassVar[int] = 1024  # channels of the map; its mean is YAMNet's embedding
    map_size: ClassVar[tuple[int, int]] = (3, 2)  # time by mel
    n_classes: ClassVar[int] = 521  # AudioSet's, in the order of yamnet_class_map.csv
    front_end: ClassVar[type[FrontEnd]] = YAMNetLogMel

    def __init__(self) -> None:
        super().__init__()
        self.stem = NormedConv(1, STEM_CHANNELS, 3, stride=2)
        blocks = []
        n_in = STEM_CHANNELS
        for n_out, stride in BLOCKS:
            depthwise = NormedConv(n_in, n_in, 3, stride, depthwise=True)
            blocks.append(nn.Sequential(depthwise, NormedConv(n_in, n_out, 1)))
            n_in = n_out
        self.blocks = nn.Sequential(*blocks)
        self.classifier = nn.Linear(self.dim, self.n_classes)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Compute the last block's map.

        Args:
            log_mel: `(B, 1, 96, 64)` float32, time by mel, from `YAMNetLogMel`.

        Returns:
            `(B, 1024, 3, 2)` float32, not negative.

        Raises:
            ValueError: If the picture has another shape.
        """
        if log_mel.ndim != 4 or log_mel.shape[1:] != (1, N_MEL_FRAMES, N_MELS):
            raise ValueError(
                f"log_mel must be (B, 1, {N_MEL_FRAMES}, {N_MELS}), got {tuple(log_mel.shape)}"
            )
        return cast(Tensor, self.blocks(self.stem(log_mel)))

    def class_logits(self, sound_map: Tensor) -> Tensor:
        """Name the seconds in AudioSet's classes; a sigmoid makes YAMNet's scores of it.

        Args:
            sound_map: What `forward` gave, `(B, 1024, 3, 2)`.

        Returns:
            Logits `(B, 521)`, float32.
        """
        return cast(Tensor, self.classifier(sound_map.mean(dim=(2, 3))))

    def fold(self) -> None:
        """Fold every norm into its convolution, in place.

        Only for inference, after loading: the parameters no longer fit the weights file.
        """
        with torch.no_grad():
            for module in self.modules():
                if isinstance(module, NormedConv):
                    module.fold()
