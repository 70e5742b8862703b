"""Media files whose every frame and block lies where a test wants it, and joins of them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

RATE = 16_000
TICKS = 90_000  # MPEG's clock
BLOCK = 1152  # MP2's, so that blocks lie end to end

Stretch = tuple[float, float]  # begins at, ends at; seconds


def write_stamped(
    path: Path,
    *,
    pictures: Sequence[float] = (),
    picture_s: float = 0.04,
    levels: Sequence[int] | None = None,
    sounds: Sequence[Stretch] = (),
    loud: Sequence[Stretch] | None = None,
    video: str = "mpeg2video",
    audio: str = "mp2",
    offset_s: float = 0.0,
    options: dict[str, str] | None = None,
    sound_first: bool = False,
    is_large: bool = False,
) -> Path:
    """Write a file.

    Args:
        path: Its suffix says the container.
        pictures: When frames show; grey of 60 unless `levels` says otherwise.
        picture_s: How long the last one lasts, as far as the container keeps that.
        levels: Grey of each frame, 0 to 255.
        sounds: Stretches with sound.
        loud: Where in them a tone is heard, elsewhere there is faint noise; None for throughout.
        video: Codec; all frames are key frames.
        audio: Codec.
        offset_s: Added to all time stamps.
        options: The muxer's.
        sound_first: Gives the sound the lower stream number (and PID).
        is_large: Lays noise over larger pictures: some 60 kB a frame.
    """
    packets = []
    with av.open(str(path), "w", options=options or {}) as container:
        shown = heard = None
        for sense in ("sound", "picture") if sound_first else ("picture", "sound"):
            if sense == "picture" and pictures:
                shown = container.add_stream(video, rate=25, options={"g": "1", "bf": "0"})
                shown.width, shown.height = (640, 480) if is_large else (64, 48)
                shown.pix_fmt = "yuv420p"
                shown.bit_rate = 60_000_000 if is_large else 1_000_000
            elif sense == "sound" and sounds:
                heard = container.add_stream(audio, rate=RATE, layout="mono")
        if shown is not None:
            packets += _encode_pictures(shown, pictures, levels, picture_s, offset_s)
        for stretch in sounds:
            packets += _encode_sound(heard, stretch, loud, offset_s)
        if heard is not None:
            packets += heard.encode(None)
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            container.mux(packet)
    return path


def _encode_pictures(stream, pictures, levels, picture_s, offset_s):
    packets = []
    lengths = [*np.diff(pictures), picture_s]
    for index in range(len(pictures)):
        level = 60 if levels is None else levels[index]
        image = np.full((stream.height, stream.width, 3), level, np.uint8)
        if stream.width > 64:
            image += np.random.default_rng(index).integers(0, 60, image.shape, np.uint8)
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = index, Fraction(1, 25)
        packets += stream.encode(frame)
    packets += stream.encode(None)
    for packet, time_s, length_s in zip(packets, pictures, lengths, strict=True):
        packet.time_base = Fraction(1, TICKS)
        packet.pts = packet.dts = round((time_s + offset_s) * TICKS)
        packet.duration = round(float(length_s) * TICKS)
    return packets


def _encode_sound(stream, stretch, loud, offset_s):
    starts_s, ends_s = stretch
    n_samples = round((ends_s - starts_s) * RATE)
    t_s = starts_s + np.arange(n_samples) / RATE
    tone = 0.5 * np.sin(2 * np.pi * 440 * t_s)
    if loud is not None:
        sounds = np.zeros(n_samples, bool)
        for begin_s, end_s in loud:
            sounds |= (begin_s <= t_s) & (t_s < end_s)
        noise = 0.01 * np.random.default_rng(0).standard_normal(n_samples)
        tone = np.where(sounds, tone, noise)
    block = stream.codec_context.frame_size or 1024
    packets = []
    for start in range(0, n_samples, block):
        samples = np.zeros(block)
        piece = tone[start : start + block]
        samples[: len(piece)] = piece
        samples = np.ascontiguousarray(samples[None])
        name = stream.format.name
        if name.startswith(("s16", "s32")):
            frame = av.AudioFrame.from_ndarray(_whole(samples, name), format=name, layout="mono")
        else:
            frame = av.AudioFrame.from_ndarray(
                samples.astype(np.float32), format=name, layout="mono"
            )
        frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
        frame.pts = round((starts_s + offset_s) * RATE) + start
        packets += stream.encode(frame)
    return packets


def _whole(samples, name):
    if name.startswith("s16"):
        return (samples * 32_767).astype(np.int16)
    return (samples * (2**31 - 1)).astype(np.int32)


def joined(path: Path, *parts: Path) -> Path:
    """Put files behind one another, as `cat` does."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path
