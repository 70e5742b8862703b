"""A decoded frame to RGB, upright as a player shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av

from extractors.decoding.orientation import upright
from extractors.errors import MediaError, reason_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def as_rgb(frame: Any) -> NDArray[np.uint8]:
    """Converts an `av.VideoFrame` to RGB `(H, W, 3)`, uint8; any thread may call it.

    Raises:
        MediaError: Its pixel format has no conversion.
    """
    try:
        image: NDArray[np.uint8] = frame.to_ndarray(**_OPTIONS)
    except (OSError, ValueError, MemoryError, RuntimeError) as error:  # any FFmpegError is one
        raise MediaError(
            f"a picture of {frame.width}x{frame.height} in {frame.format.name} cannot be "
            f"converted: {reason_of(error)}; convert the file to H.264 in yuv420p"
        ) from error
    return upright(image, frame)


def rgb_options(version: str) -> dict[str, Any]:
    """Returns how PyAV converts colours: in the calling thread alone, as before PyAV 17.

    Its threads would wait for cores that the trunks have: a file took 0.071 of its time with them
    and takes 0.066 without (the starter, two cores).
    """
    options: dict[str, Any] = {"format": "rgb24"}
    if int(version.partition(".")[0]) >= 17:
        options["threads"] = 1
    return options


_OPTIONS = rgb_options(av.__version__)
