"""A tiny data set that is generated: tones and colours for two labels, as tables and as AVE."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

LABELS = ("Bark", "Siren")
SOUNDS = {
    "Bark": 300.0,
    "Siren": 1500.0,
    "Cat": 700.0,
    "Drum": 120.0,
    "Acoustic guitar": 440.0,
    "Background": 60.0,
    "Kettle": 3100.0,
}  # hertz
COLOURS = {
    "Bark": (200, 40, 40),
    "Siren": (30, 60, 220),
    "Cat": (90, 160, 40),
    "Drum": (200, 200, 60),
    "Acoustic guitar": (150, 90, 40),
    "Background": (90, 90, 90),
    "Kettle": (210, 210, 220),
}
N_OF_SPLIT = {"train": 3, "val": 2, "test": 2}
_RATE = 16_000
_FPS = 8


def write_tables(folder: Path, labels: Sequence[str] = LABELS) -> list[Path]:
    """Write separate sounds and pictures of each label and split; return both tables."""
    sounds, pictures = ["file,label,split"], ["file,label,split"]
    for label, split, k in _all(labels):
        stem = f"{label}-{split}-{k}"
        _write_wave(folder / f"{stem}.wav", _tone(label, 1.0, k))
        colour = Image.new("RGB", (64, 48), COLOURS[label])
        colour.save(folder / f"{stem}.png")
        sounds.append(f"{stem}.wav,{label},{split}")
        pictures.append(f"{stem}.png,{label},{split}")
    tables = [folder / "sounds.csv", folder / "pictures.csv"]
    for table, lines in zip(tables, (sounds, pictures), strict=True):
        table.write_text("\n".join(lines) + "\n")
    return tables


def write_ave(folder: Path) -> None:
    """Write AVE's layout: a list of all videos, one of each split, and short videos."""
    header = "Category&VideoID&Quality&StartTime&EndTime"
    lines: dict[str, list[str]] = {split: [] for split in N_OF_SPLIT}
    (folder / "AVE").mkdir(parents=True)
    for label, split, k in _all(LABELS):
        write_video(folder / "AVE" / f"{label}{split}{k}.mp4", label, 1.0, k)
        lines[split].append(f"{label}&{label}{split}{k}&good&0&1")
    everything = [line for of_split in lines.values() for line in of_split]
    (folder / "Annotations.txt").write_text("\n".join([header, *everything]) + "\n")
    for split, of_split in lines.items():
        (folder / f"{split}Set.txt").write_text("\n".join(of_split) + "\n")


def write_video(path: Path, label: str, seconds: float, seed: int = 0) -> None:
    """Write a video of a label: its colour and its tone."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=_FPS)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        video.time_base = Fraction(1, _FPS)
        audio = container.add_stream("aac", rate=_RATE, layout="mono")
        picture = np.full((48, 64, 3), COLOURS[label], np.uint8)
        for k in range(round(seconds * _FPS)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, _FPS)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        samples = _tone(label, seconds, seed)[None]
        block = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        block.sample_rate, block.pts = _RATE, 0
        container.mux(audio.encode(block))
        container.mux(audio.encode(None))


def _all(labels: Sequence[str]) -> list[tuple[str, str, int]]:
    return [
        (label, split, k) for label in labels for split, n in N_OF_SPLIT.items() for k in range(n)
    ]


def _tone(label: str, seconds: float, seed: int) -> NDArray[np.int16]:
    random = np.random.default_rng(seed)
    times = np.arange(round(seconds * _RATE)) / _RATE
    tone = 0.3 * np.sin(2 * np.pi * SOUNDS[label] * times) + 0.01 * random.normal(size=len(times))
    return (tone * 32_767).astype(np.int16)


def _write_wave(path: Path, samples: NDArray[np.int16]) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_RATE)
        file.writeframes(samples.tobytes())
