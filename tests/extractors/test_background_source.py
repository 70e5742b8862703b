"""Places that nobody recorded: Background alone, of every material that a split has."""

import numpy as np
import pytest
import torch

from extractors.background_source import BackgroundSource, noise_like
from extractors.log_mel import SAMPLE_RATE
from extractors.sound_corpus import BACKGROUND, SoundCorpus, block_levels
from extractors.sound_training import TrainSoundConfig

NAMES = ("Air conditioner", BACKGROUND, "Bark", "Rain")
FILE = 2 * SAMPLE_RATE


def corpus_of(*labels: str) -> SoundCorpus:
    rng = np.random.default_rng(0)
    n_files = len(labels)
    return SoundCorpus(
        samples=(rng.standard_normal(n_files * FILE) * 3000).astype(np.int16),
        starts=np.arange(n_files + 1) * FILE,
        labels=np.array([NAMES.index(label) for label in labels], dtype=np.int64),
        names=NAMES,
        sources=("a",) * n_files,
        splits=("train",) * n_files,
        groups=("g",) * n_files,
        levels=np.full(n_files, 0.09, dtype=np.float32),
    )


@pytest.mark.parametrize("labels", [(BACKGROUND,), ("Air conditioner",), ("Bark",), NAMES])
def test_nothing_but_background_is_drawn_of_whatever_a_split_has(labels: tuple[str, ...]) -> None:
    source = BackgroundSource(corpus_of(*labels), "train", TrainSoundConfig())

    waves, targets = source.draw(12, step=0)

    assert source.has_places
    assert bool(torch.isfinite(waves).all())
    assert (waves.square().mean(dim=1) > 0).all()
    assert (targets[:, NAMES.index(BACKGROUND)] == 1).all()
    torch.testing.assert_close(source.draw(12, step=0)[0], waves)


def test_a_steady_event_is_no_place() -> None:
    assert not BackgroundSource(corpus_of("Rain"), "train", TrainSoundConfig()).has_places


def test_noise_has_a_clips_spectrum_and_nothing_of_its_course() -> None:
    t = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    knock = np.sin(2 * np.pi * 1000 * t) * (np.abs(t - 0.5) < 0.05)

    noise = noise_like(knock.astype(np.float32), 200.0, np.random.default_rng(1))

    power = np.square(np.abs(np.fft.rfft(noise)))  # 1 Hz a line
    assert power[800:1200].sum() > 0.9 * power.sum()
    assert np.sqrt(np.square(noise).mean()) == pytest.approx(1, abs=1e-3)
    levels = block_levels(noise)
    assert levels.max() < 4 * levels.mean()  # the knock's are 10 times its mean


def test_noise_of_silence_is_silence() -> None:
    silence = np.zeros(SAMPLE_RATE, dtype=np.float32)

    assert not noise_like(silence, 200.0, np.random.default_rng(1)).any()
