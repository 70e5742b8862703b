"""How long a recording is by its own account, for who wants to know what of it is missing."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

_TELLING = ("matroska", "mp4", "rtsp", "avi", "flac", "wav")  # elsewhere FFmpeg guesses
_RIFF = struct.Struct("<4sI")
_OPEN_LENGTH = 0x7FFFFFFF  # this and more is written, or 0, before a length is known


def told_end_ns(container: Any, path: str | None) -> int:
    """Return where it ends, presentation time in ns; 0 where it does not say.

    Args:
        container: Just opened, PyAV's.
        path: Of a local file: FFmpeg shortens what a WAV or an AVI tells to what is there.
    """
    if container.duration is None or not any(n in container.format.name for n in _TELLING):
        return 0
    length_ns = round(container.duration * 1000 * _share_told(container, path))
    return int((container.start_time or 0) * 1000 + length_ns)


def _share_told(container: Any, path: str | None) -> float:
    """Return how many times what is there a RIFF file says that it is."""
    if path is None or container.format.name not in ("wav", "avi") or container.size <= 0:
        return 1.0
    try:
        with Path(path).open("rb") as file:
            magic, told = _RIFF.unpack(file.read(_RIFF.size))
    except (OSError, struct.error):
        return 1.0
    if magic != b"RIFF" or not 0 < told < _OPEN_LENGTH:
        return 1.0
    return max(1.0, float((told + _RIFF.size) / container.size))
