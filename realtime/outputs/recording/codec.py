"""Pictures to JPEG and back, and an MP4 of H.264 and AAC: the recorder's only file that knows PyAV.

The MP4 is fragmented while it is written (a fragment a second, each usable by itself), so that what
was written before a crash plays; `finish_file` makes an ordinary one of it without encoding
anew. Time stamps are the caller's: both tracks count sixteen-thousandths of a second, those of the
sound, so that neither can drift from the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, Protocol

import av
import av.error
import numpy as np
from av.video.frame import PictureType

from realtime.errors import OutputError
from realtime.outputs.recording.ring import StoredFrame
from realtime.packets import SAMPLE_RATE
from weights.paths import for_ffmpeg

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

av.logging.set_level(None)  # what goes wrong is an exception; the rest is for FFmpeg's developers

TIME_BASE = Fraction(1, SAMPLE_RATE)
AAC_SAMPLES = 1024  # a frame of AAC (ISO/IEC 14496-3, 4.5.1.1)
MIN_SIDE, MAX_SIDE = 16, 4096  # px
JPEG_QUANTIZER = 4  # of 1 (best) to 31; blocks are not seen at 4
CRF = "23"  # x264's own default
NOMINAL_FPS = 30  # for x264's rate control; the time stamps say when a frame is shown
KEY_INTERVAL = SAMPLE_RATE  # a key frame, and so a fragment, each second
_FRAGMENTED = {
    "movflags": "frag_keyframe+delay_moov+default_base_moof",
    "frag_duration": "1000000",  # μs; where there are no pictures
    "flush_packets": "1",
}


class Sink(Protocol):
    """Where the bytes go; an error of its own comes through to whoever writes."""

    def write(self, data: bytes, /) -> int | None:
        """Write all of `data`."""
        ...


@contextmanager
def _encoding() -> Iterator[None]:
    """Translate what an encoder says; errors of the disk are OSErrors already."""
    try:
        yield
    except av.error.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise OutputError(f"the encoder refused ({error})") from error


class FrameCodec:
    """RGB to JPEG, shrunk to `max_height`; one thread."""

    def __init__(self, max_height: int) -> None:
        self._max_height = max_height
        self._encoder: Any = None
        self._decoder: Any = _context("mjpeg", "r")

    def compress(self, time_ns: int, image: NDArray[np.uint8]) -> StoredFrame:
        """Return the frame as it is stored, its sides even; `image` is RGB uint8 `(H, W, 3)`."""
        height, width = image.shape[:2]
        scale = min(1.0, self._max_height / height, MAX_SIDE / width)
        size = (_even(width * scale), _even(height * scale))
        if self._encoder is None or (self._encoder.width, self._encoder.height) != size:
            self._encoder = _context("mjpeg", "w")
            self._encoder.width, self._encoder.height = size
            self._encoder.pix_fmt = "yuvj420p"
            self._encoder.time_base = TIME_BASE
            self._encoder.qmin = self._encoder.qmax = JPEG_QUANTIZER
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame = frame.reformat(size[0], size[1], format="yuvj420p")
        frame.pts = None
        (packet,) = self._encoder.encode(frame)
        return StoredFrame(time_ns, bytes(packet), *size)

    def restore(self, frame: StoredFrame) -> Any:
        """Return the frame for an encoder."""
        (decoded,) = self._decoder.decode(av.Packet(frame.jpeg))
        return decoded


class Mp4Writer:
    """Writes one MP4 to `sink`; one thread. An error of the sink's is raised as it is.

    Args:
        sink: Takes the bytes in order; nothing is read or sought.
        size: Width and height of the picture, both even; None for sound alone.
        sound: Whether there is a sound track.
        codec: Restores frames.
    """

    def __init__(
        self, sink: Sink, size: tuple[int, int] | None, *, sound: bool, codec: FrameCodec
    ) -> None:
        self._codec = codec
        self._container = av.open(sink, "w", format="mp4", options=_FRAGMENTED)
        self._video: Any = None
        self._audio: Any = None
        self._last_key_pts: int | None = None
        if size is not None:
            self._video = self._container.add_stream(_h264(), rate=NOMINAL_FPS)
            self._video.width, self._video.height = size
            self._video.pix_fmt = "yuv420p"
            self._video.time_base = self._video.codec_context.time_base = TIME_BASE
            self._video.codec_context.thread_count = 1  # the processor is recognition's
            self._video.codec_context.options = {
                "preset": "veryfast",
                "tune": "zerolatency",  # a packet a frame: nothing is held back, none is reordered
                "crf": CRF,
            }
        if sound:
            self._audio = self._container.add_stream("aac", rate=SAMPLE_RATE, layout="mono")

    def write_frame(self, frame: StoredFrame, pts: int, duration: int) -> None:
        """Append a frame that is shown from `pts` for `duration`, in sixteen-thousandths of 1 s."""
        with _encoding():
            self._encode_frame(frame, pts, duration)

    def _encode_frame(self, frame: StoredFrame, pts: int, duration: int) -> None:
        picture = self._codec.restore(frame).reformat(
            self._video.width, self._video.height, format="yuv420p"
        )
        picture.pts, picture.time_base = pts, TIME_BASE
        is_key = self._last_key_pts is None or pts - self._last_key_pts >= KEY_INTERVAL
        picture.pict_type = PictureType.I if is_key else PictureType.NONE
        if is_key:
            self._last_key_pts = pts
        for packet in self._video.encode(picture):
            packet.duration = duration
            self._container.mux(packet)

    def write_sound(self, samples: NDArray[np.int16], pts: int) -> None:
        """Append `AAC_SAMPLES` samples, or fewer as the last, int16 `(n,)`."""
        frame = av.AudioFrame.from_ndarray(samples[np.newaxis], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        frame.pts, frame.time_base = pts, TIME_BASE
        with _encoding():
            for packet in self._audio.encode(frame):
                self._container.mux(packet)

    def close(self) -> None:
        """Write what the encoders hold and the end."""
        with _encoding():
            for stream in (self._video, self._audio):
                if stream is not None:
                    for packet in stream.encode(None):
                        self._container.mux(packet)
            self._container.close()

    def abandon(self) -> None:
        """Let go after an error; what was written stays."""
        try:
            self._container.close()
        except (OSError, av.error.FFmpegError):
            return  # it is the error that brought us here


def finish_file(fragmented: Path, to: Path) -> None:
    """Copy a fragmented MP4 to an ordinary one that can be sought in at once.

    Raises:
        OSError: The disk is full, or it cannot be written.
        OutputError: The fragmented one cannot be read.
    """
    try:
        with av.open(for_ffmpeg(fragmented), metadata_errors="replace") as source:
            options = {"movflags": "faststart"}
            with av.open(for_ffmpeg(to), "w", format="mp4", options=options) as target:
                tracks = {s.index: target.add_stream_from_template(s) for s in source.streams}
                for packet in source.demux():
                    if packet.dts is not None:
                        packet.stream = tracks[packet.stream.index]
                        target.mux(packet)
    except av.error.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise OutputError(f"{fragmented} cannot be finished: {error}") from error
    except (ValueError, LookupError) as error:  # PyAV's own, of what a crash left
        raise OutputError(f"{fragmented} cannot be finished: {error}") from error


def can_be_played(path: Path) -> bool:
    """Return whether there is anything in an MP4 that may have been cut off.

    Raises:
        OSError: Nobody knows: it cannot be read.
    """
    try:
        with av.open(for_ffmpeg(path), metadata_errors="replace") as container:
            return any(packet.pts is not None for packet in container.demux())
    except (av.error.FFmpegError, ValueError, LookupError) as error:
        if isinstance(error, OSError):
            raise
        return False


def _h264() -> str:
    """Return FFmpeg's name of an H.264 encoder that this PyAV has."""
    for name in ("libx264", "h264"):
        try:
            av.Codec(name, "w")
        except av.error.FFmpegError:
            continue
        return name
    raise OutputError(
        "recording needs an H.264 encoder, which this build of PyAV lacks; "
        "install PyAV's own wheel: `pip install --force-reinstall av`"
    )


def _even(side: float) -> int:
    return max(MIN_SIDE, round(side) // 2 * 2)


def _context(codec: str, mode: Literal["r", "w"]) -> Any:
    context = av.CodecContext.create(codec, mode)
    context.thread_count = 1
    return context
