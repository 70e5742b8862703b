"""Against reference/images: Keras's load_img to 224x224 and its DenseNet preprocessing.

Pixels are equal; normalized values to 1e-6. JPEGs are left out: their decoder (libjpeg 9 or
turbo) moves pixels by itself.
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from extractors.frame_transform import DENSENET201_TRANSFORM

_HERE = Path(__file__).parent
_REFERENCE = _HERE.parents[2] / "shared" / "reference" / "images"
_ROW = 100  # the row that the reference kept of each preprocessed picture


def test_a_small_picture_becomes_the_authors_pixels() -> None:
    reference = np.load(_HERE / "images_reference.npz")

    resized = DENSENET201_TRANSFORM.resize(reference["decoded_uint8"])
    normalized = DENSENET201_TRANSFORM.normalize(torch.from_numpy(resized[None]))

    np.testing.assert_array_equal(resized, reference["resized_uint8"])
    np.testing.assert_allclose(
        normalized[0, :, _ROW].T.numpy(), reference["preprocessed_rowslice"], atol=1e-6
    )


@pytest.mark.skipif(not _REFERENCE.is_dir(), reason="the reference arrays are not here")
@pytest.mark.parametrize(
    "name", ["land_png", "hd_png", "portrait_png", "odd_png", "small_png", "same_png"]
)
def test_pictures_of_every_shape_become_the_authors_pixels(name: str) -> None:
    reference = np.load(_REFERENCE / "img_ref.npz")
    with Image.open(_REFERENCE / f"{name}.png") as picture:
        frame = np.array(picture.convert("RGB"))

    resized = DENSENET201_TRANSFORM.resize(frame)

    np.testing.assert_array_equal(resized, reference[f"{name}|resized_uint8"])
