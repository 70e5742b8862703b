import numpy as np
import pytest

from extractors.log_mel import SAMPLE_RATE
from research.noise import noise_like
from research.sound_corpus import Samples, block_levels

SECOND = np.arange(SAMPLE_RATE) / SAMPLE_RATE


def share_between(clip: Samples, low_hz: int, high_hz: int) -> float:
    power = np.square(np.abs(np.fft.rfft(clip)))  # 1 Hz a line
    return float(power[low_hz:high_hz].sum() / power.sum())


def test_noise_has_a_clips_spectrum_and_nothing_of_its_course() -> None:
    knock = np.sin(2 * np.pi * 1000 * SECOND) * (np.abs(SECOND - 0.5) < 0.05)

    noise = noise_like(knock.astype(np.float32), 200.0, np.random.default_rng(1))

    assert share_between(noise, 800, 1200) > 0.9
    assert np.sqrt(np.square(noise).mean()) == pytest.approx(1, abs=1e-3)
    levels = block_levels(noise)
    assert levels.max() < 4 * levels.mean()  # the knock's are 10 times its mean


def test_noise_is_as_wide_as_it_is_smoothed() -> None:
    sine = np.sin(2 * np.pi * 1000 * SECOND).astype(np.float32)

    for width_hz in (100, 800):
        noise = noise_like(sine, width_hz, np.random.default_rng(1))
        assert share_between(noise, 1000 - width_hz // 2 - 5, 1000 + width_hz // 2 + 5) > 0.99
        assert share_between(noise, 1000 - width_hz // 4, 1000 + width_hz // 4) < 0.75


@pytest.mark.parametrize("level", [0.0, 1e-8])
def test_noise_of_silence_is_silence(level: float) -> None:
    silence = np.full(SAMPLE_RATE, level, dtype=np.float32)

    assert not noise_like(silence, 200.0, np.random.default_rng(1)).any()
