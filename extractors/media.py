"""Reading videos, sounds and pictures from files: the only place here that opens PyAV.

A video is streamed: one decoded frame and one decoded block of sound are alive at a time. It
refuses what holds nothing to decode, in one sentence; damaged packets in between are counted
and passed over, as ffmpeg does. It knows nothing of features.
"""

from __future__ import annotations

import errno
import io
import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import av
import numpy as np
from PIL import Image, ImageOps

from extractors.downmix import CANCELLATION, EXPLAINED_S, Downmix
from extractors.errors import MediaError
from extractors.file_packets import PICTURE, SOUND, FilePackets, streams_of
from extractors.frame_grid import GRID_RATE_HZ
from extractors.gaps import LONG_FRAME_S, Gaps
from extractors.one_clock import MAX_LEAP_NS
from extractors.orientation import upright
from extractors.picture_limit import (
    DECODER_LIMIT,
    MAX_PICTURE_PIXELS,
    TOO_LARGE,
)
from extractors.tracks import (
    USUAL,
    Kind,
    Tracks,
    choose_tracks,
    has_choice,
    track_numbered,
    usual_track,
)
from weights.paths import ONE_FILE, for_ffmpeg

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

PICTURE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
SOUND_SUFFIXES: Final = frozenset({".wav", ".flac", ".ogg", ".mp3", ".m4a", ".aac", ".opus"})
VIDEO_SUFFIXES: Final = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".flv", ".ts", ".3gp"}
)
_INT16_RANGE: Final = 32768.0  # the authors divide int16 samples by it
_MAX_FRAME_S: Final = Fraction(MAX_LEAP_NS, 1_000_000_000)
_GAP_S: Final = Fraction(1, 10)  # time stamps of sound wander by less
_FALLBACK_FRAME_S: Final = Fraction(1, 25)  # where neither frame nor stream tells a duration
_MAX_DAMAGED: Final = 1000  # packets in a row that give nothing; then the file is given up


@dataclass(slots=True)
class MediaInfo:
    """What a file holds; `n_damaged` grows while it is read.

    Attributes:
        has_picture: There is a video stream that is more than a cover picture.
        has_sound: There is an audio stream.
        sample_rate: Of the sound, in hertz; 0 without sound.
        n_damaged: Packets that could not be decoded so far.
        tracks: Which of several are read.
    """

    has_picture: bool
    has_sound: bool
    sample_rate: int
    n_damaged: int = 0
    tracks: Tracks = USUAL


def probe(path: Path, asked: Tracks = USUAL) -> MediaInfo:
    """Looks at a file's header, and where it has several tracks into it.

    Args:
        path: The file.
        asked: Tracks that are taken whatever they hold.

    Raises:
        MediaError: The file cannot be opened, holds neither picture nor sound, or no track that
            was asked for.
    """
    with _opened(path) as container:
        tracks = asked
        if has_choice(container, asked):
            tracks = choose_tracks(container, str(path), asked)
        video, audio = (_stream(container, kind, tracks, path) for kind in ("video", "audio"))
        if video is None and audio is None:
            raise MediaError(f"{path} holds neither picture nor sound")
        if audio is not None and not audio.rate:
            raise MediaError(f"{path} holds sound whose rate cannot be told; convert it to WAV")
        return MediaInfo(
            has_picture=video is not None,
            has_sound=audio is not None,
            sample_rate=int(audio.rate or 0) if audio is not None else 0,
            tracks=tracks,
        )


def read_frames(
    path: Path, info: MediaInfo | None = None
) -> Iterator[tuple[Fraction, Fraction, av.VideoFrame]]:
    """Decodes a video's frames in order.

    Args:
        path: The file.
        info: What `probe` told of the file; damaged packets are counted in it.

    Yields:
        (time, duration, frame): seconds since the file's start, and the undecoded-to-RGB
        frame for `as_rgb`, so that frames nobody shows cost no conversion.

    Raises:
        MediaError: The file cannot be opened or read, or has no picture.
    """
    with _opened(path) as container:
        stream = _stream(container, "video", info.tracks if info else USUAL, path)
        if stream is None:
            raise MediaError(f"{path} holds no picture")
        stream.thread_type = "AUTO"
        stream.codec_context.options = dict(DECODER_LIMIT)  # a larger picture counts as damaged
        start_s = Fraction(container.start_time or 0, av.time_base)
        # Before another part begins or the file ends: PyAV's streams end with their container.
        rate, base = stream.average_rate, stream.time_base
        usual_s = 1 / Fraction(rate) if rate else _FALLBACK_FRAME_S
        next_s = Fraction(0)
        gaps = Gaps(path, "picture")
        for frame in _decoded(container, stream, path, info):
            time_base = frame.time_base or base
            duration_s = frame.duration * Fraction(time_base) if time_base else Fraction(0)
            if not 0 < duration_s <= _MAX_FRAME_S:  # not told, or not meant
                duration_s = usual_s
            time_s = next_s
            if frame.pts is not None and time_base:
                time_s = frame.pts * Fraction(time_base) - start_s
            shown_s = min(duration_s, LONG_FRAME_S)
            gaps.note(max(Fraction(0), time_s - next_s) + duration_s - shown_s, shown_s)
            yield time_s, duration_s, frame
            next_s = time_s + duration_s


