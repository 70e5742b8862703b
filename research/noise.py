"""Steady noise with a recording's spectrum: a room or a machine that nobody recorded."""

import numpy as np

from extractors.log_mel import SAMPLE_RATE
from research.sound_corpus import Samples

SMOOTHING_HZ = (100.0, 800.0)  # narrower, and a noise sings as the recording does
SILENT = 1e-6


def noise_like(clip: Samples, smoothing_hz: float, rng: np.random.Generator) -> Samples:
    """Make steady noise with a clip's spectrum.

    Args:
        clip: `(n_samples,)` float32 at 16 kHz.
        smoothing_hz: Width of the mean that is taken of its spectrum.
        rng: Source of the phases.

    Returns:
        `(n_samples,)` float32 of RMS 1; silence for what is near it (RMS under 1e-6).
    """
    spectrum = np.abs(np.fft.rfft(clip))
    width = max(1, round(smoothing_hz * len(clip) / SAMPLE_RATE))
    smooth = np.convolve(spectrum, np.full(width, 1.0 / width), mode="same")
    phases = np.exp(1j * rng.uniform(0.0, 2 * np.pi, len(smooth)))
    noise = np.fft.irfft(smooth * phases, len(clip))
    level = float(np.sqrt(np.square(noise).mean()))
    return (noise / level if level >= SILENT else np.zeros_like(noise)).astype(np.float32)
