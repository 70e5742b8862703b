"""The features of one file, as one .npz."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from extractors.clip_features import ClipFeatures
from extractors.errors import StoreError
from weights.files import written_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray


def write_features(path: Path, features: ClipFeatures) -> dict[str, NDArray[Any]]:
    """Writes what `mafnet predict` reads: `visual`, `audio`, `logmel` and `present`.

    Args:
        path: The .npz.
        features: Of one file; a sense that ends first is filled with zeros.

    Returns:
        What was written.

    Raises:
        StoreError: It cannot be written.
    """
    arrays: dict[str, Any] = {}
    n_clips = features.n_clips

    def whole(values: NDArray[Any]) -> NDArray[Any]:  # zeros where its sense is over
        return np.pad(values, [(0, n_clips - len(values)), *[(0, 0)] * (values.ndim - 1)])

    if features.visual is not None:
        arrays["visual"] = whole(features.visual)  # (T, dim)
    if features.audio is not None and features.log_mel is not None:
        audio = features.audio.transpose(0, 2, 3, 1)  # (T, H, W, C), the authors'
        arrays["audio"], arrays["logmel"] = whole(audio), whole(features.log_mel)
    lengths = [0 if s is None else len(s) for s in (features.visual, features.audio)]
    if sorted(lengths) not in ([0, n_clips], [n_clips, n_clips]):  # as in `{split}_present.npy`
        arrays["present"] = np.arange(n_clips)[:, None] < np.array(lengths)  # (T, 2)
    try:
        with written_whole(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error
    return arrays
