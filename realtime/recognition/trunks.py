"""The one small interface behind which a backend runs both trunks: arrays in, tensors out.

A backend is what computes (torch, OpenVINO); which one does is settled in
`realtime.recognition.backends`. All give float32 features on the run's device.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from extractors.frame_transform import FrameTransform
from extractors.openvino_trunks import OpenVinoTrunk, Precision
from extractors.sound import SoundTrunk
from extractors.tolerances import noise, relative_distance, tolerance
from extractors.visual import VisualTrunk


class Trunks(Protocol):
    """A bundle's two trunks on one backend; one thread calls them."""

    def encode_pictures(self, images: NDArray[np.uint8]) -> Tensor:
        """Return pooled features `(n, D)` float32 of resized RGB frames `(n, size, size, 3)`."""
        ...

    def encode_log_mel(self, log_mel: Tensor) -> Tensor:
        """Return sound maps `(B, C, H, W)` float32 of log-mels `(B, 1, 96, 64)`."""
        ...

    def describe(self) -> str:
        """Say what computes, where and how precisely, for people."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TorchTrunks:
    """The trunks as torch modules on their device; `precision` is the picture trunk's."""

    visual: VisualTrunk
    transform: FrameTransform
    sound: SoundTrunk
    device: torch.device
    precision: torch.dtype = torch.float32
    sound_precision: torch.dtype = torch.float32

    @torch.inference_mode()
    def encode_pictures(self, images: NDArray[np.uint8]) -> Tensor:
        """Normalize on the device and run the picture trunk."""
        pixels = self.transform.normalize(torch.from_numpy(images).to(self.device))
        with autocast(self.device, self.precision):
            features: Tensor = self.visual(pixels)
        return features.float()

    @torch.inference_mode()
    def encode_log_mel(self, log_mel: Tensor) -> Tensor:
        """Run the sound trunk."""
        with autocast(self.device, self.sound_precision):
            features: Tensor = self.sound(log_mel)
        return features.float()

    def describe(self) -> str:
        """Return for instance `torch cpu float32`."""
        return f"torch {self.device.type} {str(self.precision).removeprefix('torch.')}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenVinoTrunks:
    """The trunks as graphs that OpenVINO compiled for this CPU."""

    visual: OpenVinoTrunk
    sound: OpenVinoTrunk
    precision: Precision

    def encode_pictures(self, images: NDArray[np.uint8]) -> Tensor:
        """Run the picture trunk; its graph normalizes."""
        return torch.from_numpy(self.visual.encode(images))

    def encode_log_mel(self, log_mel: Tensor) -> Tensor:
        """Run the sound trunk."""
        return torch.from_numpy(self.sound.encode(np.ascontiguousarray(log_mel.numpy())))

    def describe(self) -> str:
        """Return for instance `openvino cpu float32`."""
        return f"openvino cpu {self.precision}"


def autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager[object]:
    """Return the context in which a trunk runs at `precision`."""
    if precision is torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=precision)


class Distance(NamedTuple):
    """Relative L2 distances of features, by trunk; NaN where nothing sensible came."""

    picture: float
    sound: float

    def is_within(self, picture_trunk: str, sound_trunk: str, precision: str) -> bool:
        """Tell whether both lie within the tolerances of their trunks; NaN does not."""
        return self.picture <= tolerance(picture_trunk, precision) and (
            self.sound <= tolerance(sound_trunk, precision)
        )


def distance(exact: Trunks, rough: Trunks, size: int) -> Distance:
    """Return how far both trunks' features lie apart on fixed noise.

    Args:
        exact: What is right.
        rough: What is measured.
        size: Of a resized frame.
    """
    images, log_mel = noise(size, 1)
    return Distance(
        picture=relative_distance(exact.encode_pictures(images), rough.encode_pictures(images)),
        sound=relative_distance(exact.encode_log_mel(log_mel), rough.encode_log_mel(log_mel)),
    )
