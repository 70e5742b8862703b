"""Frames and waveforms from array files, in place of a video.

For whoever has decoded pictures or sound already, and to check parity from outside. Refuses
shapes that could mean two things.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from extractors.downmix import Downmix
from extractors.errors import MediaError
from extractors.frame_grid import GRID_RATE_HZ
from extractors.media import SOUND_SUFFIXES, probe, read_sound

if TYPE_CHECKING:
    from numpy.typing import NDArray

_INT16_RANGE: Final = 32768.0  # the authors divide int16 samples by it
_LOUDEST: Final = 8.0  # float samples beyond it were not divided by their integer range


def load_frames(path: Path) -> NDArray[np.uint8]:
    """Loads grid frames.

    Args:
        path: .npy or .npz (its only array, or the one called frames): RGB uint8, 16 a second,
            `(N, H, W, 3)` or `(T, 16, H, W, 3)`.

    Returns:
        RGB `(N, H, W, 3)`, uint8.

    Raises:
        MediaError: The file is no such array.
    """
    frames = _load(path, "frames")["frames"]
    if frames.ndim == 5 and frames.shape[1] == GRID_RATE_HZ:
        frames = frames.reshape(-1, *frames.shape[2:])
    if frames.ndim != 4 or frames.shape[3] != 3 or frames.dtype != np.uint8 or 0 in frames.shape:
        raise MediaError(
            f"{path}: frames must be RGB uint8 (N, H, W, 3), got {frames.shape} {frames.dtype}"
        )
    return frames


def load_waveform(path: Path, sample_rate: int | None) -> tuple[Iterator[NDArray[np.float32]], int]:
    """Loads sound.

    Args:
        path: A sound file; or .npy or .npz (its only array, or the one called waveform, with
            its sample_rate beside it): int16, or floats in [-1, 1], `(n_samples,)` or
            `(n_samples, n_channels)`.
        sample_rate: In hertz, where the file does not tell it; None means 16 kHz.

    Returns:
        Mono blocks, float32 in [-1, 1], and their rate in hertz.

    Raises:
        MediaError: The file is no sound and no such array.
    """
    if path.suffix.lower() in SOUND_SUFFIXES:
        info = probe(path)
        return read_sound(path, info), info.sample_rate
    arrays = _load(path, "waveform")
    waveform = arrays["waveform"]
    if "sample_rate" in arrays:
        sample_rate = int(arrays["sample_rate"])
    sample_rate = 16_000 if sample_rate is None else sample_rate
    if sample_rate <= 0:
        raise MediaError(f"{path}: the sample rate must be positive, got {sample_rate}")
    if waveform.ndim not in (1, 2) or (waveform.ndim == 2 and len(waveform) < waveform.shape[1]):
        raise MediaError(
            f"{path}: a waveform must be (n_samples,) or (n_samples, n_channels), got "
            f"{waveform.shape}"
        )
    if waveform.dtype == np.int16:
        samples = waveform.astype(np.float32) / np.float32(_INT16_RANGE)
    elif waveform.dtype.kind == "f":
        samples = waveform.astype(np.float32)
    else:
        raise MediaError(f"{path}: a waveform must be int16 or floats, got {waveform.dtype}")
    if not samples.size or not np.isfinite(samples).all() or np.abs(samples).max() > _LOUDEST:
        raise MediaError(f"{path}: a waveform must be finite samples in [-1, 1], and some of them")
    mono = samples if samples.ndim == 1 else Downmix().mix(samples)
    return iter([mono]), sample_rate


def _load(path: Path, name: str) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {name: loaded}
            with loaded:
                arrays = {key: loaded[key] for key in loaded}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise MediaError(f"cannot read {path} as an array: {error}") from error
    if name not in arrays and len(arrays) == 1:
        return {name: next(iter(arrays.values()))}
    if name not in arrays:
        raise MediaError(f"{path} must hold one array, or one called {name}: {', '.join(arrays)}")
    return arrays
