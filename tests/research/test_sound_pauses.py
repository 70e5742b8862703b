"""Pauses: found between events, long enough, away from ringing and from digital silence."""

import numpy as np
import pytest
from numpy.typing import NDArray

from extractors.log_mel import SAMPLE_RATE
from research.sound_pauses import AFTER_S, BEFORE_S, longest_pause, mirrored

ROOM, EVENT = 0.01, 0.5


def noise(seconds: float, level: float) -> NDArray[np.float64]:
    rng = np.random.default_rng(1)
    return np.clip(level * rng.standard_normal(int(seconds * SAMPLE_RATE)), -1, 1)


def found(*parts: NDArray[np.float64]) -> tuple[int, int] | None:
    wave = np.concatenate(parts)
    return longest_pause((wave / EVENT).astype(np.float32), EVENT)


def test_the_longest_pause_is_found_clear_of_the_events() -> None:
    pause = found(noise(0.9, ROOM), noise(1, EVENT), noise(2, ROOM), noise(0.5, EVENT))

    assert pause is not None
    assert pause[0] / SAMPLE_RATE == pytest.approx(1.9 + AFTER_S, abs=0.03)
    assert pause[1] / SAMPLE_RATE == pytest.approx(3.9 - BEFORE_S, abs=0.03)


@pytest.mark.parametrize(
    "pause",
    [
        noise(0.7, ROOM),
        noise(3, 0.2 * EVENT),
        np.zeros(3 * SAMPLE_RATE),
        noise(3, ROOM) * np.linspace(3, 0.3, 3 * SAMPLE_RATE),
    ],
    ids=["short", "loud", "digital silence", "a fade"],
)
def test_what_may_not_be_a_place_is_no_pause(pause: NDArray[np.float64]) -> None:
    assert found(noise(1, EVENT), pause, noise(1, EVENT)) is None


def test_a_short_pause_goes_on_with_its_mirror_image() -> None:
    wave = np.arange(5, dtype=np.float32)

    assert mirrored(wave, 8).tolist() == [0, 1, 2, 3, 4, 3, 2, 1]
    assert mirrored(wave, 3).tolist() == [0, 1, 2, 3, 4]
