"""The one runner of both trunks, for files, training features and live: arrays in, tensors out.

A backend is what computes (torch, OpenVINO); which one does is settled in `extractors.backends`.
Both give float32 features. A trunk that was not asked for is None.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from extractors.frame_transform import FrameTransform, transform_of
from extractors.openvino_trunks import OpenVinoTrunk, Precision
from extractors.sound import SOUND_TRUNKS, load_sound_trunk
from extractors.sound_trunk import SoundTrunk
from extractors.tolerances import noise, relative_distance, tolerance
from extractors.visual import VISUAL_TRUNKS, load_visual_trunk
from extractors.visual_trunk import VisualTrunk
from weights.bundle_spec import AudioSpec, Bundle, VisualSpec

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkSpecs:
    """Which trunks, by verified files, as a bundle has them; None for one that is not wanted."""

    visual: VisualSpec | None = None
    audio: AudioSpec | None = None


class Trunks(Protocol):
    """Both trunks on one backend; one thread calls each of them."""

    def encode_pictures(self, images: NDArray[np.uint8]) -> Tensor:
        """Return pooled features `(n, D)` float32 of resized RGB frames `(n, size, size, 3)`."""
        ...

    def encode_log_mel(self, log_mel: Tensor) -> Tensor:
        """Return sound maps `(B, C, H, W)` float32 of what the trunk's front end made."""
        ...

    def describe(self) -> str:
        """Say what computes, where and how precisely, for people."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TorchTrunks:
    """The trunks as torch modules on their device; `precision` is the picture trunk's."""

    visual: VisualTrunk | None
    transform: FrameTransform | None
    sound: SoundTrunk | None
    device: torch.device
    precision: torch.dtype = torch.float32
    sound_precision: torch.dtype = torch.float32

    @torch.inference_mode()
    def encode_pictures(self, images: NDArray[np.uint8]) -> Tensor:
        """Normalize on the device and run the picture trunk."""
        pixels = asked(self.transform).normalize(torch.from_numpy(images).to(self.device))
        with _autocast(self.device, self.precision):
            features: Tensor = asked(self.visual)(pixels)
        return features.float()

    @torch.inference_mode()
    def encode_log_mel(self, log_mel: Tensor) -> Tensor:
        """Run the sound trunk."""
        with _autocast(self.device, self.sound_precision):
            features: Tensor = asked(self.sound)(log_mel.to(self.device))
        return features.float()

    def describe(self) -> str:
        """Return for instance `torch cpu float32`."""
        return f"torch {self.device.type} {str(self.precision).removeprefix('torch.')}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OpenVinoTrunks:
    """The trunks as graphs that OpenVINO compiled for this CPU."""

    visual: OpenVinoTrunk | None
    sound: OpenVinoTrunk | None
    precision: Precision

    def encode_pictures(self, images: NDArray[np.uint8]) -> Tensor:
        """Run the picture trunk; its graph normalizes."""
        return torch.from_numpy(asked(self.visual).encode(images))

    def encode_log_mel(self, log_mel: Tensor) -> Tensor:
        """Run the sound trunk."""
        return torch.from_numpy(asked(self.sound).encode(np.ascontiguousarray(log_mel.numpy())))

    def describe(self) -> str:
        """Return for instance `openvino cpu float32`."""
        return f"openvino cpu {self.precision}"


def load_torch_trunks(specs: TrunkSpecs | Bundle, device: torch.device) -> TorchTrunks:
    """Build the trunks from their files, in float32.

    Raises:
        extractors.trunk_weights.WeightsMismatchError: A file does not fit.
        ValueError: There is no such trunk.
    """
    visual, sound = None, None
    check_shapes(specs)
    if specs.visual is not None:
        visual = load_visual_trunk(specs.visual.trunk, specs.visual.weights)
        visual.fold()  # EfficientNet-Lite0 a fifth faster on a CPU, features within 1e-4
        visual = visual.to(device)
    if specs.audio is not None:
        sound = load_sound_trunk(specs.audio.trunk, specs.audio.weights)
        sound.fold()
        sound = sound.to(device).to(memory_format=torch.channels_last)
    transform = None if visual is None else visual.transform
    return TorchTrunks(visual=visual, transform=transform, sound=sound, device=device)


class Distance(NamedTuple):
    """Relative L2 distances of features, by trunk; NaN where nothing sensible came."""

    picture: float
    sound: float

    def is_within(self, picture_trunk: str, sound_trunk: str, precision: str) -> bool:
        """Tell whether both lie within the tolerances of their trunks; NaN does not."""
        return self.picture <= tolerance(picture_trunk, precision) and (
            self.sound <= tolerance(sound_trunk, precision)
        )


class Inputs(NamedTuple):
    """What both trunks read.

    Attributes:
        size: Of a resized picture's side; 0 without a picture trunk.
        sound_shape: Of what a second becomes in the sound trunk's front end; () without one.
    """

    size: int
    sound_shape: tuple[int, ...]


def inputs_of(specs: TrunkSpecs | Bundle) -> Inputs:
    """Return what trunks read.

    Raises:
        ValueError: There is no such trunk.
    """
    seen, heard = specs.visual, specs.audio
    return Inputs(
        size=0 if seen is None else transform_of(seen.trunk).size,
        sound_shape=() if heard is None else SOUND_TRUNKS.find(heard.trunk).front_end.shape,
    )


def check_shapes(specs: TrunkSpecs | Bundle) -> None:
    """Compare what a bundle says of its trunks' features with the trunks themselves.

    Raises:
        ValueError: A width or a map is another, or there is no such trunk.
    """
    seen, heard = specs.visual, specs.audio
    if seen is not None and (dim := VISUAL_TRUNKS.find(seen.trunk).dim) != seen.dim:
        raise ValueError(f"the visual trunk {seen.trunk} is {dim} wide, not {seen.dim}")
    if heard is not None and (own := SOUND_TRUNKS.find(heard.trunk).sound_map()) != heard.sound_map:
        raise ValueError(
            f"the sound trunk {heard.trunk} makes maps {own} (channels, time, mel), "
            f"not {heard.sound_map}"
        )


def distance(exact: Trunks, rough: Trunks, inputs: Inputs) -> Distance:
    """Return how far both trunks' features lie apart on fixed noise; 0 of one that is not there.

    Args:
        exact: What is right.
        rough: What is measured.
        inputs: What they read.
    """
    images, log_mel = noise(inputs.size, 1, inputs.sound_shape)
    picture = sound = 0.0
    if inputs.size:
        picture = relative_distance(exact.encode_pictures(images), rough.encode_pictures(images))
    if inputs.sound_shape:
        sound = relative_distance(exact.encode_log_mel(log_mel), rough.encode_log_mel(log_mel))
    return Distance(picture=picture, sound=sound)


def _autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager[object]:
    """Return the context in which a trunk runs at `precision`."""
    if precision is torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=precision)


def asked(trunk: T | None) -> T:
    """Return a trunk that must be there.

    Raises:
        ValueError: It was not among the specs.
    """
    if trunk is None:
        raise ValueError("this trunk was not asked for when the trunks were chosen")
    return trunk
