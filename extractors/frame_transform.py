"""From one camera image to the tensor that a visual trunk was trained on.

The first half (`FrameTransform.resize`) runs where frames arrive, one frame at a time; the second
(`FrameTransform.normalize`) runs on a whole batch, on the model's device. Importing this module
loads no torch. It refuses anything but RGB uint8: whoever decodes a picture also says what its
channels are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

_UINT8_MAX = 255.0
_N_CHANNELS = 3
_MAX_ASPECT = 3  # of a picture that is resized as a whole before its middle is cut out

_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameTransform:
    """How a trunk wants its pictures; weights never travel without it.

    Attributes:
        resize_to: Side of the resized picture in pixels: both sides when `crop` is "none"
            (the aspect is ignored, as in the paper), the short side when it is "center".
        size: Side of the square that comes out, in pixels.
        crop: "none", or "center" for the middle square of the resized picture.
        interpolation: Pillow's filter.
        mean: Mean of each channel, for pixels in [0, 1].
        std: Standard deviation of each channel, for pixels in [0, 1].
    """

    resize_to: int
    size: int
    crop: Literal["none", "center"]
    interpolation: Literal["nearest", "bilinear", "bicubic"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        """Refuses a geometry that no picture can satisfy."""
        if not 0 < self.size <= self.resize_to:
            raise ValueError(f"size must be 1 to resize_to={self.resize_to}, got {self.size}")
        if self.crop == "none" and self.size != self.resize_to:
            raise ValueError(f"without a crop, size must be resize_to={self.resize_to}")

    def resize(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resizes and crops one picture; any thread may call it.

        Args:
            frame: RGB `(H, W, 3)`, uint8.

        Returns:
            RGB `(size, size, 3)`, uint8, never a view of `frame`.

        Raises:
            ValueError: `frame` is not such a picture.
        """
        width, height = _size_of(frame)
        if self.interpolation == "bicubic" and _is_fast(width, height):
            return self._resize_with_torch(frame)
        return self._resize_with_pillow(frame, width, height)

    def resize_without_torch(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Does what `resize` does and never loads torch; 0.2 % of the values differ, by 1.

        It takes, returns and refuses the same.
        """
        return self._resize_with_pillow(frame, *_size_of(frame))

    def normalize(self, batch: torch.Tensor) -> torch.Tensor:
        """Scales pixels to the trunk's range, on the device where the batch lies.

        Args:
            batch: RGB `(B, size, size, 3)`, uint8.

        Returns:
            `(B, 3, size, size)`, float32, channels last in memory, which is how the trunks'
            convolutions run fastest.

        Raises:
            ValueError: `batch` has another shape or type.
        """
        if tuple(batch.shape[1:]) != (self.size, self.size, _N_CHANNELS) or (
            batch.is_floating_point()
        ):
            raise ValueError(
                f"batch must be (B, {self.size}, {self.size}, 3) uint8, got "
                f"{tuple(batch.shape)} {batch.dtype}"
            )
        pixels = batch.permute(0, 3, 1, 2).float()  # (B, 3, H, W), a channels-last view
        mean = pixels.new_tensor(self.mean).view(1, _N_CHANNELS, 1, 1)
        std = pixels.new_tensor(self.std).view(1, _N_CHANNELS, 1, 1)
        return pixels.div_(_UINT8_MAX).sub_(mean).div_(std)

    def _resize_with_pillow(
        self, frame: NDArray[np.uint8], width: int, height: int
    ) -> NDArray[np.uint8]:
        left, top, right, bottom = self._source_box(width, height)
        if self.interpolation == "nearest" and self.crop == "none":
            # Pillow's own choice of pixels, taken by numpy: equal, and 20 times faster on
            # 1080p, because the picture is not first copied into Pillow.
            rows = _nearest_indices(height, self.size)
            columns = _nearest_indices(width, self.size)
            return np.ascontiguousarray(frame[rows[:, None], columns])
        resized = Image.fromarray(frame).resize(
            (self.size, self.size),
            _FILTERS.get(self.interpolation, Image.Resampling.NEAREST),
            box=(left, top, right, bottom),
        )
        return np.array(resized)

    def _resize_with_torch(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Resizes as Pillow does, to a level of 255, in a third of the time where torch has AVX2.

        720p: 1.5 ms of a thread against 4.0; 0.2 % of the values differ, by 1
        (tests/extractors/test_frame_transform.py).
        """
        import torch

        height, width = self._resized(frame.shape[1], frame.shape[0])
        writable = np.require(frame, requirements=["C", "W"])  # a decoder's picture may not be
        pixels = torch.from_numpy(writable).permute(2, 0, 1)[None]
        resized = torch.nn.functional.interpolate(
            pixels, size=(height, width), mode="bicubic", antialias=True
        )
        top, left = round((height - self.size) / 2), round((width - self.size) / 2)
        middle = resized[0, :, top : top + self.size, left : left + self.size]
        return np.array(middle.permute(1, 2, 0).numpy(), order="C")

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        """Height and width of the whole picture before the crop."""
        if self.crop == "none":
            return self.size, self.size
        short = min(width, height)  # torchvision's Resize truncates
        return int(self.resize_to * height / short), int(self.resize_to * width / short)

    def _source_box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """The part of the source that the output shows: (left, top, right, bottom).

        Resizing only this part equals torchvision's resize-then-crop but for rounding, and
        spares the pixels that the crop would throw away (half of a 16:9 picture).
        """
        if self.crop == "none":
            return 0.0, 0.0, float(width), float(height)
        resized_height, resized_width = self._resized(width, height)
        x_scale, y_scale = width / resized_width, height / resized_height
        left = round((resized_width - self.size) / 2)  # torchvision's CenterCrop rounds
        top = round((resized_height - self.size) / 2)
        return (
            left * x_scale,
            top * y_scale,
            (left + self.size) * x_scale,
            (top + self.size) * y_scale,
        )


# The authors' `load_img(..., target_size=(224, 224))` and Keras's DenseNet preprocessing
# (mode "torch"): numediart/MAFnet, feature_extractor/visual_feature_extractor.py.
DENSENET201_TRANSFORM = FrameTransform(
    resize_to=224,
    size=224,
    crop="none",
    interpolation="nearest",
    mean=(0.485, 0.456, 0.406),  # ImageNet's, as in torchvision's presets
    std=(0.229, 0.224, 0.225),
)

# timm's configuration of tf_efficientnet_lite0 (crop_pct 0.875: 224 / 256).
EFFICIENTNET_LITE0_TRANSFORM = FrameTransform(
    resize_to=256,
    size=224,
    crop="center",
    interpolation="bicubic",
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)

# By the name of the trunk, so that a capture thread resizes without loading the trunk itself.
TRANSFORMS = {
    "densenet201": DENSENET201_TRANSFORM,
    "efficientnet_lite0": EFFICIENTNET_LITE0_TRANSFORM,
}


def transform_of(trunk: str) -> FrameTransform:
    """Return the transform of a picture trunk; one of somebody's own is loaded, torch with it.

    Raises:
        ValueError: There is no such trunk.
    """
    if trunk in TRANSFORMS:
        return TRANSFORMS[trunk]
    from extractors.visual import VISUAL_TRUNKS

    return VISUAL_TRUNKS.find(trunk).transform


def _size_of(frame: NDArray[np.uint8]) -> tuple[int, int]:
    """Width and height of a picture; anything else is refused."""
    is_rgb = frame.ndim == 3 and frame.shape[2] == _N_CHANNELS and frame.dtype == np.uint8
    if not is_rgb or 0 in frame.shape:
        raise ValueError(
            f"frame must be RGB (H, W, 3) uint8 with at least one pixel, got {frame.shape} "
            f"{frame.dtype}"
        )
    return frame.shape[1], frame.shape[0]


def _is_fast(width: int, height: int) -> bool:
    """Whether torch resizes this picture faster: not where the crop leaves little of it."""
    return max(width, height) <= _MAX_ASPECT * min(width, height) and _has_avx2()


@lru_cache(maxsize=1)
def _has_avx2() -> bool:
    import torch

    # Elsewhere torch has no such kernel for bytes and Pillow is the faster one.
    return torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


@lru_cache(maxsize=64)
def _nearest_indices(n_source: int, n_target: int) -> NDArray[np.int64]:
    """Which source line Pillow's NEAREST takes for each target line.

    Read off Pillow itself, which adds up its step in floating point: neither torch's
    `nearest` nor `nearest-exact` agrees with it where a position falls on a tie.
    """
    lines = np.arange(n_source, dtype=np.int32)[None, :]
    resized = Image.fromarray(lines).resize((n_target, 1), Image.Resampling.NEAREST)
    indices: NDArray[np.int64] = np.array(resized)[0].astype(np.int64)
    indices.setflags(write=False)
    return indices
