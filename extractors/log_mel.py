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
from torch import Tensor

from extractors.mel_frames import HOP_LENGTH as HOP_LENGTH
from extractors.mel_frames import LOG_OFFSET as LOG_OFFSET
from extractors.mel_frames import N_FFT as N_FFT
from extractors.mel_frames import N_MEL_FRAMES as N_MEL_FRAMES
from extractors.mel_frames import N_MELS as N_MELS
from extractors.mel_frames import SAMPLE_RATE as SAMPLE_RATE
from extractors.mel_frames import WIN_LENGTH as WIN_LENGTH
from extractors.mel_frames import mel_matrix as mel_matrix
from extractors.sound_trunk import FrontEnd


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
