"""Reading videos, sounds and pictures from files, for the features of a data set.

A video is streamed: one decoded frame and one decoded block of sound are alive at a time. What is
decoded, how it is dated and what counts as damaged, `extractors.decoding` says, as for a stream. It
refuses what holds nothing to decode, in one sentence. It knows nothing of features.
"""

from __future__ import annotations

import errno
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import av
import numpy as np
from PIL import Image, ImageOps

from extractors.decoding.decoder import FAULTS, DecodedFrame, Decoder
from extractors.decoding.file_packets import FilePackets
from extractors.decoding.limits import MAX_PICTURE_PIXELS, TOO_LARGE
from extractors.decoding.opening import open_file
from extractors.decoding.packet_times import NS_PER_S
from extractors.decoding.stamped import MAX_LEAP_NS
from extractors.decoding.track_choice import choose_tracks, has_choice
from extractors.decoding.tracks import KINDS, PICTURE, SOUND, USUAL, Tracks, tracks_read
from extractors.downmix import CANCELLATION, EXPLAINED_S, Downmix
from extractors.errors import MediaError, reason_of
from extractors.gaps import LONG_FRAME_S, Gaps

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

PICTURE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
SOUND_SUFFIXES: Final = frozenset({".wav", ".flac", ".ogg", ".mp3", ".m4a", ".aac", ".opus"})
VIDEO_SUFFIXES: Final = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".flv", ".ts", ".3gp"}
)
_INT16_RANGE: Final = 32768.0  # the authors divide int16 samples by it
_MAX_GAP_S: Final = Fraction(MAX_LEAP_NS, NS_PER_S)
_GAP_S: Final = Fraction(1, 10)  # time stamps of sound wander by less


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

    def count(self, name: str, n: int = 1) -> None:
        """Takes note of what `extractors.decoding.damage` counts."""
        if name == "broken_packets":
            self.n_damaged += n


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
        streams = tracks_read(container, tracks, str(path))
        video, audio = streams.get(PICTURE), streams.get(SOUND)
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
        decoder = _decoder_of(container, PICTURE, path, info)
        start_s = Fraction(container.start_time or 0, av.time_base)
        next_s = start_s
        gaps = Gaps(path, PICTURE)
        for decoded in _decoded(decoder, PICTURE, path):
            time_s, length_s = decoded.time_s, decoded.length_s
            shown_s = min(length_s, LONG_FRAME_S)
            gaps.note(max(Fraction(0), time_s - next_s) + length_s - shown_s, shown_s)
            yield time_s - start_s, length_s, decoded.frame
            next_s = time_s + length_s


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
        end_s = Fraction(container.start_time or 0, av.time_base) if from_zero else None
        decoder = _decoder_of(container, SOUND, path, info)
        rate = decoder.streams[SOUND].rate  # of all that comes, whatever a later part has
        resampler, kind, channels = None, "", Downmix()
        gaps = Gaps(path, SOUND)
        for decoded in _decoded(decoder, SOUND, path):
            frame = decoded.frame
            gap_s, end_s = _gap_before(decoded, end_s)
            gaps.note(gap_s, decoded.length_s)
            yield from _silence(gap_s, rate)
            frame.pts = None  # gaps in the time stamps are the resampler's to fill otherwise
            its_kind = f"{frame.format.name} {frame.layout.name} {frame.sample_rate}"
            try:
                if resampler is None or its_kind != kind:
                    kind = its_kind
                    resampler = av.AudioResampler(format="s16", layout=frame.layout.name, rate=rate)
                resampled = resampler.resample(frame)
            except (av.FFmpegError, ValueError, MemoryError) as error:
                raise MediaError(
                    f"a block of sound in {path} cannot be converted: {reason_of(error)}"
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
        raise MediaError(f"cannot read the picture {path}: {reason_of(error)}") from error


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


def _gap_before(decoded: DecodedFrame, end_s: Fraction | None) -> tuple[Fraction, Fraction]:
    """Returns how long nothing was before a block, and where it ends."""
    if end_s is None:
        return Fraction(0), decoded.time_s + decoded.length_s
    gap_s = decoded.time_s - end_s
    if not _GAP_S < gap_s <= _MAX_GAP_S:
        gap_s = Fraction(0)
    return gap_s, end_s + gap_s + decoded.length_s


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
    try:
        return open_file(path, from_byte)
    except (av.FFmpegError, OSError) as error:
        raise MediaError(f"cannot open {path}: {reason_of(error)}") from error


def _rest(path: Path, from_byte: int) -> Any:
    """Opens what lies after a byte; None where nothing can be read there."""
    try:
        return _open(path, from_byte)
    except MediaError:
        return None


def _decoder_of(container: Any, sense: str, path: Path, info: MediaInfo | None) -> Decoder:
    info = info or MediaInfo(has_picture=True, has_sound=True, sample_rate=0)
    streams = tracks_read(container, info.tracks, str(path))
    if sense not in streams:
        raise MediaError(f"{path} holds no {sense}")
    packets = FilePackets(container, streams, [sense], reopen=partial(_rest, path))
    return Decoder(packets, info, where=str(path), is_lost=_is_about_the_device)


def _decoded(decoder: Decoder, sense: str, path: Path) -> Iterator[DecodedFrame]:
    while True:
        try:
            packet = decoder.read_packet()
        except FAULTS as error:
            raise MediaError(f"cannot go on reading {path}: {reason_of(error)}") from error
        if packet is None:
            break
        yield from decoder.decode(packet)
    decoder.close()
    if not decoder.has_decoded:
        kind = KINDS[sense]
        raise MediaError(f"{path} holds a {kind} stream, but nothing in it can be decoded")


def _is_about_the_device(error: Exception) -> bool:
    return getattr(error, "errno", None) in {errno.EIO, errno.ENOMEM}