def as_rgb(frame: av.VideoFrame) -> NDArray[np.uint8]:
    """Converts a decoded frame to RGB `(H, W, 3)`, uint8, upright as a player shows it.

    Raises:
        MediaError: Its pixel format has no conversion.
    """
    try:
        rgb = cast("NDArray[np.uint8]", frame.to_ndarray(format="rgb24"))
    except (av.FFmpegError, ValueError, MemoryError) as error:
        raise MediaError(f"a frame cannot be converted to RGB: {_reason(error)}") from error
    return upright(rgb, frame)


def through_jpeg(frames: Iterable[av.VideoFrame]) -> Iterator[NDArray[np.uint8]]:
    """Writes and reads frames as the authors' JPEG files did: ffmpeg's encoder, its default rate.

    The encoder's rate control remembers, so the frames of a video go through in their order.

    Args:
        frames: Grid frames, all of one size.

    Yields:
        RGB `(H, W, 3)`, uint8, one for each frame.

    Raises:
        MediaError: One cannot be written as a JPEG.
    """
    encoder: Any = None
    for number, frame in enumerate(frames):
        if encoder is None:
            encoder = av.CodecContext.create("mjpeg", "w")
            encoder.width, encoder.height = frame.width, frame.height
            encoder.pix_fmt = "yuvj420p"
            encoder.time_base, encoder.framerate = Fraction(1, GRID_RATE_HZ), GRID_RATE_HZ
        try:
            packets = _as_jpeg(encoder, frame, number)
        except (av.FFmpegError, ValueError, MemoryError) as error:
            raise MediaError(f"a frame cannot be written as a JPEG: {_reason(error)}") from error
        for packet in packets:
            with Image.open(io.BytesIO(bytes(packet))) as decoded:
                yield upright(np.array(decoded.convert("RGB")), frame)


def _as_jpeg(encoder: Any, frame: Any, number: int) -> list[Any]:
    picture = frame.reformat(encoder.width, encoder.height, "yuvj420p", interpolation="BICUBIC")
    picture.pts, picture.time_base = number, encoder.time_base
    picture.pict_type = 0  # the source's kind of frame says nothing to a JPEG encoder
    return list(encoder.encode(picture))


