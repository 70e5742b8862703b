"""Files with several tracks: which of them holds a tone, which shows light."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 16_000
FPS = 16


def write_tracks(
    path: Path,
    sounds: Sequence[float] = (),
    pictures: Sequence[int] = (),
    *,
    seconds: float = 2.0,
    sound_s: Sequence[float] | None = None,
    silent_s: float = 0.0,
    audio: str = "pcm_s16le",
    video: str = "ffv1",
) -> Path:
    """Write a track for each level of a tone and each grey of a picture.

    Args:
        path: The file.
        sounds: Amplitudes of 440 Hz, of full scale.
        pictures: Grey levels; a picture has a bright corner unless it is black.
        seconds: Of all tracks.
        sound_s: Of each sound track, where they differ.
        silent_s: So long the first sound track is silent at its beginning.
        audio: The codec of the sounds.
        video: Of the pictures.
    """
    with av.open(str(path), "w") as container:
        streams = [container.add_stream(audio, rate=RATE, layout="mono") for _ in sounds]
        shown = [container.add_stream(video, rate=FPS) for _ in pictures]
        for stream in shown:
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        lengths_s = [seconds for _ in sounds] if sound_s is None else sound_s
        for number, (stream, level) in enumerate(zip(streams, sounds, strict=True)):
            times = np.arange(round(lengths_s[number] * RATE)) / RATE
            tone = level * np.sin(2 * np.pi * 440 * times)
            if number == 0:
                tone[: round(silent_s * RATE)] = 0.0
            for start in range(0, len(tone), 1024):
                block = (tone[start : start + 1024] * 32767).astype(np.int16)[None]
                frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        for stream, grey in zip(shown, pictures, strict=True):
            for k in range(round(seconds * FPS)):
                picture = np.full((48, 64, 3), grey, np.uint8)
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = k, Fraction(1, FPS)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path
