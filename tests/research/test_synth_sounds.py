import numpy as np
import pytest

from research.synth_sounds import SYNTHESISED_BACKGROUND, SYNTHESISED_EVENTS

ALL = [*SYNTHESISED_EVENTS.values(), *SYNTHESISED_BACKGROUND]


@pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)
def test_sound_is_the_same_when_the_seed_is(make) -> None:
    first = make(16_000, np.random.default_rng(4))
    again = make(16_000, np.random.default_rng(4))
    other = make(16_000, np.random.default_rng(5))

    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)
def test_sound_is_finite_and_audible_when_parameters_vary(make) -> None:
    for seed in range(40):
        wave = make(16_000, np.random.default_rng(seed))

        assert wave.shape == (16_000,)
        assert wave.dtype == np.float32
        assert np.isfinite(wave).all()
        assert 0.01 < np.abs(wave).max() < 50
