"""The networks that training material is heard and seen with: YAMNet, the teacher, Lite0.

The teacher (EfficientAT `mn04_as`, MIT) is no part of the product: it listens to seconds at once
and tells what YAMNet, which hears one, should come to think of them. Its network comes from the
package `ssondo`, its weights from the data folder.
"""

import csv
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torchaudio.compliance.kaldi import get_mel_banks
from torchaudio.functional import resample

TEACHER_RATE = 32_000  # all of these: data/teacher/README.md
N_FFT, WIN_LENGTH, HOP_LENGTH, N_MELS, F_MAX = 1024, 800, 320, 128, 15_000.0
PRE_EMPHASIS = 0.97


class Teacher(nn.Module):
    """Seconds of sound to logits of AudioSet's 527 classes.

    Args:
        folder: `mn04_as.safetensors` and `classes.csv`.
    """

    window: Tensor
    mel: Tensor

    def __init__(self, folder: Path) -> None:
        super().__init__()
        from ssondo.models.MobileNetV3.model import get_model

        self.network = get_model(width_mult=0.4, classification_head=True)
        moved = {"classifier.2.": "classifier.0.", "classifier.5.": "classifier.3."}
        weights = load_file(folder / "mn04_as.safetensors")
        for old, new in moved.items():
            weights = {key.replace(old, new): value for key, value in weights.items()}
        self.network.load_state_dict({key: value.float() for key, value in weights.items()})
        window = torch.hann_window(WIN_LENGTH, periodic=False)
        self.register_buffer("window", window, persistent=False)
        mel, _ = get_mel_banks(N_MELS, N_FFT, TEACHER_RATE, 0.0, F_MAX, 100.0, -500.0, 1.0)
        self.register_buffer("mel", F.pad(mel, (0, 1)), persistent=False)  # (128, 513)
        self.eval()

    @staticmethod
    def class_names(folder: Path) -> list[str]:
        """Return the names of its classes, in order."""
        with (folder / "classes.csv").open(newline="") as file:
            return [row["display_name"] for row in csv.DictReader(file)]

    @torch.inference_mode()
    def picture(self, waveform: Tensor) -> Tensor:
        """Map waveforms `(B, n_samples)` at 16 kHz, in [-1, 1], to `(B, 1, 128, n_frames)`."""
        wave = resample(waveform, 16_000, TEACHER_RATE)
        wave = wave[:, 1:] - PRE_EMPHASIS * wave[:, :-1]
        spectrum = torch.stft(
            wave,
            N_FFT,
            hop_length=HOP_LENGTH,
            win_length=WIN_LENGTH,
            center=True,
            window=self.window,
            return_complex=True,
        )
        mel = self.mel @ (spectrum.real.square() + spectrum.imag.square())
        return ((torch.log(mel + 1e-5) + 4.5) / 5.0)[:, None]

    @torch.inference_mode()
    def forward(self, waveform: Tensor) -> Tensor:
        """Map waveforms `(B, n_samples)` at 16 kHz, in [-1, 1], to logits `(B, 527)`."""
        logits: Tensor = self.network(self.picture(waveform))[0][:, 0]
        return logits


def of_labels(logits: NDArray[np.float32], classes: list[list[int]]) -> NDArray[np.float32]:
    """Return the highest logit of each label's classes: `(…, n_classes)` to `(…, n_labels)`."""
    return np.stack([logits[..., own].max(axis=-1) for own in classes], axis=-1)
