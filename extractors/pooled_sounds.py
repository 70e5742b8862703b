"""What the sound trunk makes of whole files: maps of their loudest seconds, and these pooled.

Place in the flow: evaluation only. It is what `sound_training`'s classifier sees of a map: mean
and maximum over time of the mean over mel.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from extractors.encoders import SoundEncoder
from extractors.file_accuracy import N_EVALUATION_CLIPS, loudest_clips
from extractors.sound_corpus import SoundCorpus

BATCH = 32


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PooledSounds:
    """Pooled maps of the loudest seconds of some files.

    Attributes:
        files: File numbers of the corpus `(N,)`.
        vectors: `(M, 1024)` float32, second by second.
        owners: Index into `files` of each second `(M,)`.
    """

    files: NDArray[np.int64]
    vectors: NDArray[np.float32]
    owners: NDArray[np.int64]

    def mean_of_files(self, answers: NDArray[np.float32]) -> NDArray[np.float32]:
        """Average answers over each file's seconds: `(M, K)` → `(N, K)`."""
        summed = np.zeros((len(self.files), answers.shape[1]), dtype=np.float32)
        np.add.at(summed, self.owners, answers)
        n_seconds = np.bincount(self.owners).astype(np.float32)
        return summed / n_seconds[:, None]


@torch.inference_mode()
def pool_sounds(
    corpus: SoundCorpus,
    files: NDArray[np.int64],
    encoder: SoundEncoder,
    keep_maps: NDArray[np.float16] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> PooledSounds:
    """Run a trunk over the loudest seconds of files.

    Args:
        corpus: Where the files are.
        files: Their numbers.
        encoder: Of waveforms.
        keep_maps: Filled with the maps `(M, 512, 12, 8)` if given; M is `count_seconds`.
        progress: Told how many seconds are done, and of how many.
    """
    clips = [loudest_clips(corpus, int(index), N_EVALUATION_CLIPS) for index in files]
    owners = np.repeat(np.arange(len(files)), [len(c) for c in clips])
    waves = np.concatenate(clips)
    parts = []
    for first in range(0, len(waves), BATCH):
        maps = torch.from_numpy(encoder.encode(waves[first : first + BATCH])[1])
        if keep_maps is not None:
            keep_maps[first : first + BATCH] = maps.half().numpy()
        over_mels = maps.mean(dim=3)
        parts.append(torch.cat([over_mels.mean(dim=2), over_mels.amax(dim=2)], dim=1))
        progress(min(first + BATCH, len(waves)), len(waves))
    return PooledSounds(files=files, vectors=torch.cat(parts).numpy(), owners=owners)


def count_seconds(corpus: SoundCorpus, files: NDArray[np.int64]) -> int:
    """How many loudest seconds these files have together."""
    return sum(len(loudest_clips(corpus, int(index), N_EVALUATION_CLIPS)) for index in files)
