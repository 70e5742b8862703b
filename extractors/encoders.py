"""The trunks that turn one second of picture and sound into features, with where they came from.

Everything that needs a model is here: files are decoded elsewhere, features are stored
elsewhere. Weights come from a bundle, or from files of the authors' kinds (safetensors as they
are; a Keras .h5, a torch .pth or a TensorFlow checkpoint converted on the way).
"""

from __future__ import annotations

import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

from extractors.efficientnet import EfficientNetLite0Trunk
from extractors.errors import ExtractorError
from extractors.frame_transform import FrameTransform
from extractors.log_mel import LogMel
from extractors.resample import SAMPLE_RATE
from extractors.sound import load_sound_trunk
from extractors.vggish import VGGishTrunk
from extractors.visual import VisualTrunk, load_visual_trunk
from weights.bundle import load_bundle
from weights.convert import convert
from weights.files import sha256_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SECONDS_PER_BATCH = 8  # VGGish: about 20 MB of activations a second


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkFile:
    """A trunk's name and its weights, as a feature store records them.

    Attributes:
        trunk: "densenet201", "efficientnet_lite0" or "vggish".
        sha256: Of the weights file that was given.
        dim: Values of a pooled picture, or channels of a sound map.
    """

    trunk: str
    sha256: str
    dim: int


class PictureEncoder:
    """Frames to pooled features; one at a time, whichever thread asks."""

    def __init__(self, trunk: VisualTrunk, source: TrunkFile, device: torch.device) -> None:
        self.source = source
        self._trunk = trunk.to(device)
        self._device = device
        self._lock = threading.Lock()

    @property
    def transform(self) -> FrameTransform:
        """What a frame goes through before `encode`."""
        return self._trunk.transform

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encodes resized frames.

        Args:
            frames: RGB `(N, 224, 224, 3)`, uint8, from `transform.resize`.

        Returns:
            Pooled features `(N, dim)`, float32.
        """
        with self._lock, torch.inference_mode():
            batch = torch.from_numpy(frames).to(self._device)
            features: NDArray[np.float32] = (
                self._trunk(self.transform.normalize(batch)).cpu().numpy()
            )
        return features


class SoundEncoder:
    """Seconds to log-mel pictures and VGGish maps; one at a time, whichever thread asks."""

    def __init__(self, trunk: VGGishTrunk, source: TrunkFile, device: torch.device) -> None:
        self.source = source
        self._trunk = trunk.to(device)
        self._log_mel = LogMel().to(device)
        self._device = device
        self._lock = threading.Lock()

    def encode(
        self, waveform: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Encodes whole seconds.

        Args:
            waveform: Mono audio at 16 kHz `(N, 16000)`, float32 in [-1, 1].

        Returns:
            Log-mel `(N, 96, 64)` and maps `(N, 512, 12, 8)`, float32.
        """
        log_mels, maps = [], []
        with self._lock, torch.inference_mode():
            for seconds in torch.split(torch.from_numpy(waveform), _SECONDS_PER_BATCH):
                log_mel = self._log_mel(seconds.to(self._device))  # (n, 1, 96, 64)
                maps.append(self._trunk(log_mel).cpu())
                log_mels.append(log_mel[:, 0].cpu())
            return torch.cat(log_mels).numpy(), torch.cat(maps).contiguous().numpy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoders:
    """A pair of encoders; a sense without weights is None and is not extracted."""

    picture: PictureEncoder | None
    sound: SoundEncoder | None


def load_encoders(
    *,
    bundle: str | Path | None = None,
    densenet201: Path | None = None,
    efficientnet_lite0: Path | None = None,
    vggish: Path | None = None,
    device: str = "cpu",
) -> Encoders:
    """Loads the trunks that were named; a file wins over the bundle's.

    Args:
        bundle: "starter", "ave" or a bundle's folder.
        densenet201: Weights of the paper's picture trunk.
        efficientnet_lite0: Weights of the starter's picture trunk.
        vggish: Weights of the sound trunk.
        device: torch's name of it.

    Raises:
        ValueError: Two picture trunks.
        ExtractorError: The bundle has another sample rate.
        weights.errors.WeightsError: The bundle or a file is not what it should be.
        extractors.visual.WeightsMismatchError: A weights file does not fit its trunk.
    """
    if densenet201 is not None and efficientnet_lite0 is not None:
        raise ValueError("give one picture trunk, not both")
    pictures = {"densenet201": densenet201, "efficientnet_lite0": efficientnet_lite0}
    name, picture = next(((n, p) for n, p in pictures.items() if p is not None), ("", None))
    if bundle is not None:
        found = load_bundle(bundle)
        if found.sample_rate != SAMPLE_RATE:
            raise ExtractorError(
                f"the bundle {found.name} wants {found.sample_rate} Hz, VGGish {SAMPLE_RATE} Hz"
            )
        if picture is None:
            name, picture = found.visual.trunk, found.visual.weights
        vggish = vggish or found.audio.weights
    target = torch.device(device)
    return Encoders(
        picture=None if picture is None else _picture_encoder(name, picture, target),
        sound=None if vggish is None else _sound_encoder(vggish, target),
    )


def best_device() -> str:
    """The fastest device that torch finds here: "cuda", "mps" or "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _picture_encoder(name: str, path: Path, device: torch.device) -> PictureEncoder:
    if name == "densenet201" and _is_foreign(path):
        with tempfile.TemporaryDirectory() as folder:
            trunk = load_visual_trunk(name, _converted(path, "densenet201", Path(folder)))
    else:
        trunk = load_visual_trunk(name, path)
    if isinstance(trunk, EfficientNetLite0Trunk):
        trunk.fold()
    source = TrunkFile(trunk=name, sha256=_fingerprint(path), dim=trunk.dim)
    return PictureEncoder(trunk, source, device)


def _sound_encoder(path: Path, device: torch.device) -> SoundEncoder:
    if _is_foreign(path):
        with tempfile.TemporaryDirectory() as folder:
            trunk = load_sound_trunk(_converted(path, "vggish", Path(folder)))
    else:
        trunk = load_sound_trunk(path)
    source = TrunkFile(trunk="vggish", sha256=_fingerprint(path), dim=trunk.dim)
    return SoundEncoder(trunk, source, device)


def _is_foreign(path: Path) -> bool:
    return path.suffix != ".safetensors"


def _converted(path: Path, kind: Literal["densenet201", "vggish"], folder: Path) -> Path:
    target = folder / f"{kind}.safetensors"
    convert(path, kind, target)
    return target


def _fingerprint(path: Path) -> str:
    # A TensorFlow checkpoint is several files; its data file alone says which weights it holds.
    data = path.with_name(f"{path.name}.data-00000-of-00001")
    return sha256_of(path if path.is_file() else data) if (path.is_file() or data.is_file()) else ""
