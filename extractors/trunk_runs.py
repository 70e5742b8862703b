"""What runs a trunk, behind two callables: torch, or OpenVINO in float32 or bfloat16.

Place in the flow: `extractors.encoders` builds its encoders on these; files are decoded and
features are kept elsewhere. (The live recognizer has its own interface, `realtime.recognition`,
with devices and calibration; the graphs are the same.)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from extractors.errors import OpenVinoError
from extractors.openvino_trunks import (
    Precision,
    computes_bfloat16,
    load_picture_trunk,
    load_sound_trunk,
)
from extractors.tolerances import noise, relative_distance, tolerance

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from extractors.frame_transform import FrameTransform
    from extractors.sound import SoundTrunk
    from extractors.visual import VisualTrunk

PictureRun = Callable[["NDArray[np.uint8]"], "NDArray[np.float32]"]
"""Resized RGB frames `(N, size, size, 3)` to pooled features `(N, D)`."""
SoundRun = Callable[["Tensor"], "Tensor"]
"""Log-mels `(N, 1, 96, 64)` on the CPU to maps `(N, C, H, W)` on the CPU."""


def torch_pictures(
    trunk: VisualTrunk, transform: FrameTransform, device: torch.device
) -> PictureRun:
    """Return a picture trunk in torch, float32; the trunk is moved to the device."""
    trunk.to(device)

    @torch.inference_mode()
    def run(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        batch = transform.normalize(torch.from_numpy(frames).to(device))
        features: NDArray[np.float32] = trunk(batch).cpu().numpy()
        return features

    return run


def torch_sounds(trunk: SoundTrunk, device: torch.device) -> SoundRun:
    """Return the sound trunk in torch, float32; the trunk is moved to the device."""
    trunk.to(device).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def run(log_mel: Tensor) -> Tensor:
        maps: Tensor = trunk(log_mel.to(device)).cpu()
        return maps

    return run


def openvino_pictures(
    name: str, sha256: str, trunk: VisualTrunk, precision: Precision, home: Path
) -> PictureRun:
    """Return a picture trunk on OpenVINO, held to torch's features.

    Args:
        name: The trunk.
        sha256: Of its weights, the key of the kept graph.
        trunk: In torch, float32, on the CPU.
        precision: What OpenVINO computes in.
        home: The store, where graphs are kept.

    Raises:
        OpenVinoError: It is not here, the processor has no such units, or it computes something
            else.
    """
    _check_units(precision)
    n_threads = torch.get_num_threads()
    compiled = load_picture_trunk(name, sha256, lambda: trunk, precision, n_threads, home)
    frames, _ = noise(trunk.transform.size, 1)
    exact = torch_pictures(trunk, trunk.transform, torch.device("cpu"))(frames)
    found = compiled.encode(frames)
    _check_close(name, precision, torch.from_numpy(exact), torch.from_numpy(found))
    return compiled.encode


def openvino_sounds(
    name: str, sha256: str, trunk: SoundTrunk, precision: Precision, home: Path
) -> SoundRun:
    """Return the sound trunk on OpenVINO; as `openvino_pictures`."""
    _check_units(precision)
    n_threads = torch.get_num_threads()
    compiled = load_sound_trunk(name, sha256, lambda: trunk, precision, n_threads, home)

    def run(log_mel: Tensor) -> Tensor:
        return torch.from_numpy(compiled.encode(np.ascontiguousarray(log_mel.numpy())))

    _, log_mel = noise(1, 1)
    exact = torch_sounds(trunk, torch.device("cpu"))(log_mel)
    _check_close(name, precision, exact, run(log_mel))
    return run


def _check_units(precision: Precision) -> None:
    if precision == "bfloat16" and not computes_bfloat16():
        raise OpenVinoError(
            "this processor has no bfloat16 units: use --precision float32, which is as fast here"
        )


def _check_close(name: str, precision: Precision, exact: Tensor, found: Tensor) -> None:
    allowed = tolerance(name, precision)
    away = relative_distance(exact, found)
    if not away <= allowed:  # NaN is no match either
        raise OpenVinoError(
            f"OpenVINO's features of {name} lie {away:.2g} from torch's here, tolerance "
            f"{allowed:g}: use --backend torch"
        )
