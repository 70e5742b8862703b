"""Small media files of many kinds, and ways to damage them; the same every time."""

from __future__ import annotations

import random
import struct
import wave
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

SECONDS = 0.6


def write(
    path: Path,
    *,
    video: str | None = "mpeg4",
    audio: str | None = "aac",
    fps: int | Fraction = 25,
    size: tuple[int, int] = (64, 48),
    rate: int = 44_100,
    layout: str = "stereo",
    seconds: float = SECONDS,
    pixels: str = "yuv420p",
    container_format: str | None = None,
) -> Path:
    """Write a file with a picture that brightens and a tone; None leaves a sense out."""
    with av.open(str(path), "w", format=container_format) as container:
        pictures = sounds = None
        if video is not None:
            pictures = container.add_stream(video, rate=fps)
            pictures.width, pictures.height, pictures.pix_fmt = *size, pixels
        if audio is not None:
            sounds = container.add_stream(audio, rate=rate, layout=layout)
        if pictures is not None:
            n = max(1, round(seconds * float(fps)))
            for k in range(n):
                level = np.full((size[1], size[0], 3), 255 * k // n, np.uint8)
                frame = av.VideoFrame.from_ndarray(level, format="rgb24")
                frame.pts, frame.time_base = k, 1 / Fraction(fps)
                container.mux(pictures.encode(frame))
            container.mux(pictures.encode(None))
        if sounds is not None:
            _mux_tone(container, sounds, rate, layout, seconds)
    return path


def _mux_tone(container, stream, rate: int, layout: str, seconds: float) -> None:
    n_channels = len(stream.layout.channels)
    tone = 0.4 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
    resampler = av.AudioResampler(
        format=stream.format.name,
        layout=layout,
        rate=rate,
        frame_size=stream.codec_context.frame_size or 1024,
    )
    frame = av.AudioFrame.from_ndarray(
        np.ascontiguousarray(np.tile(tone.astype(np.float32), (n_channels, 1))),
        format="fltp",
        layout=layout,
    )
    frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
    for out in [*resampler.resample(frame), *resampler.resample(None)]:
        container.mux(stream.encode(out))
    container.mux(stream.encode(None))


def write_leap(path: Path, leap_s: int) -> Path:
    """Write a file whose time stamps leap by so many seconds in the middle, both senses alike."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for k in range(30):
            leap = leap_s if k >= 15 else 0
            picture = np.full((48, 64, 3), 8 * k, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = k + 25 * leap, Fraction(1, 25)
            container.mux(video.encode(frame))
            block = np.full((1, 640), 9000 * (k % 2), np.int16)
            sound = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            sound.sample_rate, sound.time_base = 16_000, Fraction(1, 16_000)
            sound.pts = 640 * k + 16_000 * leap
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return path


def write_wave(
    path: Path, samples: NDArray[np.int16], rate: int = 16_000, n_channels: int = 1
) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(n_channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


def write_float_wave(path: Path, samples: NDArray[np.float32], rate: int = 16_000) -> Path:
    """Write IEEE float WAV by hand: NaN, infinity and values far above full scale go through."""
    data = samples.astype("<f4").tobytes()
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 3, 1,
                       rate, rate * 4, 4, 32)  # fmt: skip
    path.write_bytes(head + struct.pack("<4sI", b"data", len(data)) + data)
    return path


def wave_that_claims(path: Path, rate: int, n_channels: int) -> Path:
    """Write a WAV whose header claims a rate and a channel count; the data is noise."""
    data = np.random.default_rng(0).integers(-9000, 9000, 8000, np.int16).tobytes()
    block = 2 * n_channels & 0xFFFF
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1,
                       n_channels & 0xFFFF, rate, rate * block & 0xFFFFFFFF, block, 16)  # fmt: skip
    path.write_bytes(head + struct.pack("<4sI", b"data", len(data)) + data)
    return path


def whole_files(folder: Path) -> list[Path]:
    """Write the files that are strange but whole."""
    noise = np.random.default_rng(0).integers(-9000, 9000, 12_000, np.int16)
    nan = np.tile(np.array([0.1, np.nan, np.inf, -np.inf, 1e30, -5.0], np.float32), 2000)
    files = [
        write(folder / "plain.mp4"),
        write(folder / "plain.mkv"),
        write(folder / "plain.avi"),
        write(folder / "plain.ts"),
        write(folder / "plain.flv", video="flv"),
        write(folder / "jpeg.avi", video="mjpeg", pixels="yuvj420p", audio="pcm_s16le"),
        write(folder / "lossless.mkv", video="ffv1", audio="flac"),
        write(folder / "opus.ogg", video=None, audio="libopus", rate=48_000),
        write(folder / "opus.webm", video="libvpx", audio="libopus", rate=48_000),
        write(folder / "mp3.mp3", video=None, audio="libmp3lame"),
        write(folder / "no-picture.mp4", video=None),
        write(folder / "no-sound.mp4", audio=None),
        write(folder / "1fps.mp4", fps=1, seconds=3.0),
        write(folder / "240fps.mp4", fps=240, seconds=0.4),
        write(folder / "8khz.mkv", rate=8_000, audio="pcm_s16le", layout="mono"),
        write(folder / "96khz.mkv", rate=96_000, audio="flac"),
        write(folder / "surround.mkv", layout="5.1", rate=48_000),
        write(folder / "tiny.mkv", video="ffv1", size=(2, 2), seconds=0.3),
        write(folder / "one-pixel.mkv", video="ffv1", size=(1, 1), pixels="bgr0", seconds=0.3),
        write(folder / "wide.avi", video="mjpeg", pixels="yuvj420p", size=(8192, 2), seconds=0.2),
        write(folder / "tall.avi", video="mjpeg", pixels="yuvj420p", size=(2, 8192), seconds=0.2),
        write(folder / "4k.mp4", size=(3840, 2160), seconds=0.12),
        write(folder / "one-frame.mp4", seconds=0.04),
        write_leap(folder / "leap-of-a-day.mkv", 86_400),
        write_leap(folder / "leap-of-a-minute.mkv", 60),
        write_wave(folder / "noise.wav", noise),
        write_wave(folder / "empty.wav", noise[:0]),
        write_wave(folder / "one-sample.wav", noise[:1]),
        write_wave(folder / "full-scale.wav", np.full(8000, -32768, np.int16)),
        write_float_wave(folder / "nan.wav", nan),
    ]
    rates = (0, 1, 100, 999, 1000, 1001, 7999, 768_000, 768_001, 3_000_000, 0xFFFFFFFF)
    files += [wave_that_claims(folder / f"rate-{rate}.wav", rate, 1) for rate in rates]
    for_channels = (0, 2, 3, 6, 8, 16, 64, 255, 65_535)
    files += [wave_that_claims(folder / f"channels-{n}.wav", 16_000, n) for n in for_channels]
    Image.new("RGB", (40, 30), (200, 0, 0)).save(folder / "still.png")
    Image.new("RGB", (40, 30), (200, 0, 0)).save(folder / "still.jpg")
    frames = [Image.new("RGB", (40, 30), (k * 40, 0, 0)) for k in range(5)]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:], duration=100)
    (folder / "zero.mp4").write_bytes(b"")
    (folder / "zeros.mp4").write_bytes(bytes(5000))
    (folder / "text.mp4").write_text("this is no film\n" * 50)
    (folder / "playlist.m3u8").write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n#EXT-X-ENDLIST\n")
    (folder / "list.ffconcat").write_text("ffconcat version 1.0\nfile '/etc/passwd'\n")
    (folder / "session.sdp").write_text("v=0\nm=video 5000 RTP/AVP 96\na=rtpmap:96 H264/90000\n")
    (folder / "subtitles.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    (folder / "picture-as-sound.wav").write_bytes((folder / "still.png").read_bytes())
    (folder / "sound-as-film.mp4").write_bytes((folder / "noise.wav").read_bytes())
    (folder / "film-as-picture.png").write_bytes((folder / "plain.mp4").read_bytes())
    (folder / "unknown-codec.avi").write_bytes(
        (folder / "plain.avi").read_bytes().replace(b"FMP4", b"ZZZZ").replace(b"mp4v", b"zzzz")
    )
    (folder / "unknown-codec.mp4").write_bytes(
        (folder / "plain.mp4").read_bytes().replace(b"mp4v", b"zz9z").replace(b"mp4a", b"zz8z")
    )
    size = (folder / "tiny.mkv").read_bytes()
    (folder / "huge-claim.mkv").write_bytes(
        size.replace(b"\xb0\x81\x02\xba\x81\x02", b"\xb0\x82\xff\xff\xba\x82\xff\xff")
    )
    (folder / "large.gif").write_bytes(b"GIF89a" + struct.pack("<HH", 65_535, 65_535) + bytes(40))
    return sorted(p for p in folder.iterdir() if p.is_file())


def _truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))] if data else data


def _flip_bits(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 2, 8, 64))):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def _flip_head(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 3, 10))):
        out[rng.randrange(min(len(out), 256))] = rng.randrange(256)
    return bytes(out)


def _flip_tail(data: bytes, rng: random.Random) -> bytes:
    out = bytearray(data)  # MP4 keeps its tables of times and sizes there
    for _ in range(rng.choice((1, 3, 10))):
        out[-1 - rng.randrange(min(len(out), 1500))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF))
    return bytes(out)


def _drop_middle(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    return data[:start] + data[start + rng.randrange(1, 400) :]


def _repeat_middle(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    return data[:start] + data[start : start + 300] * rng.randrange(2, 6) + data[start:]


def _large_number(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    number = rng.choice(
        (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\x00\x00", b"\x80" * 4)
    )
    return data[:start] + number + data[start + 4 :]


DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _truncate,
    _flip_bits,
    _flip_head,
    _flip_tail,
    _drop_middle,
    _repeat_middle,
    _large_number,
)


def damaged(data: bytes, seed: int) -> tuple[str, bytes]:
    """Return one way to damage a file and what came of it; the seed decides all."""
    rng = random.Random(seed)
    damage = DAMAGES[seed % len(DAMAGES)]
    return damage.__name__.strip("_"), damage(data, rng) if data else data
