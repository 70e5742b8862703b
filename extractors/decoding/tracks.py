"""The tracks of a file or stream that can be decoded, and which of them are meant.

It works on containers that others opened, and decodes nothing; which of several tracks holds
something, `extractors.decoding.track_choice` finds out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, Literal

from extractors.errors import MediaError

Kind = Literal["audio", "video"]
PICTURE: Final = "picture"
SOUND: Final = "sound"
KINDS: Final[dict[str, Kind]] = {PICTURE: "video", SOUND: "audio"}
NAMES: Final[dict[Kind, str]] = {kind: sense for sense, kind in KINDS.items()}

Streams = dict[str, Any]  # av.Stream by sense


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracks:
    """Numbers of tracks, each kind counted from 0 as FFmpeg does (`0:a:1`, `0:v:0`).

    Attributes:
        audio: The sound's; None for the usual one.
        video: The picture's; None for the usual one.
    """

    audio: int | None = None
    video: int | None = None

    def number(self, kind: Kind) -> int | None:
        """Returns the number that was asked for of a kind; None for the usual one."""
        return self.audio if kind == "audio" else self.video


USUAL = Tracks()


def usable_tracks(container: Any, kind: Kind) -> list[Any]:
    """Returns the tracks that can be decoded, without pictures of a cover."""
    return [stream for stream in container.streams if is_usable(stream, kind)]


def is_usable(stream: Any, kind: str) -> bool:
    """Tells whether a stream was opened as one of a kind, can be decoded, and is no cover."""
    is_cover = stream.disposition & type(stream.disposition).attached_pic
    return stream.codec_context is not None and kind_of(stream) == kind and not is_cover


def usual_track(container: Any, kind: Kind, fits: Callable[[Any], bool] = lambda _: True) -> Any:
    """Returns the stream that a player would show or play, of those that fit; None for none."""
    usable = [stream for stream in usable_tracks(container, kind) if fits(stream)]
    # A player's choice of sound goes by its maker's marks, then by channels and packets.
    best = container.streams.best(kind) if kind == "audio" else None
    return best if best in usable else next(iter(usable), None)


def usual_tracks(container: Any, fits: Callable[[Any], bool] = lambda _: True) -> Streams:
    """Returns the usual stream of each sense, as far as any are what they were opened as and fit.

    A transport stream's may become another kind's on the way; PyAV's decoder does not.
    """
    found: Streams = {}
    for sense, kind in KINDS.items():
        stream = usual_track(container, kind, lambda s: s.type == kind_of(s) and fits(s))
        if stream is not None:
            found[sense] = stream
    return found


def track_numbered(container: Any, kind: Kind, number: int, where: str) -> Any:
    """Returns the stream with a number.

    Raises:
        MediaError: There is none, or it cannot be decoded; the sentence lists those that can.
    """
    streams = streams_of_kind(container, kind)
    usable = usable_tracks(container, kind)
    if number < len(streams) and streams[number] in usable:
        return streams[number]
    listed = ", ".join(describe_track(container, stream) for stream in usable) or "none"
    raise MediaError(
        f"{where} has no {NAMES[kind]} track {number} to be decoded; there are: {listed}"
    )


def tracks_read(
    container: Any, asked: Tracks, where: str, senses: Collection[str] = (PICTURE, SOUND)
) -> Streams:
    """Returns the stream of each sense that is wanted, as far as there are.

    Raises:
        MediaError: A track that was asked for is none.
    """
    found: Streams = {}
    for sense in senses:
        kind = KINDS[sense]
        number = asked.number(kind)
        stream = (
            usual_track(container, kind)
            if number is None
            else track_numbered(container, kind, number, where)
        )
        if stream is not None:
            found[sense] = stream
    return found


def describe_track(container: Any, stream: Any) -> str:
    """Returns a track's number and what is known of it, for a sentence."""
    codec = stream.codec_context
    kind = kind_of(stream)
    form = f"{codec.sample_rate} Hz" if kind == "audio" else f"{codec.width}x{codec.height}"
    tags = (stream.metadata.get(tag) for tag in ("language", "title"))
    known = [codec.name, form, *(tag for tag in tags if tag and tag != "und")]
    return f"{streams_of_kind(container, kind).index(stream)} ({', '.join(known)})"


def streams_of_kind(container: Any, kind: str) -> list[Any]:
    """Returns all streams of a kind, decodable or not: their order gives tracks their numbers."""
    return [stream for stream in container.streams if kind_of(stream) == kind]


def kind_of(stream: Any) -> str:
    """Returns the kind that a stream was opened as; a transport stream's may change on the way."""
    codec = stream.codec_context  # its decoder is sure; the stream may say another kind
    return str(stream.type if codec is None else codec.codec.type)
