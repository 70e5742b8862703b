"""A picture as it travels, and what is none."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from realtime.cluster.wire.pictures import decode, encode
from realtime.cluster.wire.protocol import JPEG, RAW

SIZE = 32


def scene() -> np.ndarray:
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.stack([4 * x, 4 * y, 2 * (x + y)], axis=-1).astype(np.uint8)


def test_raw_picture_comes_exactly() -> None:
    assert np.array_equal(decode(encode(scene(), RAW), RAW, SIZE), scene())


def test_jpeg_comes_nearly() -> None:
    body = encode(scene(), JPEG)
    difference = decode(body, JPEG, SIZE).astype(int) - scene()

    assert len(body) < scene().nbytes / 2
    assert np.abs(difference).mean() < 2.0


def saved(kind: str, size: tuple[int, int], mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, kind)
    return out.getvalue()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xd8\xff",
        b"no picture at all",
        encode(scene(), JPEG)[:200],
        saved("PNG", (SIZE, SIZE)),
        saved("JPEG", (SIZE + 1, SIZE)),
        saved("JPEG", (20_000, 20_000), "L"),
        saved("JPEG", (SIZE, SIZE), "L"),
        saved("JPEG", (SIZE, SIZE), "CMYK"),
    ],
    ids=["empty", "head", "text", "cut", "png", "wide", "bomb", "grey", "four-colours"],
)
def test_what_is_no_picture_of_that_size_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"picture|JPEG"):
        decode(body, JPEG, SIZE)


def test_raw_bytes_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="bytes"):
        decode(b"x", RAW, SIZE)
