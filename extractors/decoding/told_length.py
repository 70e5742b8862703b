"""How long a recording is by its own account, for who wants to know what of it is missing."""

from __future__ import annotations

import re
import struct
from collections.abc import Collection
from pathlib import Path
from typing import Any

from extractors.decoding.packet_times import NS_PER_S

_TELLING = ("matroska", "mp4", "rtsp", "avi", "flac", "wav")  # elsewhere FFmpeg guesses
_RIFF = struct.Struct("<4sI")
_TAG = re.compile(r"(\d{1,6}):(\d\d):(\d\d(?:\.\d{1,9})?)")
_OPEN_LENGTH = 0x7FFFFFFF  # this and more is written, or 0, before a length is known


def told_end_ns(container: Any, read: Collection[Any], path: str | None) -> int:
    """Returns where what is read of it ends, presentation time in ns; 0 where it does not say.

    Args:
        container: Just opened, PyAV's.
        read: Its streams that are read, of both senses.
        path: Of a local file: FFmpeg shortens what a WAV or an AVI tells to what is there.
    """
    if container.duration is None or not any(n in container.format.name for n in _TELLING):
        return 0
    start_ns = (container.start_time or 0) * 1000
    end_ns = start_ns + container.duration * 1000
    if len(container.streams) > len(read):
        # The length may be that of a track that nobody reads: a second sound, subtitles.
        ends_ns = [_track_end_ns(stream) for stream in read]
        known_ns = [track_end_ns for track_end_ns in ends_ns if track_end_ns is not None]
        if known_ns != ends_ns:
            return 0
        end_ns = min(end_ns, max(known_ns, default=0))
    return int(start_ns + (end_ns - start_ns) * _share_told(container, path))


def _track_end_ns(stream: Any) -> int | None:
    if stream.duration is not None and stream.time_base is not None:
        return int(((stream.start_time or 0) + stream.duration) * stream.time_base * NS_PER_S)
    tag = _TAG.fullmatch(stream.metadata.get("DURATION", ""))  # Matroska's, of most writers
    if tag is None:
        return None
    hours, minutes, seconds = (float(part) for part in tag.groups())
    return round((hours * 3600 + minutes * 60 + seconds) * NS_PER_S)


def _share_told(container: Any, path: str | None) -> float:
    """Returns how many times what is there a RIFF file says that it is."""
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
