"""Draws nothing in particular as other places and other microphones give it.

Place in the flow: beside the `ClipSource` that it extends. The recorded backgrounds are a few dozen
of one source, and a trunk knows those that it was trained on by heart. So they are played at other
speeds, backwards and over each other; the pauses of recordings stand for their rooms, and noise
with the spectrum of a recording stands for a room or a machine that nobody recorded. It refuses
recordings whose event is a steady noise: noise with their spectrum is that event.
"""

import dataclasses
import math

import numpy as np

from extractors.clip_source import ClipSource
from extractors.log_mel import SAMPLE_RATE
from extractors.sound_corpus import BACKGROUND, BED_LABELS, Samples, SoundCorpus, draw_clip
from extractors.sound_pauses import GO_ON, PADDED_S, find_pauses, pause_waveform
from extractors.sound_training import TrainSoundConfig

SPEED = 0.5  # of a recorded background: 0.6 to 1.65 times
PAUSE_SPEED = 0.95 * math.log(PADDED_S)  # a pause is short
BACKWARDS, SECOND = 0.5, 0.4  # shares: recordings played backwards, clips with a second place
LEVEL_DB = (-75.0, -10.0)  # RMS, full scale 0 dB: nothing happens most quietly
BED_SHARE = 0.5  # of the clips that have another recording under them
SMOOTHING_HZ = (100.0, 800.0)  # narrower, and a noise sings as the recording does
UNDER_DB = 10.0  # a second place is as loud as the first or up to so much softer
SILENT = 1e-6


class BackgroundSource(ClipSource):
    """Clips in which nothing happens: recorded places changed, pauses, and noises like them."""

    def __init__(self, corpus: SoundCorpus, split: str, config: TrainSoundConfig) -> None:
        super().__init__(corpus, split, dataclasses.replace(config, places=0.0))
        self.augment = dataclasses.replace(self.augment, blend=0.0, level_db=LEVEL_DB)
        files = corpus.files(split)
        names = np.array(corpus.names)[corpus.labels[files]]
        self._recorded = files[np.isin(names, BED_LABELS)]
        self._spectra = files[~np.isin(names, GO_ON)]
        self._rooms = find_pauses(corpus, files)
        self._kinds = [
            kind
            for kind, pool in (
                (self._recording, self._recorded),
                (self._room, self._rooms),
                (self._noise, self._spectra),
            )
            if len(pool)
        ]

    @property
    def has_places(self) -> bool:
        """Whether the split has any recording to draw from."""
        return bool(self._kinds)

    def _one(self, rng: np.random.Generator) -> tuple[Samples, int]:
        clip = self._kinds[int(rng.integers(0, len(self._kinds)))](rng)
        if rng.random() < SECOND:
            other = self._kinds[int(rng.integers(0, len(self._kinds)))](rng)
            clip = clip + other * np.float32(10 ** (-rng.uniform(0, UNDER_DB) / 20))
        return clip, self.corpus.names.index(BACKGROUND)

    def _bed(self, rng: np.random.Generator) -> Samples:
        if not len(self._recorded) or rng.random() >= BED_SHARE:
            return np.zeros(SAMPLE_RATE, dtype=np.float32)
        return self._recording(rng)

    def _recording(self, rng: np.random.Generator) -> Samples:
        waveform = self.corpus.waveform(int(rng.choice(self._recorded)))
        if rng.random() < BACKWARDS:
            waveform = waveform[::-1]
        return draw_clip(waveform, rng, cut=0.0, speed=SPEED)

    def _room(self, rng: np.random.Generator) -> Samples:
        pause = self._rooms[int(rng.integers(0, len(self._rooms)))]
        return draw_clip(pause_waveform(self.corpus, pause), rng, cut=0.0, speed=PAUSE_SPEED)

    def _noise(self, rng: np.random.Generator) -> Samples:
        clip = draw_clip(self.corpus.waveform(int(rng.choice(self._spectra))), rng, cut=0.0)
        return noise_like(clip, float(rng.uniform(*SMOOTHING_HZ)), rng)


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
