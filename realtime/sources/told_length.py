"""How long a recording is by its own account, for who wants to know what of it is missing."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any, Final

from extractors.tracks import Kind, usable_tracks, usual_track
from realtime.clock import NS_PER_S

KINDS: Final[tuple[Kind, ...]] = ("video", "audio")

_TELLING = ("matroska", "mp4", "rtsp", "avi", "flac", "wav")  # elsewhere FFmpeg guesses
_RIFF = struct.Struct("<4sI")
_TAG = re.compile(r"(\d{1,6}):(\d\d):(\d\d(?:\.\d{1,9})?)")
_OPEN_LENGTH = 0x7FFFFFFF  # this and more is written, or 0, before a length is known


def told_end_ns(container: Any, path: str | None) -> int:
    """Return where what can be read of it ends, presentation time in ns; 0 where it does not say.

    Args:
        container: Just opened, PyAV's.
        path: Of a local file: FFmpeg shortens what a WAV or an AVI tells to what is there.
    """
    if container.duration is None or not any(n in container.format.name for n in _TELLING):
        return 0
    start_ns = (container.start_time or 0) * 1000
    end_ns = start_ns + container.duration * 1000
    if _is_of_longest_track(container):
        tracks_end_ns = _tracks_end_ns(container)
        if tracks_end_ns is None:
            return 0
        end_ns = min(end_ns, tracks_end_ns)
    return int(start_ns + (end_ns - start_ns) * _share_told(container, path))


def _is_of_longest_track(container: Any) -> bool:
    """Whether the length may be that of a track that nobody reads: a second sound, subtitles."""
    read = [usual_track(container, kind) for kind in KINDS]
    return len(container.streams) > sum(stream is not None for stream in read)


def _tracks_end_ns(container: Any) -> int | None:
    """Return where sound and picture end; None where a track does not say.

    Of several of a kind the shortest counts, since any may be read and none is to be missing.
    """
    ends = [[_track_end_ns(s) for s in usable_tracks(container, kind)] for kind in KINDS]
    known = [[end for end in of_kind if end is not None] for of_kind in ends]
    if known != ends:
        return None
    return max((min(of_kind) for of_kind in known if of_kind), default=None)


def _track_end_ns(stream: Any) -> int | None:
    if stream.duration is not None and stream.time_base is not None:
        return int(((stream.start_time or 0) + stream.duration) * stream.time_base * NS_PER_S)
    tag = _TAG.fullmatch(stream.metadata.get("DURATION", ""))  # Matroska's, of most writers
    if tag is None:
        return None
    hours, minutes, seconds = (float(part) for part in tag.groups())
    return round((hours * 3600 + minutes * 60 + seconds) * NS_PER_S)


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