def read_sound(
    path: Path, info: MediaInfo | None = None, *, from_zero: bool = False
) -> Iterator[NDArray[np.float32]]:
    """Decodes a file's sound, mixed down to mono at its own rate (`probe` tells it).

    Samples pass through int16, as in the authors' WAV files. Gaps in the time stamps are silence.

    Args:
        path: The file.
        info: What `probe` told of the file; damaged packets are counted in it.
        from_zero: Whether a gap before the first sample counts too: the picture came first.

    Yields:
        Mono blocks `(n_samples,)`, float32 in [-1, 1).

    Raises:
        MediaError: The file cannot be opened or read, or has no sound.
    """
    with _opened(path) as container:
        stream = _stream(container, "audio", info.tracks if info else USUAL, path)
        if stream is None:
            raise MediaError(f"{path} holds no sound")
        resampler, layout, channels = None, "", Downmix()
        rate = stream.rate  # before the file ends: PyAV's streams end with their container
        end_s = Fraction(container.start_time or 0, av.time_base) if from_zero else None
        gaps = Gaps(path, "sound")
        for frame in _decoded(container, stream, path, info):
            gap_s, end_s = _gap_before(frame, end_s)
            gaps.note(gap_s, Fraction(frame.samples, frame.sample_rate or 1))
            yield from _silence(gap_s, rate)
            frame.pts = None  # gaps in the time stamps are the resampler's to fill otherwise
            kind = f"{frame.format.name} {frame.layout.name} {frame.sample_rate}"
            try:
                if resampler is None or kind != layout:
                    layout = kind
                    resampler = av.AudioResampler(format="s16", layout=frame.layout.name, rate=rate)
                resampled = resampler.resample(frame)
            except (av.FFmpegError, ValueError, MemoryError) as error:
                raise MediaError(
                    f"a block of sound in {path} cannot be converted: {_reason(error)}"
                ) from error
            yield from _mono(resampled, channels)
        if resampler is not None:
            yield from _mono(_rest_of(resampler), channels)
        if channels.n_cancelled >= EXPLAINED_S * rate:
            logger.warning("%s: %s", path, CANCELLATION)


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Reads one picture file.

    Returns:
        RGB `(H, W, 3)`, uint8, upright as a viewer shows it.

    Raises:
        MediaError: The file is not a picture that Pillow reads.
    """
    try:
        with warnings.catch_warnings():
            # Pillow's own limit warns at a lower size and refuses at a higher one.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(path)
        with opened as picture:
            if picture.width * picture.height > MAX_PICTURE_PIXELS:
                raise MediaError(
                    f"{path} is a picture of {picture.width}x{picture.height}: {TOO_LARGE}"
                )
            shown = ImageOps.exif_transpose(picture)  # a camera's mark of how it was held
            return np.array(shown.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise MediaError(f"cannot read the picture {path}: {_reason(error)}") from error


def _mono(frames: list[Any], channels: Downmix) -> Iterator[NDArray[np.float32]]:
    for frame in frames:
        n_channels = len(frame.layout.channels)
        samples = frame.to_ndarray().reshape(-1, n_channels)  # packed: (n_samples, n_channels)
        yield channels.mix(samples.astype(np.float32) / np.float32(_INT16_RANGE))


def _rest_of(resampler: Any) -> list[Any]:
    """Returns what a resampler still holds; nothing where it cannot tell."""
    try:
        return list(resampler.resample(None))
    except (av.FFmpegError, ValueError):
        return []


def _gap_before(frame: Any, end_s: Fraction | None) -> tuple[Fraction, Fraction]:
    """Returns how long nothing was before a frame, and where it ends."""
    length_s = Fraction(frame.samples, frame.sample_rate or 1)
    time_s = end_s if end_s is not None else Fraction(0)
    if frame.pts is not None and frame.time_base:
        time_s = frame.pts * Fraction(frame.time_base)
    if end_s is None:
        return Fraction(0), time_s + length_s
    gap_s = time_s - end_s
    if not _GAP_S < gap_s <= _MAX_FRAME_S:
        gap_s = Fraction(0)
    return gap_s, end_s + gap_s + length_s


def _silence(seconds: Fraction, rate: int) -> Iterator[NDArray[np.float32]]:
    n_samples = round(seconds * rate)
    while n_samples > 0:  # a second at a time
        yield np.zeros(min(n_samples, rate), np.float32)
        n_samples -= rate


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    container = _open(path)
    try:
        yield container
    finally:
        container.close()


def _open(path: Path, from_byte: int = 0) -> Any:
    if not path.exists():
        raise MediaError(f"there is no file {path}")
    if path.is_dir():
        raise MediaError(f"{path} is a folder, a media file is wanted")
    options = {**ONE_FILE, **DECODER_LIMIT}
    if from_byte:
        options["skip_initial_bytes"] = str(from_byte)
    try:
        return av.open(for_ffmpeg(path), options=options, metadata_errors="ignore")
    except (av.FFmpegError, OSError) as error:
        raise MediaError(f"cannot open {path}: {_reason(error)}") from error


def _rest(path: Path, from_byte: int) -> Any:
    """Opens what lies after a byte; None where nothing can be read there."""
    try:
        return _open(path, from_byte)
    except MediaError:
        return None


def _decoded(container: Any, stream: Any, path: Path, info: MediaInfo | None) -> Iterator[Any]:
    damaged_in_a_row = n_frames = 0
    kind = stream.type
    sense = SOUND if kind == "audio" else PICTURE
    packets = FilePackets(
        container,
        {**streams_of(container), sense: stream},  # the other's time stamps tell joins
        {sense},
        reopen=partial(_rest, path),
    )
    while True:
        packet = None
        try:
            read = packets.read()
            if read is None:
                break
            packet = read[1]
            frames = packet.decode()
        except av.error.EOFError:
            continue
        except (av.FFmpegError, OSError, ValueError, MemoryError) as error:
            # One bad packet is passed over; a demuxer that fails for good is not.
            damaged_in_a_row += 1
            if packet is not None:
                packets.gave_nothing()
            if info is not None:
                info.n_damaged += 1
            if damaged_in_a_row >= _MAX_DAMAGED or _is_about_the_device(error):
                raise MediaError(f"cannot go on reading {path}: {_reason(error)}") from error
            continue
        damaged_in_a_row = 0
        if frames:
            packets.gave_something()
        n_frames += len(frames)
        yield from frames
    packets.close()
    if not n_frames:
        raise MediaError(f"{path} holds a {kind} stream, but nothing in it can be decoded")


def _is_about_the_device(error: Exception) -> bool:
    return getattr(error, "errno", None) in {errno.EIO, errno.ENOMEM}


def _stream(container: Any, kind: Kind, tracks: Tracks, path: Path) -> Any:
    number = tracks.audio if kind == "audio" else tracks.video
    try:
        return (
            usual_track(container, kind)
            if number is None
            else track_numbered(container, kind, number)
        )
    except ValueError as error:
        raise MediaError(f"{path} {error}") from error


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0].rstrip(".")
