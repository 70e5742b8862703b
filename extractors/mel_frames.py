"""The log-mel picture's figures and its mel triangles, in numpy: for whoever shows sound.

Place in the flow: beside `extractors.log_mel`, which computes the same in torch for the networks.

Source: the authors' feature extraction (Google's `mel_features.py` with VGGish's parameters).
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from extractors.sample_rate import SAMPLE_RATE as SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

N_MEL_FRAMES = 96  # VGGish params.NUM_FRAMES: 0.96 s of a second's 98 mel frames
N_MELS = 64  # VGGish params.NUM_MEL_BINS
WIN_LENGTH = 400  # 25 ms, params.STFT_WINDOW_LENGTH_SECONDS
HOP_LENGTH = 160  # 10 ms, params.STFT_HOP_LENGTH_SECONDS
N_FFT = 512  # the power of two above WIN_LENGTH
F_MIN = 125.0  # params.MEL_MIN_HZ
F_MAX = 7500.0  # params.MEL_MAX_HZ
LOG_OFFSET = 0.01  # params.LOG_OFFSET: silence is ln 0.01
MEL_BREAK_HZ = 700.0  # HTK's mel scale
MEL_HIGH_Q = 1127.0  # HTK's mel scale


def hertz_to_mel(frequency_hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """HTK's mel scale, natural logarithm.

    Args:
        frequency_hz: Frequencies in hertz, any shape.

    Returns:
        Mels, the same shape.
    """
    return MEL_HIGH_Q * np.log(1.0 + frequency_hz / MEL_BREAK_HZ)


def mel_matrix() -> NDArray[np.float64]:
    """Triangles that are linear in mel, unnormalised, with the DC bin left out.

    Returns:
        Weights `(N_FFT // 2 + 1, N_MELS)`, float64: spectrum @ weights is the mel spectrum.
    """
    bins = hertz_to_mel(np.linspace(0.0, SAMPLE_RATE / 2, N_FFT // 2 + 1))[:, None]
    f_min, f_max = hertz_to_mel(np.array([F_MIN, F_MAX]))
    edges = np.linspace(f_min, f_max, N_MELS + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins - lower) / (centre - lower)
    falling = (upper - bins) / (upper - centre)
    weights = np.maximum(0.0, np.minimum(rising, falling))
    weights[0] = 0.0  # upstream zeroes DC whatever the triangles say
    return np.asarray(weights, dtype=np.float64)


@cache
def _tables() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WIN_LENGTH) / WIN_LENGTH)
    return window.astype(np.float32), mel_matrix().astype(np.float32)


def log_mel_frames(samples: NDArray[np.float32], offset: float = LOG_OFFSET) -> NDArray[np.float32]:
    """Compute mel frames of sound of any length.

    Args:
        samples: Mono `(n,)`, float32 in [-1, 1], at 16 kHz.
        offset: Added before the logarithm.

    Returns:
        ln(mel + offset), float32 `(n_mel_frames, 64)`: frame k is of the samples from 160 k to
        160 k + 400; none of fewer than 400.
    """
    if samples.ndim != 1:
        raise ValueError(f"samples must be mono (n,), got {samples.shape}")
    if len(samples) < WIN_LENGTH:
        return np.zeros((0, N_MELS), np.float32)
    window, mel = _tables()
    frames = np.lib.stride_tricks.sliding_window_view(samples, WIN_LENGTH)[::HOP_LENGTH]
    magnitude = np.abs(np.fft.rfft(frames * window, n=N_FFT)).astype(np.float32)
    return np.asarray(np.log(magnitude @ mel + offset), dtype=np.float32)
