"""Pictures as a player shows them: the display matrix that a file carries, applied.

A phone or a camera stores what its sensor saw and says beside it how to show that: turned, and for
a front camera mirrored too. Eight matrices leave a picture's sides parallel to the screen's: an
angle names four of them, so it is the matrix itself that is read. A matrix that turns by another
angle is taken for the nearest of the eight; scale and shift say nothing to a network.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MATRIX = struct.Struct("=9i")  # FFmpeg's AV_FRAME_DATA_DISPLAYMATRIX, libavutil/display.h


def upright(rgb: NDArray[np.uint8], frame: Any) -> NDArray[np.uint8]:
    """Turns and mirrors a picture as its frame's display matrix says; any thread may call it.

    Args:
        rgb: `(H, W, 3)`, the pixels as they are stored.
        frame: The `av.VideoFrame` that they come from.

    Returns:
        `(H, W, 3)` or `(W, H, 3)`, C-contiguous; `rgb` itself where nothing is to be done.
    """
    try:
        side = _side_data(frame).get("DISPLAYMATRIX")
    except ValueError:
        _admit_unknown_kinds()
        side = _side_data(frame).get("DISPLAYMATRIX")
    return rgb if side is None else oriented(rgb, bytes(side))


def _side_data(frame: Any) -> Any:
    """Reads a frame's side data anew.

    Not `frame.side_data`: the frame keeps what that gives, which keeps the frame, pixels and all,
    until Python looks for cycles. A live stream had 48 MB of old pictures, of 480x360, and grew.
    """
    from av.sidedata import sidedata

    make: Any = sidedata.SideDataContainer  # PyAV's stubs leave its argument out
    return make(frame)


def oriented(rgb: NDArray[np.uint8], matrix: bytes) -> NDArray[np.uint8]:
    """Applies FFmpeg's display matrix: x' = a x + c y, y' = b x + d y, both axes' signs kept.

    Args:
        rgb: `(H, W, 3)`.
        matrix: Nine int32 of this machine's byte order: a, b, u, c, d, v, x, y, w.

    Returns:
        As `upright`.
    """
    if len(matrix) < _MATRIX.size:
        return rgb
    a, b, _, c, d, *_ = _MATRIX.unpack_from(matrix)
    swaps = abs(b) + abs(c) > abs(a) + abs(d)
    shown = rgb.transpose(1, 0, 2) if swaps else rgb
    mirrors_x, mirrors_y = (c < 0, b < 0) if swaps else (a < 0, d < 0)
    shown = shown[:: -1 if mirrors_y else 1, :: -1 if mirrors_x else 1]
    return np.ascontiguousarray(shown)


def _admit_unknown_kinds() -> None:
    """Lets PyAV list a frame's side data where FFmpeg gives it a kind that PyAV does not know.

    PyAV 18 raises on FFmpeg 8's EXIF block (31), and with it the matrix cannot be had.
    """
    import av.sidedata.sidedata

    def unknown(cls: Any, value: int) -> Any:
        member = object.__new__(cls)
        member._name_, member._value_ = f"UNKNOWN_{value}", value
        return member

    kinds: Any = av.sidedata.sidedata.Type
    kinds._missing_ = classmethod(unknown)
