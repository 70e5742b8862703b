"""One second of sound to the log-mel picture that VGGish and YAMNet read.

Place in the flow: clip assembler → **log-mel** → sound trunk. It refuses to resample: the
waveform comes at 16 kHz. The two networks differ in what is added before the logarithm alone.

Source: the authors' feature extraction (Google's `mel_features.py` with VGGish's parameters): 98
mel frames a second, the first 96 kept; magnitude, not power; no centring, no normalisation of the
triangles.
"""

from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from extractors.sample_rate import SAMPLE_RATE as SAMPLE_RATE
from extractors.sound_trunk import FrontEnd

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


class LogMel(FrontEnd):
    """ln(mel + offset) of one-second waveforms; its tables are buffers and follow `.to(device)`.

    Args:
        offset: Added before the logarithm; VGGish's and YAMNet's differ.
    """

    shape: ClassVar[tuple[int, ...]] = (1, N_MEL_FRAMES, N_MELS)
    window: Tensor
    mel: Tensor

    def __init__(self, offset: float = LOG_OFFSET) -> None:
        super().__init__()
        self.offset = offset
        periodic_hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WIN_LENGTH) / WIN_LENGTH)
        self.register_buffer(
            "window", torch.from_numpy(periodic_hann.astype(np.float32)), persistent=False
        )
        self.register_buffer(
            "mel", torch.from_numpy(mel_matrix().astype(np.float32)), persistent=False
        )

    def forward(self, waveform: Tensor) -> Tensor:
        """Compute the log-mel picture of each second.

        Args:
            waveform: Mono audio `(B, 16000)`, float32 in [-1, 1], at 16 kHz.

        Returns:
            `(B, 1, 96, 64)` float32: time by mel; ln offset where there is silence.

        Raises:
            ValueError: If the waveform is not a batch of whole seconds.
        """
        if waveform.ndim != 2 or waveform.shape[1] != SAMPLE_RATE:
            raise ValueError(f"waveform must be (B, {SAMPLE_RATE}), got {tuple(waveform.shape)}")
        frames = waveform.unfold(1, WIN_LENGTH, HOP_LENGTH)[:, :N_MEL_FRAMES]  # (B, 96, 400)
        magnitude = torch.fft.rfft(frames * self.window, n=N_FFT).abs()  # (B, 96, 257)
        return torch.log(magnitude @ self.mel + self.offset).unsqueeze(1)
