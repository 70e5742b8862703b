"""Frames as the authors' network got them: between ffmpeg and it lay JPEG files."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from PIL import Image

from extractors.decoding.orientation import upright
from extractors.errors import MediaError, reason_of
from extractors.frame_grid import GRID_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray


def through_jpeg(frames: Iterable[av.VideoFrame]) -> Iterator[NDArray[np.uint8]]:
    """Writes and reads frames as the authors' JPEG files did: ffmpeg's encoder, its default rate.

    The encoder's rate control remembers, so the frames of a video go through in their order.

    Args:
        frames: Grid frames, all of one size.

    Yields:
        RGB `(H, W, 3)`, uint8, one for each frame.

    Raises:
        MediaError: One cannot be written as a JPEG.
    """
    encoder: Any = None
    for number, frame in enumerate(frames):
        if encoder is None:
            encoder = av.CodecContext.create("mjpeg", "w")
            encoder.width, encoder.height = frame.width, frame.height
            encoder.pix_fmt = "yuvj420p"
            encoder.time_base, encoder.framerate = Fraction(1, GRID_RATE_HZ), GRID_RATE_HZ
        try:
            packets = _as_jpeg(encoder, frame, number)
        except (av.FFmpegError, ValueError, MemoryError) as error:
            raise MediaError(f"a frame cannot be written as a JPEG: {reason_of(error)}") from error
        for packet in packets:
            with Image.open(io.BytesIO(bytes(packet))) as decoded:
                yield upright(np.array(decoded.convert("RGB")), frame)


def _as_jpeg(encoder: Any, frame: Any, number: int) -> list[Any]:
    picture = frame.reformat(encoder.width, encoder.height, "yuvj420p", interpolation="BICUBIC")
    picture.pts, picture.time_base = number, encoder.time_base
    picture.pict_type = 0  # the source's kind of frame says nothing to a JPEG encoder
    return list(encoder.encode(picture))
