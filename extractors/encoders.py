"""The trunks that turn one second of picture and sound into features, with where they came from.

Everything that needs a model is here: files are decoded elsewhere, features are stored
elsewhere. Weights come from a bundle, or from files of the authors' kinds (safetensors as they
are; a Keras .h5, a torch .pth or a TensorFlow checkpoint converted on the way).
"""

from __future__ import annotations

import logging
import tempfile
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch

from extractors.backend_flags import BACKENDS
from extractors.efficientnet import EfficientNetLite0Trunk
from extractors.errors import ExtractorError, OpenVinoError
from extractors.frame_transform import FrameTransform
from extractors.log_mel import LogMel
from extractors.openvino_graphs import PIP_COMMAND, installed_version
from extractors.openvino_trunks import Precision
from extractors.resample import SAMPLE_RATE
from extractors.sound import SoundTrunk, load_sound_trunk
from extractors.trunk_runs import (
    PictureRun,
    SoundRun,
    openvino_pictures,
    openvino_sounds,
    torch_pictures,
    torch_sounds,
)
from extractors.visual import VisualTrunk, load_visual_trunk
from extractors.yamnet import YAMNetTrunk
from weights.bundle import load_bundle
from weights.convert import convert
from weights.files import sha256_of
from weights.store import default_home

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SECONDS_PER_BATCH = 8  # VGGish: about 20 MB of activations a second

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkFile:
    """A trunk's name and its weights, as a feature store records them.

    Attributes:
        trunk: "densenet201", "efficientnet_lite0", "vggish" or "yamnet".
        sha256: Of the weights file that was given.
        dim: Values of a pooled picture, or channels of a sound map.
        precision: What it computed in; features of two precisions are not mixed.
    """

    trunk: str
    sha256: str
    dim: int
    precision: Precision = "float32"

    def recipe(self) -> dict[str, object]:
        """Return what features of this trunk are known by; float32 goes without saying."""
        facts = asdict(self)
        if self.precision == "float32":
            del facts["precision"]
        return facts


class PictureEncoder:
    """Frames to pooled features; one at a time, whichever thread asks.

    Args:
        run: The trunk on whatever computes it.
        transform: What a frame goes through before `encode`.
        source: Trunk and weights.
        backend: What computes it, torch or openvino.
    """

    def __init__(
        self, run: PictureRun, transform: FrameTransform, source: TrunkFile, backend: str
    ) -> None:
        self.source = source
        self.backend = backend
        self.transform = transform
        self._run = run
        self._lock = threading.Lock()

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Encodes resized frames.

        Args:
            frames: RGB `(N, 224, 224, 3)`, uint8, from `transform.resize`.

        Returns:
            Pooled features `(N, dim)`, float32.
        """
        with self._lock:
            return self._run(frames)


class SoundEncoder:
    """Seconds to log-mel pictures and sound maps; one at a time, whichever thread asks.

    Args:
        run: The trunk on whatever computes it.
        log_offset: The trunk's.
        source: Trunk and weights.
        backend: What computes it, torch or openvino.
    """

    def __init__(self, run: SoundRun, log_offset: float, source: TrunkFile, backend: str) -> None:
        self.source = source
        self.backend = backend
        self._run = run
        self._log_mel = LogMel(log_offset)
        self._lock = threading.Lock()

    def encode(
        self, waveform: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Encodes whole seconds.

        Args:
            waveform: Mono audio at 16 kHz `(N, 16000)`, float32 in [-1, 1].

        Returns:
            Log-mel `(N, 96, 64)` and the trunk's maps `(N, C, H, W)`, float32.
        """
        log_mels, maps = [], []
        with self._lock, torch.inference_mode():
            for seconds in torch.split(torch.from_numpy(waveform), _SECONDS_PER_BATCH):
                log_mel = self._log_mel(seconds)  # (n, 1, 96, 64)
                maps.append(self._run(log_mel))
                log_mels.append(log_mel[:, 0])
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
    yamnet: Path | None = None,
    device: str = "cpu",
    backend: str = "torch",
    precision: Precision = "float32",
    home: Path | None = None,
) -> Encoders:
    """Loads the trunks that were named; a file wins over the bundle's.

    Args:
        bundle: "starter", "ave" or a bundle's folder.
        densenet201: Weights of the paper's picture trunk.
        efficientnet_lite0: Weights of the starter's picture trunk.
        vggish: Weights of the paper's sound trunk.
        yamnet: Weights of YAMNet.
        device: torch's name of it.
        backend: One of `backend_flags.BACKENDS`; `auto` is OpenVINO where it is installed, the
            device is the CPU and the features are torch's, and torch elsewhere.
        precision: What OpenVINO computes in; torch computes in float32 here.
        home: The store, where OpenVINO's graphs are kept; None for the platform's.

    Raises:
        ValueError: Two picture or two sound trunks, or a backend that is none.
        ExtractorError: The bundle has another sample rate, or backend, device and precision do
            not go together.
        OpenVinoError: OpenVINO was asked for and is not here or computes something else.
        weights.errors.WeightsError: The bundle or a file is not what it should be.
        extractors.visual.WeightsMismatchError: A weights file does not fit its trunk.
    """
    if densenet201 is not None and efficientnet_lite0 is not None:
        raise ValueError("give one picture trunk, not both")
    if vggish is not None and yamnet is not None:
        raise ValueError("give one sound trunk, not both")
    pictures = {"densenet201": densenet201, "efficientnet_lite0": efficientnet_lite0}
    name, picture = next(((n, p) for n, p in pictures.items() if p is not None), ("", None))
    heard, sound = ("vggish", vggish) if yamnet is None else ("yamnet", yamnet)
    if bundle is not None:
        found = load_bundle(bundle)
        if found.sample_rate != SAMPLE_RATE:
            raise ExtractorError(
                f"the bundle {found.name} wants {found.sample_rate} Hz, its trunk {SAMPLE_RATE} Hz"
            )
        if picture is None:
            name, picture = found.visual.trunk, found.visual.weights
        if sound is None:
            heard, sound = found.audio.trunk, found.audio.weights
    runner = _Runner(backend, precision, torch.device(device), home or default_home())
    return Encoders(
        picture=None if picture is None else _picture_encoder(name, picture, runner),
        sound=None if sound is None else _sound_encoder(heard, sound, runner),
    )


