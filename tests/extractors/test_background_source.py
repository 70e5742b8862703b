"""Places that nobody recorded: Background alone, of every material that a split has."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from extractors.background_source import UNDER_DB, BackgroundSource, noise_like
from extractors.log_mel import SAMPLE_RATE
from extractors.sound_corpus import BACKGROUND, Samples, SoundCorpus, block_levels
from extractors.sound_pauses import GO_ON
from extractors.sound_training import TrainSoundConfig

NAMES = tuple(sorted({*GO_ON, BACKGROUND, "Bark"}))
EVENT = 0.1  # its loud level, full scale 1
SECOND = np.arange(SAMPLE_RATE) / SAMPLE_RATE


def tone(frequency_hz: float, seconds: float = 2.0) -> NDArray[np.float64]:
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return EVENT * np.sqrt(2) * np.sin(2 * np.pi * frequency_hz * t)


def corpus_of(*files: tuple[str, NDArray[np.float64]]) -> SoundCorpus:
    n_files = len(files)
    return SoundCorpus(
        samples=np.concatenate([(wave * 32767).astype(np.int16) for _, wave in files]),
        starts=np.cumsum([0, *(len(wave) for _, wave in files)]),
        labels=np.array([NAMES.index(label) for label, _ in files], dtype=np.int64),
        names=NAMES,
        sources=("a",) * n_files,
        splits=("train",) * n_files,
        groups=("g",) * n_files,
        levels=np.full(n_files, EVENT, dtype=np.float32),
    )


def drawn(corpus: SoundCorpus, n_clips: int = 60) -> list[Samples]:
    """Clips as they are before the augmentation, which would add noise to them."""
    source = BackgroundSource(corpus, "train", TrainSoundConfig())
    clips = [source._one(np.random.default_rng(seed)) for seed in range(n_clips)]
    assert {label for _, label in clips} == {NAMES.index(BACKGROUND)}
    return [clip for clip, _ in clips]


def share_between(clip: Samples, low_hz: int, high_hz: int) -> float:
    power = np.square(np.abs(np.fft.rfft(clip)))  # 1 Hz a line
    return float(power[low_hz:high_hz].sum() / power.sum())


def test_nothing_but_background_is_drawn() -> None:
    corpus = corpus_of(("Bark", tone(900)), ("Air conditioner", tone(300)))
    source = BackgroundSource(corpus, "train", TrainSoundConfig())

    waves, targets = source.draw(12, step=0)

    assert source.has_places
    assert bool(torch.isfinite(waves).all())
    assert (targets[:, NAMES.index(BACKGROUND)] == 1).all()
    torch.testing.assert_close(source.draw(12, step=0)[0], waves)


@pytest.mark.parametrize("label", [BACKGROUND, "Air conditioner"])
def test_recorded_places_are_played_at_other_speeds(label: str) -> None:
    # Recordings of Background give noise of their spectrum too; those of steady noise never do.
    clips = drawn(corpus_of(("Air conditioner", tone(1000)), (label, tone(1000))))

    tops = [int(np.abs(np.fft.rfft(clip)).argmax()) for clip in clips]

    assert min(tops) < 700
    assert max(tops) > 1400
    assert all(560 < top < 1720 for top in tops)


def test_an_event_gives_noise_of_its_spectrum_and_never_itself() -> None:
    for clip in drawn(corpus_of(("Bark", tone(1000)))):
        assert share_between(clip, 500, 1500) > 0.9
        assert share_between(clip, 995, 1005) < 0.3  # the tone has all there, at any of its speeds
        assert np.abs(np.fft.rfft(clip)).max() < 0.3 * np.abs(np.fft.rfft(clip)).sum()


def test_a_pause_stands_for_its_room() -> None:
    room = 0.05 * tone(4000, 1.5)
    wave = np.concatenate([tone(500, 0.7), room, tone(500, 0.7)])

    rooms = [c for c in drawn(corpus_of(("Bark", wave))) if share_between(c, 3000, 5300) > 0.95]

    assert 10 < len(rooms) < 50  # the others are noise of the whole recording's spectrum


@pytest.mark.parametrize("label", [name for name in GO_ON if name != "Air conditioner"])
def test_a_steady_event_is_no_place(label: str) -> None:
    source = BackgroundSource(corpus_of((label, tone(500))), "train", TrainSoundConfig())
    assert not source.has_places


def test_a_second_place_is_softer() -> None:
    source = BackgroundSource(
        corpus_of(("Air conditioner", tone(500))), "train", TrainSoundConfig()
    )
    levels = []
    for seed in range(60):
        kinds = iter([np.ones(SAMPLE_RATE, np.float32), np.full(SAMPLE_RATE, 100, np.float32)])
        source._kinds = [lambda _, kinds=kinds: next(kinds)]  # type: ignore[misc]
        levels.append(float(source._one(np.random.default_rng(seed))[0][0]))
    seconds = [level - 1 for level in levels if level > 1]
    assert 10 < len(seconds) < 40
    assert 100 * 10 ** (-UNDER_DB / 20) <= min(seconds) < max(seconds) <= 100


def test_beds_are_recorded_places_and_no_rain() -> None:
    corpus = corpus_of(("Rain", tone(3000)), ("Air conditioner", tone(300)))
    source = BackgroundSource(corpus, "train", TrainSoundConfig())

    beds = [source._bed(np.random.default_rng(seed)) for seed in range(40)]

    heard = [bed for bed in beds if bed.any()]
    assert 10 < len(heard) < 30
    assert all(share_between(bed, 100, 600) > 0.95 for bed in heard)


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
