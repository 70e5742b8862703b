"""A film's key frames alone: a strip of pictures costs a fraction of decoding all of it.

A recording of ours has one a second (`realtime.outputs.recording.codec`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np

from extractors.errors import MediaError, reason_of
from weights.paths import for_ffmpeg

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray


def read_key_frames(path: Path, height: int) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Yield each key frame, shrunk, with its time in seconds from the file's start.

    Args:
        path: The film.
        height: Of the pictures, px; RGB uint8 `(height, width, 3)`, their sides' ratio kept.

    Raises:
        MediaError: It cannot be read. One without a picture yields none.
    """
    try:
        with av.open(for_ffmpeg(path), metadata_errors="replace") as container:
            if not container.streams.video:
                return
            stream = container.streams.video[0]
            stream.codec_context.skip_frame = "NONKEY"
            stream.codec_context.thread_count = 1
            for frame in container.decode(stream):
                if frame.time is None:
                    continue
                width = max(2, round(height * frame.width / frame.height))
                small = frame.reformat(width, height, format="rgb24")
                yield frame.time, np.asarray(small.to_ndarray(), dtype=np.uint8)
    except (av.FFmpegError, ValueError, MemoryError) as error:
        raise MediaError(f"the pictures of {path} cannot be read: {reason_of(error)}") from error
