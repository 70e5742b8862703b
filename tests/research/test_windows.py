import numpy as np
from numpy.typing import NDArray

from extractors.log_mel import SAMPLE_RATE
from research.sound_corpus import SoundCorpus
from research.vocabulary import Vocabulary
from research.windows import N_SAMPLES, WindowSource, seed_of

NAMES = ("Background", "Bark", "Unlabelled")
VOCABULARY = Vocabulary(labels=("Bark", "Cat"), sound=((0,), (1,)), picture=((), ()), parents={})


def corpus() -> SoundCorpus:
    t = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    waves: list[NDArray[np.int16]] = [
        (3000 * np.sin(2 * np.pi * hertz * t)).astype(np.int16) for hertz in (200, 900, 2000, 700)
    ]
    return SoundCorpus(
        samples=np.concatenate(waves),
        starts=np.cumsum([0, *map(len, waves)]),
        labels=np.array([0, 1, 2, 1]),
        names=NAMES,
        sources=("a", "a", "a", "b"),
        splits=("train", "train", "train", "test"),
        groups=("1", "2", "3", "4"),
        levels=np.full(4, 0.065, np.float32),
    )


def source(shares: tuple[float, float, float]) -> WindowSource:
    return WindowSource(corpus(), VOCABULARY, "train", shares=shares)


def test_a_seed_fixes_a_window() -> None:
    windows = [source((0.4, 0.3, 0.3)).draw(seed) for seed in (3, 3, 4)]

    np.testing.assert_array_equal(windows[0].waveform, windows[1].waveform)
    assert not np.array_equal(windows[0].waveform, windows[2].waveform)
    assert windows[0].waveform.shape == (N_SAMPLES,)
    assert all(np.abs(window.waveform).max() <= 1 for window in windows)


def test_labels_are_heard_where_their_files_are() -> None:
    drawn = [source((1.0, 0.0, 0.0)).draw(seed) for seed in range(12)]

    heard = np.stack([window.heard for window in drawn])
    assert {window.kind for window in drawn} == {"events"}
    assert heard[:, :, 1].max() == 0  # no file of a cat
    assert (heard[:, :, 0].max(axis=1) > 0.1).all()
    assert (heard[:, :, 0] == 0).any()  # an event does not fill every window


def test_nothing_is_heard_where_no_label_is() -> None:
    drawn = [source((0.0, 0.0, 1.0)).draw(seed) for seed in range(6)]

    assert {window.kind for window in drawn} == {"nothing"}
    assert not any(window.heard.any() for window in drawn)


def test_splits_have_windows_of_their_own() -> None:
    seeds = {seed_of(split, k) for split in ("train", "val", "test") for k in range(1000)}

    assert len(seeds) == 3000
