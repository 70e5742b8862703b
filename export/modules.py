"""A bundle's networks as modules of plain tensors, cut where another program has its data.

Place in the flow: pictures → **picture** → features, seconds → **sound** → maps, both → **head** →
probabilities. What a program would have to get right beside the networks is inside them: the
normalisation of pixels, the log-mel, the temperature and the activation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from extractors.frame_transform import FrameTransform
from extractors.log_mel import HOP_LENGTH, N_FFT, N_MEL_FRAMES, WIN_LENGTH, LogMel
from extractors.sound import load_sound_trunk, make_front_end
from extractors.sound_trunk import FrontEnd, SoundTrunk
from extractors.trunks import check_shapes
from extractors.visual import load_visual_trunk
from extractors.visual_trunk import VisualTrunk
from mafnet.load import load_head
from mafnet.model import MAFnet
from weights.bundle_spec import Bundle


class Picture(nn.Module):
    """Resized RGB `(B, size, size, 3)`, uint8, to pooled features `(B, D)`, float32."""

    mean: Tensor
    std: Tensor

    def __init__(self, trunk: VisualTrunk) -> None:
        super().__init__()
        self.trunk = trunk
        transform: FrameTransform = trunk.transform
        self.register_buffer("mean", 255.0 * torch.tensor(transform.mean).view(1, 3, 1, 1))
        self.register_buffer("std", 255.0 * torch.tensor(transform.std).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Normalise the pixels and run the trunk."""
        pixels = images.permute(0, 3, 1, 2).float()
        features: Tensor = self.trunk((pixels - self.mean) / self.std)
        return features


class Sound(nn.Module):
    """Mono seconds at 16 kHz `(B, 16000)`, float32 in [-1, 1], to sound maps `(B, C, H, W)`."""

    def __init__(self, front_end: nn.Module, trunk: SoundTrunk) -> None:
        super().__init__()
        self.front_end = front_end
        self.trunk = trunk

    def forward(self, waveform: Tensor) -> Tensor:
        """Make what the trunk reads, and run it."""
        maps: Tensor = self.trunk(self.front_end(waveform))
        return maps


class Head(nn.Module):
    """Windows of T clips to probabilities, logits and attention: MAFnet's forward pass."""

    def __init__(self, model: MAFnet) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, visual: Tensor, audio: Tensor, present: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Run over features `(B, T, D)`, maps `(B, T, C, H, W)` and bool `(B, T, 2)`."""
        output = self.model(visual, audio, present)
        return output.probabilities, output.logits, output.attention


class FourierLogMel(nn.Module):
    """`LogMel` with the Fourier transform as two products of matrices, which every runtime has."""

    cosine: Tensor
    sine: Tensor
    places: Tensor
    mel: Tensor

    def __init__(self, log_mel: LogMel) -> None:
        super().__init__()
        angle = 2 * np.pi / N_FFT * np.outer(np.arange(WIN_LENGTH), np.arange(N_FFT // 2 + 1))
        window = log_mel.window.double().numpy()[:, None]
        for name, table in (("cosine", np.cos(angle)), ("sine", np.sin(angle))):
            self.register_buffer(name, torch.from_numpy((window * table).astype(np.float32)))
        starts = HOP_LENGTH * np.arange(N_MEL_FRAMES)[:, None]
        self.register_buffer("places", torch.from_numpy(starts + np.arange(WIN_LENGTH)))
        self.register_buffer("mel", log_mel.mel.clone())
        self.offset = log_mel.offset

    def forward(self, waveform: Tensor) -> Tensor:
        """Map `(B, 16000)` to `(B, 1, 96, 64)`."""
        frames = waveform[:, self.places]  # (B, 96, 400)
        energy = (frames @ self.cosine).square() + (frames @ self.sine).square()
        return torch.log(energy.sqrt() @ self.mel + self.offset).unsqueeze(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """What is exported of a bundle, and what it is held against.

    Attributes:
        front_end: The sound trunk's, as the live run has it.
    """

    picture: Picture
    sound: Sound
    head: Head
    front_end: FrontEnd

    def exact_sound(self, waveform: Tensor) -> Tensor:
        """Return the maps as the live run computes them."""
        maps: Tensor = self.sound.trunk(self.front_end(waveform))
        return maps


def load_networks(bundle: Bundle) -> Networks:
    """Build a bundle's networks on the CPU, in float32.

    Raises:
        ValueError: A trunk is not known or has another shape than the bundle says.
        weights.errors.WeightsError: A file does not fit the bundle.
        extractors.trunk_weights.WeightsMismatchError: A file does not fit its trunk.
    """
    check_shapes(bundle)
    visual = load_visual_trunk(bundle.visual.trunk, bundle.visual.weights)
    heard = load_sound_trunk(bundle.audio.trunk, bundle.audio.weights)
    visual.fold()
    heard.fold()
    front_end = make_front_end(bundle.audio.trunk)
    exported = FourierLogMel(front_end) if isinstance(front_end, LogMel) else front_end
    return Networks(
        picture=Picture(visual).eval(),
        sound=Sound(exported, heard).eval(),
        head=Head(load_head(bundle)).eval(),
        front_end=front_end,
    )
