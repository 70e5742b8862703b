"""Which of several tracks of a file is seen and which heard.

A file may have one sound track a language, a camera one a microphone, and the one that its maker
marked may hold nothing: then another that holds something is taken. Which one is found by reading
on until the marked track says something, mostly its first packet; a track that stays silent costs a
decoding of the file's sound, one that stays black that of its key frames.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np

from extractors.decoding.limits import DECODER_LIMIT
from extractors.decoding.tracks import (
    NAMES,
    USUAL,
    Kind,
    Tracks,
    describe_track,
    kind_of,
    streams_of_kind,
    usable_tracks,
    usual_track,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

FAINT = 1e-4  # of full scale, −80 dB: a track that never goes beyond it is silent
DARK = 32  # of 255; a track none of whose key frames is brighter anywhere is black
_MAX_BROKEN = 200  # packets in a row; then the rest is taken for broken too


def has_choice(container: Any, asked: Tracks = USUAL) -> bool:
    """Tells whether there are several tracks of a kind of which none was asked for."""
    return bool(_open_kinds(container, asked))


def choose_tracks(container: Any, where: str, asked: Tracks = USUAL) -> Tracks:
    """Chooses what is seen and heard; says so where that is not the usual track.

    The container is read from where it is, and used up.

    Args:
        container: Opened, at its beginning.
        where: What the file is called.
        asked: What was asked for, which is taken whatever it holds.
    """
    kinds = _open_kinds(container, asked)
    telling = _telling(container, kinds)
    chosen = {kind: _other(container, kind, telling, where) for kind in kinds}
    return Tracks(audio=chosen.get("audio", asked.audio), video=chosen.get("video", asked.video))


def _open_kinds(container: Any, asked: Tracks) -> list[Kind]:
    return [
        kind
        for kind in NAMES
        if asked.number(kind) is None and len(usable_tracks(container, kind)) > 1
    ]


def _other(container: Any, kind: Kind, telling: set[int], where: str) -> int | None:
    """Return the number of the first track that says something where the usual one does not."""
    usual = usual_track(container, kind)
    others = [stream for stream in usable_tracks(container, kind) if stream.index in telling]
    if usual.index in telling or not others:
        return None
    streams = streams_of_kind(container, kind)
    logger.warning(
        "%s: %s track %d is %s throughout; %s is not and is taken, --%s-track %d keeps the other",
        where,
        NAMES[kind],
        streams.index(usual),
        "silent" if kind == "audio" else "black",
        describe_track(container, others[0]),
        kind,
        streams.index(usual),
    )
    return streams.index(others[0])


def _telling(container: Any, kinds: list[Kind]) -> set[int]:
    """Read until each usual track has said something; return the indices of all that did."""
    import av

    silent = {usual_track(container, kind).index for kind in kinds}
    wanted = [stream for kind in kinds for stream in usable_tracks(container, kind)]
    for stream in wanted:
        if kind_of(stream) == "video":
            stream.codec_context.skip_frame = "NONKEY"
            stream.codec_context.options = DECODER_LIMIT
    telling: set[int] = set()
    n_broken = 0
    packets = container.demux(*wanted) if wanted else iter(())
    while not silent <= telling and n_broken < _MAX_BROKEN:
        try:
            packet = next(packets, None)
            if packet is None:
                break
            if packet.stream.index in telling:
                continue
            is_telling = any(says_something(frame) for frame in packet.decode())
        except av.EOFError:
            continue
        except IndexError:  # PyAV flushes streams at the end that it has not
            break
        except (av.FFmpegError, OSError, ValueError, MemoryError):
            n_broken += 1
            continue
        n_broken = 0
        if is_telling:
            telling.add(packet.stream.index)
    return telling


def says_something(frame: Any) -> bool:
    """Tells whether a frame is brighter than black, or a block louder than silence."""
    import av

    if isinstance(frame, av.VideoFrame):
        return bool(frame.to_ndarray(format="gray").max() > DARK)
    return _peak(frame.to_ndarray()) > FAINT


def _peak(values: NDArray[Any]) -> float:
    """Return the largest amplitude, as a share of full scale."""
    if not values.size:
        return 0.0
    if values.dtype == np.uint8:
        return float(np.abs(values.astype(np.int16) - 128).max()) / 128
    peak = float(np.abs(np.nan_to_num(values.astype(np.float64), posinf=0.0, neginf=0.0)).max())
    return peak / float(np.iinfo(values.dtype).max) if values.dtype.kind == "i" else peak
