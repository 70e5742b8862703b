"""Draws the augmented one-second clips that the sound trunk and the starter's head learn from.

Place in the flow: corpus → **clip source** → log-mel → training. A seed and a step number fix a
batch, so a resumed run sees what the first would have seen. It refuses to show the trunk a label
that cannot be heard: where in a file the event is audible is `sound_corpus`'s business.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from extractors.log_mel import N_MEL_FRAMES, SAMPLE_RATE
from extractors.sound_augment import SoundAugment
from extractors.sound_corpus import BACKGROUND, Samples, SoundCorpus, draw_clip
from extractors.sound_pauses import find_pauses, pause_waveform
from extractors.sound_training import TrainSoundConfig
from extractors.synth_sounds import SYNTHESISED_BACKGROUND, SYNTHESISED_EVENTS


class ClipSource:
    """Draws augmented one-second clips, balanced over labels and sources.

    A label is drawn by the root of its number of files, then a source of it likewise, then a file.
    """

    def __init__(self, corpus: SoundCorpus, split: str, config: TrainSoundConfig) -> None:
        self.corpus = corpus
        self.config = config
        self.augment = SoundAugment()
        files = corpus.files(split)
        by_label: dict[int, dict[str, list[int]]] = {}
        for index in files:
            label = int(corpus.labels[index])
            by_label.setdefault(label, {}).setdefault(corpus.sources[index], []).append(int(index))
        weights = np.zeros(len(files))
        where = {int(index): k for k, index in enumerate(files)}
        for sources in by_label.values():
            of_label = math.sqrt(sum(map(len, sources.values())))
            roots = sum(math.sqrt(len(members)) for members in sources.values())
            for members in sources.values():
                share = of_label * math.sqrt(len(members)) / roots / len(members)
                weights[[where[m] for m in members]] = share
        self._files = files
        self._weights = weights / weights.sum()
        self._beds = files[corpus.labels[files] == corpus.names.index(BACKGROUND)]
        self._pauses = find_pauses(corpus, files) if config.places else []
        self._places_share = config.places if len(self._beds) or self._pauses else 0.0
        # Sounds that are a bed to other events, and events of their own when alone.
        ambient = tuple(
            files[corpus.labels[files] == corpus.names.index(name)]
            for name in ("Air conditioner", "Street music", "Children playing", "Rain")
            if name in corpus.names
        )
        self._ambient = tuple(pool for pool in ambient if len(pool)) or (self._beds,)
        self._synthesised = sorted(SYNTHESISED_EVENTS.keys() & set(corpus.names))

    def draw(self, n_clips: int, step: int) -> tuple[Tensor, Tensor]:
        """Draw the batch of one step.

        Args:
            n_clips: Batch size.
            step: Step number; with the seed it fixes the batch.

        Returns:
            Waveforms `(B, 16000)` and targets `(B, n_labels)`.
        """
        rng = np.random.default_rng((self.config.seed, step))
        generator = torch.Generator().manual_seed(self.config.seed * 1_000_003 + step)
        pairs = [self._one(rng) for _ in range(n_clips)]
        beds = np.stack([self._bed(rng) for _ in range(n_clips)])
        clips = torch.from_numpy(np.stack([clip for clip, _ in pairs]))
        targets = F.one_hot(
            torch.tensor([label for _, label in pairs]), len(self.corpus.names)
        ).float()
        return self.augment.apply(clips, targets, torch.from_numpy(beds), generator)

    def _one(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], int]:
        names = self.corpus.names
        chance = rng.random()
        if chance < self.config.nothing:
            kind = int(rng.integers(0, len(SYNTHESISED_BACKGROUND) + 1))
            if kind == len(SYNTHESISED_BACKGROUND):
                return np.zeros(SAMPLE_RATE, dtype=np.float32), names.index(BACKGROUND)
            return SYNTHESISED_BACKGROUND[kind](SAMPLE_RATE, rng), names.index(BACKGROUND)
        chance -= self.config.nothing
        if chance < self._places_share:
            return self._places(rng), names.index(BACKGROUND)
        chance -= self._places_share
        if self._synthesised and chance < self.config.synthesised:
            name = str(rng.choice(self._synthesised))
            wave = SYNTHESISED_EVENTS[name](SAMPLE_RATE, rng)
            return draw_clip(wave, rng, speed=0.0), names.index(name)
        index = int(rng.choice(self._files, p=self._weights))
        clip = draw_clip(self.corpus.waveform(index), rng)
        return clip, int(self.corpus.labels[index])

    def _places(self, rng: np.random.Generator) -> Samples:
        """One place, or half of the time two of them at once."""
        clip = self._place(rng)
        if rng.random() < 0.5:
            clip = clip + self._place(rng) * np.float32(10 ** rng.uniform(-0.75, 0))  # -15 to 0 dB
        return clip

    def _place(self, rng: np.random.Generator) -> Samples:
        if self._pauses and (rng.random() < 0.5 or not len(self._beds)):
            pause = self._pauses[int(rng.integers(0, len(self._pauses)))]
            return draw_clip(pause_waveform(self.corpus, pause), rng, cut=0.0)
        return draw_clip(self.corpus.waveform(int(rng.choice(self._beds))), rng, cut=0.0)

    def _bed(self, rng: np.random.Generator) -> NDArray[np.float32]:
        chance = rng.random()
        if chance < 0.4:
            return np.zeros(SAMPLE_RATE, dtype=np.float32)
        if chance < 0.65:
            pool = self._beds
        else:
            pool = self._ambient[int(rng.integers(0, len(self._ambient)))]
        if not len(pool):
            return np.zeros(SAMPLE_RATE, dtype=np.float32)
        return draw_clip(self.corpus.waveform(int(rng.choice(pool))), rng, cut=0.0)


def half_second(log_mel: Tensor, generator: torch.Generator) -> Tensor:
    """Cut each picture to the half of its length in which most happens, out of a few random ones.

    Args:
        log_mel: `(B, 1, 96, 64)`.
        generator: Source of the random starts.

    Returns:
        `(B, 1, 48, 64)`.
    """
    n_kept = N_MEL_FRAMES // 2
    n_clips = len(log_mel)
    starts = torch.randint(0, n_kept + 1, (n_clips, 3), generator=generator)
    loudness = log_mel.mean(dim=(1, 3)).unfold(1, n_kept, 1).mean(dim=2)  # (B, 49)
    best = starts.gather(1, loudness.gather(1, starts).argmax(dim=1, keepdim=True))
    columns = (best + torch.arange(n_kept))[:, None, :, None].expand(-1, 1, -1, log_mel.shape[3])
    return log_mel.gather(2, columns)
