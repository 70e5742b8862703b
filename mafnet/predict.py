"""The network on features from a file: by which parity is checked from outside.

Reads and writes the authors' axis order (`(…, H, W, C)`, channels last); ours is inside.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mafnet.errors import FeaturesError
from mafnet.model import MAFnet, MAFnetConfig
from weights.files import written_whole

_CPU = torch.device("cpu")
_N_BATCH = 16  # videos at once: 16 × 10 clips keep the largest map at 0.3 GB
_VISUAL, _AUDIO = ("x_image", "visual"), ("x_sound", "audio")


def predict_file(
    model: MAFnet, features: Path, to: Path, device: torch.device = _CPU
) -> dict[str, NDArray[np.float32]]:
    """Run a network over an .npz of features and write what it says.

    Args:
        model: In evaluation mode, on the device.
        features: An .npz with `x_image` or `visual` `(B, T, D)`, and `x_sound` or `audio`
            `(B, T, H, W, C)`, as large as the network wants them (the paper's: 12 × 8 × 512);
            without B it is one video. `present` `(B, T, 2)`, bool, may be there.
        to: The .npz to write: `logits`, `probabilities`, `attention` `(B, T, 2)`, picture first,
            `film_gamma` (with its 1), `film_beta`, `fused`.
        device: Where it computes.

    Returns:
        What was written.

    Raises:
        FeaturesError: A file cannot be read or written, or its arrays do not fit the network.
    """
    visual, audio, present = _read(features, model.config)
    parts: list[tuple[NDArray[np.float32], ...]] = []
    with torch.inference_mode():
        for start in range(0, len(visual), _N_BATCH):
            rows = slice(start, start + _N_BATCH)
            output = model(
                torch.from_numpy(visual[rows]).to(device),
                torch.from_numpy(audio[rows]).permute(0, 1, 4, 2, 3).to(device),
                None if present is None else torch.from_numpy(present[rows]).to(device),
            )
            parts.append(tuple(part.cpu().numpy() for part in output))
    result = {
        name: np.concatenate(arrays)
        for name, arrays in zip(type(output)._fields, zip(*parts, strict=True), strict=True)
    }
    try:
        with written_whole(to) as temporary, temporary.open("wb") as file:
            np.savez(file, **result)  # type: ignore[arg-type]  # numpy's stub forbids a splat
    except OSError as error:
        raise FeaturesError(f"{to}: cannot be written ({error.strerror})") from error
    return result


def _read(
    path: Path, config: MAFnetConfig
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_] | None]:
    try:
        with np.load(path, allow_pickle=False) as file:
            visual = _floats(path, file, _VISUAL)
            audio = _floats(path, file, _AUDIO)
            present = file.get("present")
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise FeaturesError(f"{path}: not a readable .npz of features ({error})") from error
    if visual.ndim == 2 and audio.ndim == 4:
        visual, audio = visual[None], audio[None]
        present = None if present is None else present[None]
    dim = config.visual_dim
    if visual.ndim != 3 or visual.shape[2] != dim or 0 in visual.shape:
        raise FeaturesError(f"{path}: visual must be (B, T, {dim}), got {visual.shape}")
    n_channels, n_times, n_mels = config.sound_map
    maps = (*visual.shape[:2], n_times, n_mels, n_channels)
    if audio.shape != maps:
        raise FeaturesError(f"{path}: audio must be {maps}, got {audio.shape}")
    if present is not None and (
        present.dtype != np.bool_ or present.shape != (*visual.shape[:2], 2)
    ):
        raise FeaturesError(f"{path}: present must be bool {(*visual.shape[:2], 2)}")
    return visual, audio, present


def _floats(path: Path, file: Mapping[str, Any], names: tuple[str, str]) -> NDArray[np.float32]:
    found = [name for name in names if name in file]
    if len(found) != 1:
        raise FeaturesError(f"{path}: one of the arrays {names[0]} and {names[1]} is needed")
    array = file[found[0]]
    if array.dtype.kind != "f":
        raise FeaturesError(f"{path}: {found[0]} must be floats, got {array.dtype}")
    return np.ascontiguousarray(array, np.float32)
