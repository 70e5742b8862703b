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
from extractors.frame_transform import TRANSFORMS
from extractors.log_mel import N_MEL_FRAMES, N_MELS
from extractors.openvino_graphs import load_graph
from extractors.openvino_trunks import OpenVinoTrunk, Precision, computes_bfloat16, with_pixels_in
from extractors.tolerances import tolerance

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from extractors.frame_transform import FrameTransform
    from extractors.vggish import VGGishTrunk
    from extractors.visual import VisualTrunk

PictureRun = Callable[["NDArray[np.uint8]"], "NDArray[np.float32]"]
"""Resized RGB frames `(N, size, size, 3)` to pooled features `(N, D)`."""
SoundRun = Callable[["Tensor"], "Tensor"]
"""Log-mels `(N, 1, 96, 64)` on the CPU to maps `(N, 512, 12, 8)` on the CPU."""


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


def torch_sounds(trunk: VGGishTrunk, device: torch.device) -> SoundRun:
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
    transform = TRANSFORMS[name]
    graph = load_graph(name, sha256, (3, transform.size, transform.size), lambda: trunk, home)
    compiled = OpenVinoTrunk(with_pixels_in(graph, transform), precision, torch.get_num_threads())
    shape = (1, transform.size, transform.size, 3)
    frames = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    exact = torch_pictures(trunk, transform, torch.device("cpu"))
    _check_close(name, precision, exact(frames), compiled.encode(frames))
    return compiled.encode


def openvino_sounds(sha256: str, trunk: VGGishTrunk, precision: Precision, home: Path) -> SoundRun:
    """Return the sound trunk on OpenVINO; as `openvino_pictures`."""
    _check_units(precision)
    graph = load_graph("vggish", sha256, (1, N_MEL_FRAMES, N_MELS), lambda: trunk, home)
    compiled = OpenVinoTrunk(graph, precision, torch.get_num_threads())

    def run(log_mel: Tensor) -> Tensor:
        return torch.from_numpy(compiled.encode(np.ascontiguousarray(log_mel.numpy())))

    noise = np.random.default_rng(0).normal(-3.0, 1.0, (1, 1, N_MEL_FRAMES, N_MELS))
    log_mel = torch.from_numpy(noise.astype(np.float32))
    exact = torch_sounds(trunk, torch.device("cpu"))
    _check_close("vggish", precision, exact(log_mel).numpy(), run(log_mel).numpy())
    return run


def _check_units(precision: Precision) -> None:
    if precision == "bfloat16" and not computes_bfloat16():
        raise OpenVinoError(
            "this processor has no bfloat16 units: use --precision float32, which is as fast here"
        )


def _check_close(
    name: str, precision: Precision, exact: NDArray[np.float32], found: NDArray[np.float32]
) -> None:
    allowed = tolerance(name, precision)
    away = float(np.linalg.norm(found - exact) / max(float(np.linalg.norm(exact)), 1e-12))
    if not away <= allowed:  # NaN is no match either
        raise OpenVinoError(
            f"OpenVINO's features of {name} lie {away:.2g} from torch's here, tolerance "
            f"{allowed:g}: use --backend torch"
        )
