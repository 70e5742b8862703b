"""Small media files, and a stream's rings with an inlet, for the tests of sources."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from realtime.buffers.audio_ring import AudioRing
from realtime.buffers.frame_ring import FrameRing
from realtime.buffers.signal import DataSignal
from realtime.clock import Clock, ManualClock, Timeline
from realtime.sources.base import Inlet, Reader
from realtime.stats import Stats
from realtime.threads.mailbox import Policy

SIZE = 4


def prepare(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Shrink to the mean colour."""
    mean = image[::8, ::8].reshape(-1, 3).mean(axis=0)
    return np.broadcast_to(mean.astype(np.uint8), (SIZE, SIZE, 3)).copy()


@dataclass
class Stream:
    """One stream's rings and all that a reader needs."""

    inlet: Inlet
    frames: FrameRing
    sounds: AudioRing
    timeline: Timeline
    stats: Stats
    clock: Clock

    def count(self, name: str) -> int:
        return self.stats.snapshot().count(name)

    def slots(self) -> list[int]:
        return [f.slot for f in self.frames.read(0, 1 << 40)]

    def sound(self) -> NDArray[np.float32]:
        return self.sounds.read(self.sounds.first_index, self.sounds.end_index).samples


def make_stream(
    *,
    live: bool = False,
    clock: Clock | None = None,
    n_frames: int = 1000,
    n_samples: int = 16_000 * 120,
    policy: Policy | None = None,
    stride: int = 1,
) -> Stream:
    clock = clock if clock is not None else ManualClock()
    stats, signal, timeline = Stats(), DataSignal(), Timeline()
    policy = policy or (Policy.DROP_OLDEST if live else Policy.WAIT)
    frames = FrameRing(n_frames, SIZE, policy, signal, stats, stride)
    sounds = AudioRing(n_samples, policy, signal, stats)
    inlet = Inlet(
        timeline=timeline,
        frames=frames,
        sounds=sounds,
        prepare=prepare,
        live=live,
        clock=clock,
        stats=stats,
    )
    return Stream(inlet, frames, sounds, timeline, stats, clock)


def read_to_end(*readers: Reader) -> None:
    for reader in readers:
        while reader.step():
            pass
        reader.close()


def tone(seconds: float, rate: int, f_hz: float = 440.0) -> NDArray[np.float32]:
    t = np.arange(round(seconds * rate)) / rate
    return (0.5 * np.sin(2 * np.pi * f_hz * t)).astype(np.float32)


def write_media(
    path: Path,
    *,
    seconds: float = 2.0,
    frame_rate: int | Fraction | None = 25,
    video_codec: str = "mpeg4",
    sample_rate: int | None = 44_100,
    audio_codec: str = "aac",
    layout: str = "stereo",
    sound_delay_s: float = 0.0,
    sound_first: bool = False,
    waveform: NDArray[np.float32] | None = None,
) -> Path:
    """Write a file whose pictures brighten with time and whose sound is a tone.

    Args:
        sound_first: Puts all sound packets before all pictures.
        sound_delay_s: The sound's time stamps begin so much later.
    """
    with av.open(str(path), "w") as container:
        video = audio = None
        if frame_rate is not None:
            video = container.add_stream(video_codec, rate=frame_rate)
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            if video_codec == "mjpeg":
                video.pix_fmt = "yuvj420p"
        if sample_rate is not None:
            audio = container.add_stream(audio_codec, rate=sample_rate, layout=layout)
        pictures = [] if video is None else _encode_video(video, seconds, frame_rate)
        sounds = []
        if audio is not None and sample_rate is not None:
            wave = tone(seconds, sample_rate) if waveform is None else waveform
            sounds = _encode_audio(audio, wave, sample_rate, sound_delay_s)
        if sound_first:
            packets = sounds + pictures
        else:
            packets = sorted(
                sounds + pictures, key=lambda p: (p.dts or 0) * (p.time_base or Fraction(1))
            )
        for packet in packets:
            container.mux(packet) if not sound_first else container.mux_one(packet)
    return path


def empty_of_content(path: Path) -> Path:
    """Set all that an MP4 holds to zero; its index stays whole."""
    content = path.read_bytes()
    at = content.index(b"mdat")
    n_bytes = int.from_bytes(content[at - 4 : at]) - 8
    path.write_bytes(content[: at + 4] + bytes(n_bytes) + content[at + 4 + n_bytes :])
    return path


def _encode_video(stream, seconds, rate):
    packets = []
    for i in range(round(seconds * rate)):
        level = min(255, i * 4)
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), format="rgb24")
        frame.pts, frame.time_base = i, 1 / Fraction(rate)
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def _encode_audio(stream, waveform, rate, delay_s):
    n_channels = len(stream.layout.channels)
    block = 1024
    packets = []
    resampler = av.AudioResampler(
        format=stream.format.name, layout=stream.layout.name, rate=rate, frame_size=block
    )
    for start in range(0, len(waveform), block):
        samples = np.tile(waveform[start : start + block], (n_channels, 1))
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(samples), format="fltp", layout=stream.layout.name
        )
        frame.sample_rate = rate
        frame.time_base = Fraction(1, rate)
        frame.pts = start + round(delay_s * rate)
        for out in resampler.resample(frame):
            packets += stream.encode(out)
    for out in resampler.resample(None):
        packets += stream.encode(out)
    return packets + stream.encode(None)
