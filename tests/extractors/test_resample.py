import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from extractors.resample import QUALITY, resample_blocks, whole_seconds


def _noise(n_samples: int) -> np.ndarray:
    return np.random.default_rng(2).uniform(-0.5, 0.5, n_samples).astype(np.float32)


@pytest.mark.parametrize("sample_rate", [8000, 22_050, 44_100, 48_000])
def test_blocks_give_what_the_whole_gives(sample_rate: int) -> None:
    waveform = _noise(2 * sample_rate)
    blocks = np.split(waveform, [10, 1000, 1000, 1024, 30_000])

    streamed = np.concatenate(list(resample_blocks(blocks, sample_rate)))

    whole = soxr.resample(waveform, sample_rate, 16_000, quality=QUALITY)
    assert len(streamed) == 32_000
    np.testing.assert_allclose(streamed, whole, atol=1e-6)


def test_sound_at_16_khz_passes_unchanged() -> None:
    block = _noise(123)

    assert next(iter(resample_blocks([block], 16_000))) is block


def test_a_rate_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="sample_rate must be positive"):
        next(resample_blocks([], 0))


@given(st.lists(st.integers(0, 40_000), max_size=6))
def test_seconds_hold_every_sample_once_whatever_the_blocks(lengths: list[int]) -> None:
    waveform = np.arange(sum(lengths), dtype=np.float32)
    blocks = np.split(waveform, np.cumsum(lengths)[:-1]) if lengths else []

    seconds = list(whole_seconds(blocks))

    assert all(len(second) == 16_000 for second in seconds[:-1])
    joined = np.concatenate(seconds) if seconds else np.zeros(0, np.float32)
    np.testing.assert_array_equal(joined, waveform)
