"""The trunks of an extraction: weights from wherever they are, and the runner that has them.

Files are decoded elsewhere, features are stored elsewhere, and what computes is chosen in
`extractors.backends`. Weights come from a bundle, or from files of the authors' kinds (safetensors
as they are; a Keras .h5, a torch .pth or a TensorFlow checkpoint converted on the way).
"""

from __future__ import annotations

import tempfile
import threading
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from extractors.backends import choose_trunks
from extractors.errors import BackendError, ExtractorError
from extractors.frame_transform import FrameTransform, transform_of
from extractors.openvino_graphs import PIP_COMMAND, installed_version
from extractors.openvino_trunks import Precision
from extractors.resample import SAMPLE_RATE
from extractors.sound import SOUND_TRUNKS, make_front_end
from extractors.trunks import Trunks, TrunkSpecs
from extractors.visual import VISUAL_TRUNKS
from weights.bundle import AudioSpec, VisualSpec, load_bundle
from weights.store import default_home
from weights.trunk_file import NamedFile, trunk_file

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SECONDS_PER_BATCH = 8  # VGGish: about 20 MB of activations a second


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkFile:
    """A trunk's name and its weights, as a feature store records them.

    Attributes:
        trunk: As `extractors.visual` or `extractors.sound` names it.
        sha256: Of the weights; of a foreign file's, once they are converted.
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
        trunks: On what computes them.
        source: Trunk and weights.
    """

    def __init__(self, trunks: Trunks, source: TrunkFile) -> None:
        self.source = source
        self.transform: FrameTransform = transform_of(source.trunk)  # before `encode`
        self._trunks = trunks
        self._lock = threading.Lock()

    def encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return pooled features `(N, dim)` float32 of resized RGB frames `(N, 224, 224, 3)`."""
        with self._lock:
            features: NDArray[np.float32] = self._trunks.encode_pictures(frames).cpu().numpy()
        return features


class SoundEncoder:
    """Seconds to log-mel pictures and sound maps; one at a time, whichever thread asks.

    Args:
        trunks: On what computes them.
        source: Trunk and weights.

    Attributes:
        sound_map: Channels, time and mel of the maps.
    """

    def __init__(self, trunks: Trunks, source: TrunkFile) -> None:
        self.source = source
        self._trunks = trunks
        self.sound_map = SOUND_TRUNKS.find(source.trunk).sound_map()
        self._front_end = make_front_end(source.trunk)
        self._lock = threading.Lock()

    def encode(
        self, waveform: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Encodes whole seconds.

        Args:
            waveform: Mono audio at 16 kHz `(N, 16000)`, float32 in [-1, 1].

        Returns:
            What the front end made, such as log-mels `(N, 96, 64)` (a first axis of one is left
            out), and the trunk's maps `(N, C, H, W)`, float32.
        """
        log_mels, maps = [], []
        with self._lock, torch.inference_mode():
            for seconds in torch.split(torch.from_numpy(waveform), _SECONDS_PER_BATCH):
                log_mel = self._front_end(seconds)  # (n, *shape)
                maps.append(self._trunks.encode_log_mel(log_mel).cpu())
                is_picture = log_mel.ndim == 4 and log_mel.shape[1] == 1
                log_mels.append(log_mel[:, 0] if is_picture else log_mel)
            return torch.cat(log_mels).numpy(), torch.cat(maps).contiguous().numpy()


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoders:
    """A pair of encoders; a sense without weights is None and is not extracted."""

    picture: PictureEncoder | None
    sound: SoundEncoder | None


def load_encoders(
    *,
    bundle: str | Path | None = None,
    visual: NamedFile | None = None,
    sound: NamedFile | None = None,
    device: str = "cpu",
    backend: str = "torch",
    precision: Precision = "float32",
    home: Path | None = None,
) -> Encoders:
    """Loads the trunks that were named; a file wins over the bundle's.

    Args:
        bundle: "starter", "ave" or a bundle's folder.
        visual: A picture trunk with a file of its own.
        sound: A sound trunk, likewise.
        device: torch's name of it.
        backend: One of `backend_flags.BACKENDS`; `auto` is OpenVINO where it is installed, the
            device is the CPU and the features are torch's, and torch elsewhere.
        precision: What OpenVINO computes in; torch computes in float32 here.
        home: The store, where OpenVINO's graphs are kept; None for the platform's.

    Raises:
        ValueError: There is no such trunk.
        ExtractorError: The bundle has another sample rate, or backend, device and precision do
            not go together.
        OpenVinoError: OpenVINO was asked for and is not here or computes something else.
        weights.errors.WeightsError: The bundle or a file is not what it should be.
        extractors.visual.WeightsMismatchError: A weights file does not fit its trunk.
    """
    if precision != "float32":
        if backend == "torch" or torch.device(device).type != "cpu" or installed_version() is None:
            raise BackendError(
                f"{precision} features are computed by OpenVINO on a CPU alone: "
                f"use --precision float32, or --backend openvino --device cpu ({PIP_COMMAND})"
            )
        backend = "openvino"  # torch's would be others
    specs = TrunkSpecs() if bundle is None else _of_bundle(bundle)
    with tempfile.TemporaryDirectory() as folder:  # read from before this ends
        if visual is not None:
            weights, sha256 = trunk_file(*visual, Path(folder))
            dim = VISUAL_TRUNKS.find(visual.trunk).dim
            spec = VisualSpec(trunk=visual.trunk, dim=dim, weights=weights, sha256=sha256)
            specs = replace(specs, visual=spec)
        if sound is not None:
            weights, sha256 = trunk_file(*sound, Path(folder))
            own_map = SOUND_TRUNKS.find(sound.trunk).sound_map()
            heard_spec = AudioSpec(
                trunk=sound.trunk, sound_map=own_map, weights=weights, sha256=sha256
            )
            specs = replace(specs, audio=heard_spec)
        home = home or default_home()
        trunks = choose_trunks(specs, torch.device(device), precision, backend, home, live=False)

    def source(spec: VisualSpec | AudioSpec, dim: int) -> TrunkFile:
        return TrunkFile(trunk=spec.trunk, sha256=spec.sha256, dim=dim, precision=precision)

    seen, heard = specs.visual, specs.audio
    return Encoders(
        picture=None if seen is None else PictureEncoder(trunks, source(seen, seen.dim)),
        sound=None if heard is None else SoundEncoder(trunks, source(heard, heard.sound_map[0])),
    )


def _of_bundle(name: str | Path) -> TrunkSpecs:
    found = load_bundle(name)
    if found.sample_rate != SAMPLE_RATE:
        raise ExtractorError(
            f"the bundle {found.name} wants {found.sample_rate} Hz, its trunk {SAMPLE_RATE} Hz"
        )
    return TrunkSpecs(visual=found.visual, audio=found.audio)
