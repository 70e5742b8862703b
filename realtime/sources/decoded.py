"""What a container hands out: pictures that are converted when somebody wants them, and sound."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from extractors.decoding.samples import as_float
from extractors.decoding.tracks import PICTURE
from extractors.errors import MediaError
from realtime.clock import NS_PER_S
from realtime.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from extractors.decoding.decoder import DecodedFrame


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecodedPicture:
    """A frame: presentation time and length in ns, and what makes RGB uint8 `(H, W, 3)` of it."""

    media_ns: int
    render: Callable[[], NDArray[np.uint8]]
    length_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecodedSound:
    """A block, float32 `(n, channels)`; its first sample's presentation time in ns."""

    media_ns: int
    samples: NDArray[np.float32]
    sample_rate: int

    @property
    def end_ns(self) -> int:
        """Exclusive end, presentation time."""
        return self.media_ns + len(self.samples) * NS_PER_S // self.sample_rate


def handed_on(decoded: DecodedFrame) -> DecodedPicture | DecodedSound:
    """Return a frame or block as the readers take it.

    Raises:
        av.FFmpegError, ValueError, MemoryError: A block cannot be converted.
    """
    frame = decoded.frame
    if decoded.sense == PICTURE:
        render = partial(_render, frame)
        return DecodedPicture(media_ns=decoded.time_ns, render=render, length_ns=decoded.length_ns)
    return DecodedSound(
        media_ns=decoded.time_ns, samples=as_float(frame), sample_rate=frame.sample_rate
    )


def _render(frame: Any) -> NDArray[np.uint8]:
    from extractors.decoding.pictures import as_rgb

    try:
        return as_rgb(frame)
    except MediaError as error:
        raise SourceError(str(error)) from error
