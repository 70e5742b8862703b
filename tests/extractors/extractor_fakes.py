"""Trunks that need no weights, with features that tell what was seen and heard."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.encoders import TrunkFile
from extractors.frame_transform import DENSENET201_TRANSFORM, FrameTransform

MakeVideo = Callable[..., Path]


class FakePictureEncoder:
    """Features that tell which frame was seen: its mean grey level."""

    source = TrunkFile(trunk="fake", sha256="p" * 64, dim=3)
    transform: FrameTransform = DENSENET201_TRANSFORM

    def __init__(self) -> None:
        self.n_frames = 0

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert frames.shape[1:] == (224, 224, 3)
        self.n_frames += len(frames)
        return np.repeat(frames.mean(axis=(1, 2, 3), dtype=np.float32)[:, None], 3, axis=1)


class FakeSoundEncoder:
    """Features that tell which second was heard: its mean sample."""

    source = TrunkFile(trunk="vggish", sha256="s" * 64, dim=512)
    sound_map = (512, 12, 8)

    def encode(
        self, waveform: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        assert waveform.shape[1:] == (16_000,)
        level = waveform.mean(axis=1)
        maps = np.zeros((len(level), 512, 12, 8), np.float32)
        maps += level[:, None, None, None]
        return np.zeros((len(level), 96, 64), np.float32) + level[:, None, None], maps
