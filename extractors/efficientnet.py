"""EfficientNet-Lite0, the starter's picture trunk (Tan and Le 2019; timm's architecture).

Its ImageNet classifier stays reachable beside the features: it names things that the
project's own pictures do not show. It knows nothing of files: weights come through
`extractors.visual`.
"""

from __future__ import annotations

from typing import ClassVar, cast

import timm
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from extractors.frame_transform import EFFICIENTNET_LITE0_TRANSFORM, FrameTransform
from extractors.visual_trunk import VisualTrunk


class EfficientNetLite0Trunk(VisualTrunk):
    """Pictures to pooled EfficientNet-Lite0 features; parameter names are timm's."""

    dim: ClassVar[int] = 1280
    n_classes: ClassVar[int] = 1000  # ImageNet-1k, in its usual order
    transform: ClassVar[FrameTransform] = EFFICIENTNET_LITE0_TRANSFORM

    def __init__(self) -> None:
        super().__init__()
        self.network: nn.Module = timm.create_model("tf_efficientnet_lite0", pretrained=False)

    @property
    def classifier(self) -> nn.Linear:
        """The ImageNet classifier: weight `(1000, 1280)`, bias `(1000,)`."""
        return cast(nn.Linear, self.network.classifier)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Encodes each picture on its own.

        Args:
            frames: Normalized pictures `(B, 3, 224, 224)`, float32.

        Returns:
            Features `(B, 1280)`, float32: the mean over space before the classifier.

        Raises:
            ValueError: `frames` has another shape.
        """
        if frames.ndim != 4 or frames.shape[1] != 3:
            raise ValueError(f"frames must be (B, 3, 224, 224), got {tuple(frames.shape)}")
        feature_map: torch.Tensor = self.network.forward_features(frames)  # type: ignore[operator]  # timm's method
        return feature_map.mean(dim=(2, 3))

    def fold(self) -> None:
        """Folds every batch norm into its convolution, in place: a fifth faster on a CPU.

        The features stay within 1e-4. Only for inference, after loading: the parameters no
        longer fit the weights file.
        """
        convolution = ""
        for name, module in list(self.network.named_modules()):
            if isinstance(module, nn.Conv2d):
                convolution = name
            elif isinstance(module, nn.BatchNorm2d):  # timm's, which holds the activation too
                conv = cast(nn.Conv2d, self.network.get_submodule(convolution))
                folded = fuse_conv_bn_eval(conv, module)
                self.network.set_submodule(
                    convolution, folded.to(memory_format=torch.channels_last)
                )
                self.network.set_submodule(name, cast(nn.Module, module.act))

    def class_logits(self, features: torch.Tensor) -> torch.Tensor:
        """Names the pictures in ImageNet's 1000 classes.

        Args:
            features: What `forward` gave, `(B, 1280)`.

        Returns:
            Logits `(B, 1000)`, before the softmax.
        """
        return cast(torch.Tensor, self.classifier(features))
