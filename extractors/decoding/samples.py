"""A decoded block of sound to float32, whatever FFmpeg's sample format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FULL_SCALE: Final = {"u8": 2.0**7, "s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63}


def as_float(frame: Any) -> NDArray[np.float32]:
    """Returns an `av.AudioFrame`'s samples `(n, channels)`, float32, full scale being 1."""
    values: NDArray[Any] = frame.to_ndarray()
    n_channels = frame.layout.nb_channels
    by_sample = values.T if frame.format.is_planar else values.reshape(-1, n_channels)
    kind = frame.format.packed.name if frame.format.is_planar else frame.format.name
    scale = _FULL_SCALE.get(kind)
    if scale is None:  # flt, dbl
        return np.ascontiguousarray(by_sample, dtype=np.float32)
    centre = scale if kind == "u8" else 0.0
    floats: NDArray[np.float32] = ((by_sample.astype(np.float64) - centre) / scale).astype(
        np.float32
    )
    return floats
