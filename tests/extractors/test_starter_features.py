"""What the starter's features are drawn from: voices over crowds, frames of stills."""

import numpy as np
import torch
from PIL import Image

from extractors.picture_augment import FRAME, as_frame
from extractors.sound_corpus import BACKGROUND, SoundCorpus
from extractors.sound_training import TrainSoundConfig
from extractors.voice_source import CROWDS, SPEECH, VoiceSource

NAMES = tuple(sorted({*SPEECH, *CROWDS, BACKGROUND, "Bark"}))


def corpus_of_each_label() -> SoundCorpus:
    rng = np.random.default_rng(0)
    n_files = 2 * len(NAMES)
    return SoundCorpus(
        samples=(rng.standard_normal(n_files * 20_000) * 3000).astype(np.int16),
        starts=np.arange(n_files + 1) * 20_000,
        labels=np.arange(n_files) % len(NAMES),
        names=NAMES,
        sources=("a",) * n_files,
        splits=("train",) * n_files,
        groups=("g",) * n_files,
        levels=np.full(n_files, 0.09, dtype=np.float32),
    )


def test_only_speech_is_drawn_when_voices_are_wanted() -> None:
    source = VoiceSource(corpus_of_each_label(), "train", TrainSoundConfig())

    waves, targets = source.draw(12, step=0)

    assert bool(torch.isfinite(waves).all())
    assert {NAMES[k] for k in targets.argmax(dim=1).tolist()} == set(SPEECH)
    torch.testing.assert_close(targets.amax(dim=1), torch.ones(12))  # one label, not two


def test_frame_is_large_enough_for_the_trunk_when_a_picture_is_tiny_or_long() -> None:
    scene = Image.new("RGB", (300, 200), (10, 80, 20))
    for size in ((40, 30), (900, 60), (256, 256)):
        picture = Image.new("RGB", size, (200, 100, 50))
        for number, where in enumerate((None, scene)):
            frame = as_frame(picture, where, np.random.default_rng(number))

            assert frame.mode == "RGB"
            assert min(frame.size) >= FRAME


def test_frame_is_the_same_when_the_seed_is() -> None:
    rng = np.random.default_rng(1)
    picture = Image.fromarray(rng.integers(0, 255, (64, 96, 3), dtype=np.uint8))

    first = as_frame(picture, None, np.random.default_rng(2))
    again = as_frame(picture, None, np.random.default_rng(2))

    np.testing.assert_array_equal(np.asarray(first), np.asarray(again))
