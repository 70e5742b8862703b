"""One video, sound or picture to the features of its clips, streamed second by second.

Grid frames come from `extractors.frame_grid`, seconds of sound from `extractors.resample`; the
trunks see one second at a time; only the features of the whole file are kept. What falls short
of a whole second is filled as the authors fill it: the last frame repeated, the sound padded
with zeros. Between ffmpeg and their network lay JPEG files: `jpeg` passes frames through one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from extractors.authors_jpeg import through_jpeg
from extractors.decoding.pictures import as_rgb
from extractors.decoding.tracks import USUAL, Tracks
from extractors.encoders import Encoders, PictureEncoder, SoundEncoder
from extractors.errors import MediaError
from extractors.frame_grid import GRID_RATE_HZ, frames_on_grid
from extractors.media import probe, read_frames, read_picture, read_sound
from extractors.resample import SAMPLE_RATE, resample_blocks, whole_seconds

if TYPE_CHECKING:
    from av import VideoFrame
    from numpy.typing import NDArray

_WORTH_A_NOTE_S: Final = 0.5  # padding that is more than a container's ragged end
_THUMBNAIL_STEP: Final = 3  # 224 -> 75: 17 KB a clip, a tenth of its sound map
_PEAK_OF_SILENCE: Final = 1.0 / 32768.0  # nothing above the least significant int16 step


@dataclass(slots=True)
class ClipFeatures:
    """Features of one file; a sense that is not there is None.

    Attributes:
        visual: Means over each clip's 16 grid frames `(T, dim)`, float32; a sense that ends first
            has fewer clips.
        audio: Sound maps `(T, C, H, W)`, float32.
        log_mel: `(T, mel frames, mels)`, float32, or what else the trunk's front end makes.
        thumbnails: The frame in the middle of each clip: RGB `(T, H, W, 3)`, uint8, a third of
            what the trunk sees.
        notes: What was padded, damaged or silent, a sentence each.
    """

    visual: NDArray[np.float32] | None = None
    audio: NDArray[np.float32] | None = None
    log_mel: NDArray[np.float32] | None = None
    thumbnails: NDArray[np.uint8] | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def n_clips(self) -> int:
        """T, of the longer sense."""
        return max((len(s) for s in (self.visual, self.audio) if s is not None), default=0)


def n_clips_of(n_values: int, per_clip: int) -> int:
    """Counts clips, a half rounded up: 9.93 s are ten clips, 10.2 s too, and none are zero."""
    return max(1, (2 * n_values + per_clip) // (2 * per_clip)) if n_values else 0


def extract_media(
    path: Path,
    encoders: Encoders,
    n_clips: int | None = None,
    *,
    fill: bool = True,
    jpeg: bool = False,
    tracks: Tracks = USUAL,
) -> ClipFeatures:
    """Extracts what a video or sound file holds, as far as there are encoders for it.

    Args:
        path: The file.
        encoders: The trunks; a sense without one is passed over.
        n_clips: Clips wanted: a longer file is cut, a shorter one padded. None takes all.
        fill: Whether a shorter file is padded; otherwise `n_clips` is only the most.
        jpeg: Whether frames pass through JPEG, as the authors' did.
        tracks: Which of several are taken, whatever they hold.

    Returns:
        The features. Filled, both senses have `n_clips`; otherwise each goes to its own end.

    Raises:
        MediaError: The file cannot be read, or holds neither sense that is wanted.
    """
    info = probe(path, tracks)
    features = ClipFeatures()
    fill = fill and n_clips is not None
    if encoders.picture is not None and info.has_picture:
        grid = frames_on_grid(read_frames(path, info), from_zero=not fill)
        shown = _through_jpeg(grid, encoders.picture) if jpeg else _resized(grid, encoders.picture)
        encode_frames(shown, encoders.picture, n_clips, features, fill=fill)
    if encoders.sound is not None and info.has_sound:
        blocks = resample_blocks(read_sound(path, info, from_zero=not fill), info.sample_rate)
        encode_sound(blocks, encoders.sound, n_clips, features, fill=fill)
    if features.visual is None and features.audio is None:
        wanted = "picture" if encoders.sound is None else "sound"
        raise MediaError(f"{path} holds no {wanted}")
    if encoders.picture is not None and not info.has_picture:
        features.notes.append("no picture")
    if encoders.sound is not None and not info.has_sound:
        features.notes.append("no sound")
    if info.n_damaged:
        features.notes.append(f"{info.n_damaged} damaged packets passed over")
    return features


def extract_picture(path: Path, encoder: PictureEncoder) -> ClipFeatures:
    """Extracts one still: a clip that shows it 16 times has its features.

    Raises:
        MediaError: The file is not a picture.
    """
    frame = encoder.transform.resize(read_picture(path))
    return ClipFeatures(visual=encoder.encode(frame[None]), thumbnails=_small(frame)[None])


def encode_frames(
    frames: Iterable[NDArray[np.uint8]],
    encoder: PictureEncoder,
    n_clips: int | None,
    features: ClipFeatures,
    *,
    fill: bool = True,
) -> None:
    """Encodes grid frames into `features.visual`, one clip's 16 at a time.

    Args:
        frames: Resized grid frames `(224, 224, 3)`, uint8, 16 a second.
        encoder: The picture trunk.
        n_clips: Clips wanted, or None for as many as the frames fill, a half rounded up.
        features: Where the means over each clip's frames, the thumbnails and notes about
            padding go.
        fill: Whether fewer frames are padded; otherwise `n_clips` is only the most.

    Raises:
        MediaError: There is no frame.
    """
    wanted = None if n_clips is None else n_clips * GRID_RATE_HZ
    frames = islice(frames, wanted)
    means: list[NDArray[np.float32]] = []
    thumbnails: list[NDArray[np.uint8]] = []
    newest: NDArray[np.float32] | None = None  # the last frame's features
    n_frames = 0
    while clip := list(islice(frames, GRID_RATE_HZ)):
        # A frame that stands is encoded once a clip.
        starts = [k for k, frame in enumerate(clip) if k == 0 or frame is not clip[k - 1]]
        lengths = np.diff([*starts, len(clip)])
        encoded = np.repeat(encoder.encode(np.stack([clip[k] for k in starts])), lengths, axis=0)
        newest = encoded[-1:]
        n_frames += len(clip)
        if len(clip) < GRID_RATE_HZ:
            # Equal frames have equal features: the last one is repeated after encoding.
            rest = np.repeat(newest, GRID_RATE_HZ - len(clip), axis=0)
            encoded = np.concatenate([encoded, rest])
        means.append(encoded.mean(axis=0))
        thumbnails.append(_small(clip[len(clip) // 2]))
    if newest is None:
        raise MediaError("there are no frames")
    if n_clips is None or not fill:
        n_clips = n_clips_of(n_frames, GRID_RATE_HZ)
    n_missing = n_clips - len(means)
    means.extend([newest[0]] * n_missing)
    thumbnails.extend([thumbnails[-1]] * n_missing)
    short_s = n_clips - n_frames / GRID_RATE_HZ
    if short_s >= _WORTH_A_NOTE_S:
        features.notes.append(f"last frame repeated for {short_s:.1f} s")
    features.visual = np.stack(means[:n_clips])
    features.thumbnails = np.stack(thumbnails[:n_clips])


def encode_sound(
    blocks: Iterable[NDArray[np.float32]],
    encoder: SoundEncoder,
    n_clips: int | None,
    features: ClipFeatures,
    *,
    fill: bool = True,
) -> None:
    """Encodes a stream of sound at 16 kHz into `features.audio` and `features.log_mel`.

    Args:
        blocks: Mono audio at 16 kHz, blocks of any length, float32 in [-1, 1].
        encoder: The sound trunk.
        n_clips: Clips wanted, or None for as many as the sound fills, a half rounded up.
        features: Where the result and notes about padding and silence go.
        fill: Whether less sound is padded; otherwise `n_clips` is only the most.

    Raises:
        MediaError: There is no sample.
    """
    log_mels, maps = [], []
    n_samples, peak = 0, 0.0
    for second in islice(whole_seconds(blocks), n_clips):
        n_samples += len(second)
        peak = max(peak, float(np.abs(second).max()))
        padded = np.pad(second, (0, SAMPLE_RATE - len(second)))
        log_mel, sound_map = encoder.encode(padded[None])
        log_mels.append(log_mel)
        maps.append(sound_map)
    if not n_samples:
        raise MediaError("there is no sound in the stream")
    if n_clips is None or not fill:
        n_clips = n_clips_of(n_samples, SAMPLE_RATE)
    n_missing = n_clips - len(maps)
    if n_missing > 0:
        log_mel, sound_map = encoder.encode(np.zeros((1, SAMPLE_RATE), np.float32))
        log_mels.extend([log_mel] * n_missing)
        maps.extend([sound_map] * n_missing)
    features.log_mel = np.concatenate(log_mels)[:n_clips]
    features.audio = np.concatenate(maps)[:n_clips]
    short_s = n_clips - n_samples / SAMPLE_RATE
    if short_s >= _WORTH_A_NOTE_S:
        features.notes.append(f"sound padded with {short_s:.1f} s of silence")
    if peak <= _PEAK_OF_SILENCE:
        features.notes.append("the sound is silent")


def _resized(frames: Iterable[VideoFrame], encoder: PictureEncoder) -> Iterator[NDArray[np.uint8]]:
    shown: VideoFrame | None = None
    for frame in frames:
        if frame is not shown:  # a held frame is converted once
            shown, resized = frame, encoder.transform.resize(as_rgb(frame))
        yield resized


def thumbnail_shape(size: int) -> tuple[int, int, int]:
    """Return height, width and channels of the small pictures of a trunk that sees `size`²."""
    side = -(-size // _THUMBNAIL_STEP)
    return side, side, 3


def _small(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return frame[::_THUMBNAIL_STEP, ::_THUMBNAIL_STEP].copy()


def _through_jpeg(
    frames: Iterable[VideoFrame], encoder: PictureEncoder
) -> Iterator[NDArray[np.uint8]]:
    return (encoder.transform.resize(rgb) for rgb in through_jpeg(frames))
