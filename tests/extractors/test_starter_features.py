"""What the starter's features are drawn from: voices over crowds, places, frames of stills."""

import dataclasses
import json
import math
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from extractors import starter_features
from extractors.encoders import SoundEncoder
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


class FlatEncoder:
    """Stands for a trunk, which costs time."""

    def encode(self, waves: NDArray[np.float32]) -> tuple[None, NDArray[np.float32]]:
        return None, np.zeros((len(waves), 512, 12, 8), dtype=np.float32)


def test_places_elsewhere_are_for_learning_and_not_for_testing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = corpus_of_each_label()
    n_files = len(corpus.splits)
    half = ("train",) * (n_files // 2) + ("test",) * (n_files // 2)
    monkeypatch.setattr(
        starter_features, "load_corpus", lambda *_: dataclasses.replace(corpus, splits=half)
    )

    starter_features.sound_features(
        tmp_path, tmp_path, cast(SoundEncoder, FlatEncoder()), tmp_path, 0.05, ("train", "test")
    )

    for split, n_ordinary in (("train", 14), ("test", 3)):
        labels = json.loads((tmp_path / f"sound_{split}.json").read_text())["labels"]
        maps = np.load(tmp_path / f"sound_{split}.npy", mmap_mode="r")
        last = {NAMES[k] for k in labels[-starter_features.BATCH :]}
        n_voices = math.ceil(starter_features.VOICES_SHARE * n_ordinary)
        n_elsewhere = math.ceil(starter_features.ELSEWHERE_SHARE * n_ordinary)
        if split == "test":
            n_elsewhere = 0
        n_clips = (n_ordinary + n_voices + n_elsewhere) * starter_features.BATCH
        assert len(labels) == len(maps) == n_clips
        assert (last == {BACKGROUND}) == (split == "train")


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
