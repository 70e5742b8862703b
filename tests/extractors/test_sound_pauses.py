"""Pauses: found between events, long enough, away from ringing and from digital silence."""

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from extractors.clip_source import ClipSource
from extractors.log_mel import SAMPLE_RATE
from extractors.sound_corpus import BACKGROUND, SoundCorpus
from extractors.sound_pauses import AFTER_S, BEFORE_S, PADDED_S, find_pauses, pause_waveform
from extractors.sound_training import TrainSoundConfig

ROOM, EVENT = 0.01, 0.5


def corpus_of(*waves: NDArray[np.float64]) -> SoundCorpus:
    samples = [np.round(wave * 32767).astype(np.int16) for wave in waves]
    n_files = len(samples)
    return SoundCorpus(
        samples=np.concatenate(samples),
        starts=np.cumsum([0, *map(len, samples)]),
        labels=np.ones(n_files, dtype=np.int64),
        names=(BACKGROUND, "Bark"),
        sources=("a",) * n_files,
        splits=("train",) * n_files,
        groups=tuple(str(k) for k in range(n_files)),
        levels=np.full(n_files, EVENT, dtype=np.float32),
    )


def noise(seconds: float, level: float) -> NDArray[np.float64]:
    rng = np.random.default_rng(1)
    return np.clip(level * rng.standard_normal(int(seconds * SAMPLE_RATE)), -1, 1)


def test_the_longest_pause_is_found_clear_of_the_events() -> None:
    wave = np.concatenate([noise(0.9, ROOM), noise(1, EVENT), noise(2, ROOM), noise(0.5, EVENT)])
    ((index, first, end),) = find_pauses(corpus_of(wave), np.array([0]))
    assert index == 0
    assert first / SAMPLE_RATE == pytest.approx(1.9 + AFTER_S, abs=0.03)
    assert end / SAMPLE_RATE == pytest.approx(3.9 - BEFORE_S, abs=0.03)


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
    wave = np.concatenate([noise(1, EVENT), pause, noise(1, EVENT)])
    assert find_pauses(corpus_of(wave), np.array([0])) == []


def test_an_event_that_goes_on_has_no_pauses() -> None:
    wave = np.concatenate([noise(1, EVENT), noise(3, ROOM)])
    names = (BACKGROUND, "Helicopter")
    corpus = dataclasses.replace(corpus_of(wave), names=names)
    assert find_pauses(corpus, np.array([0])) == []
    assert len(find_pauses(corpus_of(wave), np.array([0]))) == 1


def test_a_short_pause_is_padded_to_a_clip_at_any_speed() -> None:
    corpus = corpus_of(np.concatenate([noise(1, ROOM), noise(1, EVENT)]))
    (pause,) = find_pauses(corpus, np.array([0]))
    wave = pause_waveform(corpus, pause)
    assert len(wave) == int(PADDED_S * SAMPLE_RATE)
    assert np.sqrt(np.square(wave).mean()) == pytest.approx(1, abs=0.05)


def test_places_are_drawn_as_background() -> None:
    corpus = corpus_of(np.concatenate([noise(1.5, ROOM), noise(1, EVENT)]))
    config = TrainSoundConfig(places=1.0, nothing=0.0)
    waves, targets = ClipSource(corpus, "train", config).draw(4, 0)
    assert waves.shape == (4, SAMPLE_RATE)
    assert waves.square().mean(dim=1).min() > 0
    # Blending, where it happens, blends Background with Background.
    assert (targets[:, corpus.names.index(BACKGROUND)] == 1).all()