def best_device() -> str:
    """The fastest device that torch finds here: "cuda", "mps" or "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


class _Runner:
    """Puts a trunk on the backend that was asked for."""

    def __init__(
        self, backend: str, precision: Precision, device: torch.device, home: Path
    ) -> None:
        if backend not in BACKENDS:
            raise ValueError(f"backend is one of {', '.join(BACKENDS)}, got {backend!r}")
        fits = device.type == "cpu" and installed_version() is not None
        if precision != "float32" and (backend == "torch" or not fits):
            raise ExtractorError(
                f"{precision} features are computed by OpenVINO on a CPU alone: "
                f"use --precision float32, or --backend openvino --device cpu ({PIP_COMMAND})"
            )
        if backend == "openvino" and device.type != "cpu":
            raise ExtractorError(
                f"--backend openvino runs on the CPU, --device {device.type} was asked for: "
                "leave one of the two out"
            )
        if backend == "openvino" and not fits:
            raise OpenVinoError(
                "--backend openvino wants the package openvino, which is not installed: "
                f"{PIP_COMMAND}"
            )
        self._openvino = fits and backend != "torch"
        self._may_fall_back = backend == "auto" and precision == "float32"
        self.precision = precision
        self._device = device
        self._home = home

    def pictures(self, name: str, sha256: str, trunk: VisualTrunk) -> tuple[PictureRun, str]:
        if self._openvino:
            try:
                run = openvino_pictures(name, sha256, trunk, self.precision, self._home)
                return run, "openvino"
            except OpenVinoError as error:
                self._fall_back(error)
        return torch_pictures(trunk, trunk.transform, self._device), "torch"

    def sounds(self, name: str, sha256: str, trunk: SoundTrunk) -> tuple[SoundRun, str]:
        if self._openvino:
            try:
                run = openvino_sounds(name, sha256, trunk, self.precision, self._home)
                return run, "openvino"
            except OpenVinoError as error:
                self._fall_back(error)
        return torch_sounds(trunk, self._device), "torch"

    def _fall_back(self, error: OpenVinoError) -> None:
        if not self._may_fall_back:
            raise error
        logger.warning("%s; torch runs this trunk", error)


def _picture_encoder(name: str, path: Path, runner: _Runner) -> PictureEncoder:
    if name == "densenet201" and _is_foreign(path):
        with tempfile.TemporaryDirectory() as folder:
            trunk = load_visual_trunk(name, _converted(path, "densenet201", Path(folder)))
    else:
        trunk = load_visual_trunk(name, path)
    if isinstance(trunk, EfficientNetLite0Trunk):
        trunk.fold()
    source = TrunkFile(
        trunk=name, sha256=_fingerprint(path), dim=trunk.dim, precision=runner.precision
    )
    run, backend = runner.pictures(name, source.sha256, trunk)
    return PictureEncoder(run, trunk.transform, source, backend)


def _sound_encoder(name: str, path: Path, runner: _Runner) -> SoundEncoder:
    if _is_foreign(path):
        kind: Literal["vggish", "yamnet"] = "yamnet" if name == "yamnet" else "vggish"
        with tempfile.TemporaryDirectory() as folder:
            trunk = load_sound_trunk(name, _converted(path, kind, Path(folder)))
    else:
        trunk = load_sound_trunk(name, path)
    if isinstance(trunk, YAMNetTrunk):
        trunk.fold()
    source = TrunkFile(
        trunk=name, sha256=_fingerprint(path), dim=trunk.dim, precision=runner.precision
    )
    run, backend = runner.sounds(name, source.sha256, trunk)
    return SoundEncoder(run, trunk.log_offset, source, backend)


def _is_foreign(path: Path) -> bool:
    return path.suffix != ".safetensors"


def _converted(path: Path, kind: Literal["densenet201", "vggish", "yamnet"], folder: Path) -> Path:
    target = folder / f"{kind}.safetensors"
    convert(path, kind, target)
    return target


def _fingerprint(path: Path) -> str:
    # A TensorFlow checkpoint is several files; its data file alone says which weights it holds.
    data = path.with_name(f"{path.name}.data-00000-of-00001")
    return sha256_of(path if path.is_file() else data) if (path.is_file() or data.is_file()) else ""
