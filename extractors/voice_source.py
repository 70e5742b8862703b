"""Draws speech as loud rooms give it: in a reverberant place, with a crowd or music under it.

Place in the flow: beside the `ClipSource` that it extends. The recordings of speech come from
studios; what was learned from those alone hears the hall and not the voice.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from extractors.clip_source import ClipSource
from extractors.sound_corpus import BACKGROUND, SoundCorpus, draw_clip
from extractors.sound_training import TrainSoundConfig

SPEECH = ("Male speech, man speaking", "Female speech, woman speaking")
CROWDS = ("Children playing", "Street music", BACKGROUND)


class VoiceSource(ClipSource):
    """Speech in a reverberant place with a crowd or music under it; the studio gives none of it."""

    def __init__(self, corpus: SoundCorpus, split: str, config: TrainSoundConfig) -> None:
        super().__init__(corpus, split, dataclasses.replace(config, places=0.0))
        self.augment = dataclasses.replace(
            self.augment, reverb=0.8, noise=1.0, snr_db=(-3.0, 15.0), blend=0.0
        )
        files = corpus.files(split)
        pools = {
            name: files[corpus.labels[files] == corpus.names.index(name)]
            for name in (*SPEECH, *CROWDS)
            if name in corpus.names
        }
        # Half a validation split may have one speaker alone, another table no speech at all.
        self._voices = [pools[name] for name in SPEECH if len(pools.get(name, ()))]
        self._crowds = [pools[name] for name in CROWDS if len(pools.get(name, ()))]

    @property
    def speaks(self) -> bool:
        """Whether the split has both voices and something to put under them."""
        return bool(self._voices and self._crowds)

    def _one(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], int]:
        pool = self._voices[int(rng.integers(0, len(self._voices)))]
        index = int(rng.choice(pool))
        clip = draw_clip(self.corpus.waveform(index), rng)
        return clip, int(self.corpus.labels[index])

    def _bed(self, rng: np.random.Generator) -> NDArray[np.float32]:
        pool = self._crowds[int(rng.integers(0, len(self._crowds)))]
        return draw_clip(self.corpus.waveform(int(rng.choice(pool))), rng, cut=0.0)
