"""Videos and pictures whose display matrix turns or mirrors them, and what a player shows."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

ONE = 1 << 16
SIZE = (96, 64)  # width and height as stored
# The four corners differ, and so do the two sides: no two of the eight look alike.
_CORNERS = ((230, 30, 30), (30, 200, 40), (40, 60, 220), (220, 220, 60))

# a, b, c, d of x' = a x + c y, y' = b x + d y, and what that makes of an array (rows, columns).
ORIENTATIONS = {
    "as stored": (ONE, 0, 0, ONE),
    "turned right": (0, ONE, -ONE, 0),
    "upside down": (-ONE, 0, 0, -ONE),
    "turned left": (0, -ONE, ONE, 0),
    "mirrored": (-ONE, 0, 0, ONE),
    "mirrored upside down": (ONE, 0, 0, -ONE),
    "mirrored on the diagonal": (0, ONE, ONE, 0),
    "mirrored on the other diagonal": (0, -ONE, -ONE, 0),
}


def shown(stored: NDArray[np.uint8], orientation: str) -> NDArray[np.uint8]:
    """Return what a player shows, made pixel by pixel from the definition."""
    a, b, c, d = (np.sign(value) for value in ORIENTATIONS[orientation])
    height, width = stored.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width]
    x, y = a * columns + c * rows, b * columns + d * rows
    x, y = x - x.min(), y - y.min()
    picture = np.zeros((y.max() + 1, x.max() + 1, 3), np.uint8)
    picture[y, x] = stored
    return picture


def stored_picture() -> NDArray[np.uint8]:
    """Return the pixels as they are stored: four corners of different colours."""
    width, height = SIZE
    picture = np.zeros((height, width, 3), np.uint8)
    for corner, colour in enumerate(_CORNERS):
        row, column = divmod(corner, 2)
        picture[row * height // 2 :, column * width // 2 :] = colour
    picture[: height // 4, : width // 8] = 255
    return picture


def write_turned(path: Path, orientation: str, n_frames: int = 8) -> Path:
    """Write an MP4 or MOV of a standing picture, its track header's matrix set by hand."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=16)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.bit_rate = 4_000_000
        for _ in range(n_frames):
            frame = av.VideoFrame.from_ndarray(stored_picture(), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    content = bytearray(path.read_bytes())
    header = content.index(b"tkhd")
    place = header + 4 + (32 if content[header + 4] else 20) + 16 + 4  # ISO 14496-12, 8.3.2
    a, b, c, d = ORIENTATIONS[orientation]
    old = struct.unpack_from(">9i", content, place)
    assert old == (ONE, 0, 0, 0, ONE, 0, 0, 0, 1 << 30)
    struct.pack_into(">9i", content, place, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)
    return path


EXIF = {  # TIFF 6.0, tag 274: where the first row and the first column are shown
    "as stored": 1,
    "mirrored": 2,
    "upside down": 3,
    "mirrored upside down": 4,
    "mirrored on the diagonal": 5,
    "turned right": 6,
    "mirrored on the other diagonal": 7,
    "turned left": 8,
}


def write_photograph(path: Path, orientation: str) -> Path:
    """Write a JPEG with EXIF's mark of how the camera was held."""
    exif = Image.Exif()
    exif[0x0112] = EXIF[orientation]
    Image.fromarray(stored_picture()).save(path, quality=98, exif=exif)
    return path
