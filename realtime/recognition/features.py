"""Features as they arrive: frames and seconds of sound through the bundle's trunks, once each.

Refuses to know time or windows: arrays in, tensors out. Everything runs under
`torch.inference_mode()` on one device, chosen when the trunks were loaded.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from extractors.efficientnet import EfficientNetLite0Trunk
from extractors.frame_transform import FrameTransform
from extractors.log_mel import LogMel
from extractors.sound import load_sound_trunk
from extractors.trunk_weights import WeightsMismatchError
from extractors.vggish import VGGishTrunk
from extractors.visual import VisualTrunk, load_visual_trunk
from mafnet.load import load_head
from mafnet.model import MAFnet
from realtime.errors import ModelError, UsageError
from weights.bundle import Bundle, BundleError

logger = logging.getLogger(__name__)

DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")
# How far a trunk in half precision may lie from float32, as relative L2 distance of its features,
# to be chosen by `auto`: chosen to admit bfloat16, whose features lay 0.02 to 0.027 away here.
HALF_PRECISION_TOLERANCE = 0.03
# Depthwise convolutions (EfficientNet) and one second of sound gain nothing from bfloat16 in torch:
# 38 ms against 33 for four frames, 13 against 8 a second of sound (two AVX-512 BF16 cores).
FASTER_IN_BFLOAT16 = ("densenet201",)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Models:
    """A bundle's networks on their device, ready to run; `precision` is the picture trunk's."""

    visual: VisualTrunk
    transform: FrameTransform
    log_mel: LogMel
    sound: VGGishTrunk
    head: MAFnet
    device: torch.device
    precision: torch.dtype
    sound_precision: torch.dtype = torch.float32

    def describe(self) -> str:
        """Say where and how precisely the trunks run, for people."""
        return f"torch {self.device.type} {str(self.precision).removeprefix('torch.')}"


def choose_device(name: str) -> torch.device:
    """Turn `--device` into a torch device.

    Raises:
        UsageError: There is no such device here.
    """
    if name not in DEVICES:
        raise UsageError(f"--device is one of {', '.join(DEVICES)}, got {name!r}")
    has = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        return torch.device(next(d for d in ("cuda", "mps", "cpu") if has[d]))
    if not has[name]:
        raise UsageError(
            f"--device {name} was asked for, but this torch ({torch.__version__}) finds none here; "
            "use --device auto or cpu"
        )
    return torch.device(name)


def load_models(bundle: Bundle, device: str = "auto", precision: str = "auto") -> Models:
    """Build a bundle's networks from its verified files.

    Args:
        bundle: What `weights.bundle.load_bundle` gave.
        device: One of `DEVICES`.
        precision: One of `PRECISIONS`; of the trunks only, the head is always float32. `auto` is
            float16 on CUDA, bfloat16 for `FASTER_IN_BFLOAT16` on a CPU that computes it in
            hardware, each only if it stays within `HALF_PRECISION_TOLERANCE`; float32 elsewhere.

    Raises:
        UsageError: The device or the precision is not to be had.
        ModelError: A file does not fit.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"--precision is one of {', '.join(PRECISIONS)}, got {precision!r}")
    where = choose_device(device)
    try:
        visual = load_visual_trunk(bundle.visual.trunk, bundle.visual.weights)
        sound = load_sound_trunk(bundle.audio.weights)
        head = load_head(bundle)
    except (BundleError, WeightsMismatchError, ValueError) as error:
        raise ModelError(f"bundle {bundle.name}: {error}") from error
    if isinstance(visual, EfficientNetLite0Trunk):
        visual.fold()  # a fifth faster on a CPU, features within 1e-4
    models = Models(
        visual=visual.to(where),
        transform=visual.transform,
        log_mel=LogMel().to(where).eval(),
        sound=sound.to(where).to(memory_format=torch.channels_last).eval(),
        head=head.to(where).eval(),
        device=where,
        precision=torch.float32,
    )
    return _with_precision(models, precision, bundle.visual.trunk)


class FeatureExtractor:
    """Runs the trunks; one thread calls it."""

    def __init__(self, models: Models) -> None:
        self._models = models

    @torch.inference_mode()
    def encode_frames(self, images: Sequence[NDArray[np.uint8]]) -> Tensor:
        """Return pooled features `(n, D)` float32 of n resized frames `(size, size, 3)`."""
        batch = torch.from_numpy(np.stack(images)).to(self._models.device)
        pixels = self._models.transform.normalize(batch)
        with autocast(self._models.device, self._models.precision):
            features: Tensor = self._models.visual(pixels)
        return features.float()

    @torch.inference_mode()
    def encode_sound(self, waveform: NDArray[np.float32]) -> Tensor:
        """Return the sound map `(1, 512, 12, 8)` float32 of one second, `(16000,)` in [-1, 1]."""
        second = torch.from_numpy(waveform).to(self._models.device)[None]
        mel = self._models.log_mel(second)  # (1, 1, 96, 64), always float32
        with autocast(self._models.device, self._models.sound_precision):
            features: Tensor = self._models.sound(mel)
        return features.float()


def autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager[object]:
    """Return the context in which a trunk runs at `precision`."""
    if precision is torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=precision)


def _with_precision(models: Models, precision: str, trunk: str) -> Models:
    if precision == "float32":
        return models
    if precision != "auto":
        wanted = getattr(torch, precision)
        return replace(models, precision=wanted, sound_precision=wanted)
    if models.device.type == "cuda":
        half = replace(models, precision=torch.float16, sound_precision=torch.float16)
    elif models.device.type == "cpu" and trunk in FASTER_IN_BFLOAT16 and _cpu_computes_bfloat16():
        half = replace(models, precision=torch.bfloat16)
    else:
        return models
    distance = _distance(models, half)
    if not distance <= HALF_PRECISION_TOLERANCE:  # NaN, where half overflows, is no match either
        logger.info(
            "float32 trunks: features in %s would be %.3f away, tolerance %.3f",
            half.precision,
            distance,
            HALF_PRECISION_TOLERANCE,
        )
        return models
    return half


def _cpu_computes_bfloat16() -> bool:
    # mkldnn also emulates bfloat16 on older processors, slower than float32: ask for the units.
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


@torch.inference_mode()
def _distance(models: Models, half: Models) -> float:
    """Relative L2 distance of the trunks' features on a fixed noise picture and sound."""
    random = np.random.default_rng(0)
    size = models.transform.size
    image = random.integers(0, 256, (size, size, 3), dtype=np.uint8)
    waveform = (0.1 * random.standard_normal(16_000)).astype(np.float32)
    distances = []
    for encode in ("picture", "sound"):
        exact, rough = (
            FeatureExtractor(m).encode_frames([image])
            if encode == "picture"
            else FeatureExtractor(m).encode_sound(waveform)
            for m in (models, half)
        )
        distances.append(float((exact - rough).norm() / exact.norm().clamp_min(1e-12)))
    return float(np.max(distances))  # keeps a NaN, which max() may lose
