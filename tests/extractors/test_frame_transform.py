import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from extractors.frame_transform import (
    DENSENET201_TRANSFORM,
    EFFICIENTNET_LITE0_TRANSFORM,
    FrameTransform,
)

_SIZES = [(480, 640), (1080, 1920), (333, 517), (100, 90), (720, 405), (224, 224)]


def _noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), dtype=np.uint8)


def _landscape(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    waves = [127 + 100 * np.sin(x / (9 + c) + y / (17 - c)) for c in range(3)]
    return np.stack(waves, axis=-1).astype(np.uint8)


@pytest.mark.parametrize(("height", "width"), _SIZES)
def test_nearest_takes_the_pixels_that_pillow_takes(height: int, width: int) -> None:
    frame = _noise(height, width)

    resized = DENSENET201_TRANSFORM.resize(frame)

    pillow = Image.fromarray(frame).resize((224, 224), Image.Resampling.NEAREST)
    np.testing.assert_array_equal(resized, np.array(pillow))


@pytest.mark.parametrize(("height", "width"), _SIZES)
def test_center_crop_equals_resize_then_crop_to_two_grey_levels(height: int, width: int) -> None:
    frame = _landscape(height, width)

    resized = EFFICIENTNET_LITE0_TRANSFORM.resize(frame)

    two_steps = transforms.Compose(
        [
            transforms.Resize(256, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
        ]
    )
    expected = np.array(two_steps(Image.fromarray(frame))).astype(int)
    assert resized.shape == (224, 224, 3)
    assert np.abs(resized.astype(int) - expected).max() <= 2


def test_resize_gives_a_copy_when_the_size_is_right_already() -> None:
    frame = _noise(224, 224)

    resized = DENSENET201_TRANSFORM.resize(frame)

    assert not np.shares_memory(resized, frame)


def test_resize_accepts_a_frame_that_is_not_contiguous() -> None:
    frame = _noise(300, 200)[:, ::-1]

    for transform in (DENSENET201_TRANSFORM, EFFICIENTNET_LITE0_TRANSFORM):
        np.testing.assert_array_equal(transform.resize(frame), transform.resize(frame.copy()))


def test_resize_accepts_a_frame_that_may_not_be_written() -> None:
    frame = _landscape(300, 200)
    frame.flags.writeable = False

    for transform in (DENSENET201_TRANSFORM, EFFICIENTNET_LITE0_TRANSFORM):
        np.testing.assert_array_equal(transform.resize(frame), transform.resize(frame.copy()))


def test_normalize_centres_pixels_and_puts_channels_first() -> None:
    batch = torch.full((2, 224, 224, 3), 255, dtype=torch.uint8)
    batch[..., 0] = 0

    normalized = EFFICIENTNET_LITE0_TRANSFORM.normalize(batch)

    assert normalized.shape == (2, 3, 224, 224)
    assert normalized.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(normalized[:, 0], torch.full((2, 224, 224), -1.0))
    torch.testing.assert_close(normalized[:, 1:], torch.full((2, 2, 224, 224), 1.0))
    assert int(batch[0, 0, 0, 1]) == 255


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((10, 10), np.uint8),
        np.zeros((10, 10, 4), np.uint8),
        np.zeros((10, 10, 3), np.float32),
        np.zeros((0, 10, 3), np.uint8),
    ],
)
def test_resize_refuses_what_is_not_an_rgb_picture(frame: np.ndarray) -> None:
    with pytest.raises(ValueError, match="frame must"):
        DENSENET201_TRANSFORM.resize(frame)


@pytest.mark.parametrize(
    "batch", [torch.zeros(1, 3, 224, 224, dtype=torch.uint8), torch.zeros(1, 224, 224, 3)]
)
def test_normalize_refuses_another_layout_or_type(batch: torch.Tensor) -> None:
    with pytest.raises(ValueError, match="batch must be"):
        DENSENET201_TRANSFORM.normalize(batch)


@pytest.mark.parametrize(("resize_to", "size", "crop"), [(224, 256, "center"), (256, 224, "none")])
def test_an_impossible_geometry_is_refused(resize_to: int, size: int, crop: str) -> None:
    with pytest.raises(ValueError, match=r"size must be"):
        FrameTransform(
            resize_to=resize_to,
            size=size,
            crop=crop,  # type: ignore[arg-type]
            interpolation="nearest",
            mean=(0, 0, 0),
            std=(1, 1, 1),
        )


def test_the_transform_is_there_without_torch() -> None:
    code = "import sys, extractors.frame_transform; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("make", [_noise, _landscape])
@pytest.mark.parametrize(("height", "width"), _SIZES)
def test_bicubic_of_torch_equals_pillows_to_a_grey_level(
    make: Callable[[int, int], np.ndarray], height: int, width: int
) -> None:
    """What the choice of the faster library may change of a picture, and of features no more."""
    frame = make(height, width)

    by_torch = EFFICIENTNET_LITE0_TRANSFORM._resize_with_torch(frame).astype(int)

    left, top, right, bottom = EFFICIENTNET_LITE0_TRANSFORM._source_box(width, height)
    by_pillow = Image.fromarray(frame).resize(
        (224, 224), Image.Resampling.BICUBIC, box=(left, top, right, bottom)
    )
    difference = np.abs(by_torch - np.array(by_pillow).astype(int))
    assert by_torch.shape == (224, 224, 3)
    assert difference.max() <= 2
    assert difference.mean() < 0.05


def test_very_long_picture_is_resized_within_its_middle_alone() -> None:
    resized = EFFICIENTNET_LITE0_TRANSFORM.resize(_noise(8, 60_000))  # 2 million columns at 256

    assert resized.shape == (224, 224, 3)
