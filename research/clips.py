"""Keeps the features of real clips, so that looking at them again costs seconds.

The clips judge designs. No threshold is set and nothing is trained on them; each look is reported
in docs/lab/starter.md.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.decoding.pictures import as_rgb
from extractors.log_mel import SAMPLE_RATE
from extractors.media import probe, read_frames, read_sound
from extractors.resample import resample_blocks
from research.prepare import Ears
from research.streams import FRAMES_A_SECOND, HOPS_A_SECOND, Eyes, StreamFeatures, hear, see


def features_of(path: Path, ears: Ears, eyes: Eyes) -> StreamFeatures:
    """Hear and see one file."""
    info = probe(path)
    wave = np.zeros(0, np.float32)
    if info.has_sound:
        wave = np.concatenate(
            [np.zeros(0, np.float32), *resample_blocks(read_sound(path), info.sample_rate)]
        )
    frames = list(_frames(path)) if info.has_picture else []
    seconds = max(1.0, len(wave) / SAMPLE_RATE, 0.0 if wave.size else len(frames) / FRAMES_A_SECOND)
    n_hops = int((seconds - 1.0) * HOPS_A_SECOND) + 1
    padded = np.zeros(round((1 + (n_hops - 1) / HOPS_A_SECOND) * SAMPLE_RATE), np.float32)
    padded[: len(wave)] = wave[: len(padded)]
    early = hear(padded, ears)
    visual = (
        see(iter(frames), len(early), eyes) if frames else np.zeros((len(early), 1280), np.float16)
    )
    present = np.array([bool(frames), bool(wave.size)])
    return StreamFeatures(early=early, visual=visual, present=present)


def _frames(path: Path) -> Iterator[NDArray[np.uint8]]:
    due = 0.0
    for time_s, _, frame in read_frames(path):
        while float(time_s) >= due:
            picture = as_rgb(frame)
            yield picture
            due += 1 / FRAMES_A_SECOND
