"""A trunk's picture as it travels: RGB bytes, or JPEG.

JPEG is the choice (docs/guide/cluster.md has the measurement): a tenth of the bytes for a
millisecond at each end. Raw is exact. A JPEG from outside has the size that was asked for, which
its head tells before anything is decoded, or it is refused.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from realtime.cluster.wire.protocol import JPEG, RAW

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUALITY = 90
_FULL_COLOUR = 0  # 4:4:4: a trunk's picture is small already


def encode(image: NDArray[np.uint8], coding: int, quality: int = QUALITY) -> bytes:
    """Return RGB uint8 `(size, size, 3)` as it travels."""
    if coding == RAW:
        return image.tobytes()
    out = io.BytesIO()
    Image.fromarray(image).save(out, "JPEG", quality=quality, subsampling=_FULL_COLOUR)
    return out.getvalue()


def decode(body: bytes, coding: int, size: int) -> NDArray[np.uint8]:
    """Return RGB uint8 `(size, size, 3)`.

    Raises:
        ValueError: It is no such picture.
    """
    if coding == RAW:
        if len(body) != size * size * 3:
            raise ValueError(f"a picture has {size * size * 3} bytes, got {len(body)}")
        return np.frombuffer(body, np.uint8).reshape(size, size, 3)
    if coding != JPEG:
        raise ValueError(f"a picture is RGB or JPEG, got coding {coding}")
    try:
        with Image.open(io.BytesIO(body), formats=["JPEG"]) as picture:
            if picture.size != (size, size) or picture.mode != "RGB":
                raise ValueError(f"a picture has {size}x{size} pixels in RGB, got {picture.size}")
            return np.array(picture)
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError("what came is no JPEG") from error
