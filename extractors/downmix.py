"""Several channels to one: their mean, unless they cancel one another.

A microphone with a balanced plug in a stereo socket gives the same sound twice, once inverted: the
mean of both is silence. So where the mean is far below what the loudest channel alone would leave
of itself in it, that channel is taken instead, until the mean holds sound again. Channels that have
nothing to do with one another never come near that: their mean is above what one of them leaves.
Pure; one stream of samples an object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Amplitude of the mean, as a share of the loudest channel's part in it. Of two channels: taken
# apart from −14 dB under the louder one on, mixed again from −10 dB on.
CANCELS_BELOW = 0.4
MIXES_ABOVE = 0.65
CANCELLATION = (
    "its channels cancel one another when they are mixed, so the loudest alone is taken; is a "
    "balanced microphone in a stereo socket, or a pair of wires swapped?"
)
EXPLAINED_S = 0.2  # of sound that cancels out are worth a word; less may be chance
QUIET = 1e-4  # amplitude, −80 dB of full scale: below it a block says nothing about its channels


class Downmix:
    """Mixes one sound's blocks; one thread calls it.

    Attributes:
        channel: Which channel is taken alone at present, from 0; None for the mean.
        n_cancelled: Samples so far that one channel was taken for.
    """

    def __init__(self) -> None:
        self.channel: int | None = None
        self.n_cancelled = 0

    def mix(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns one channel of a block `(n, n_channels)`, float32, as `(n,)`."""
        mono: NDArray[np.float32] = samples.mean(axis=1, dtype=np.float32)
        n_channels = samples.shape[1]
        if n_channels < 2 or not len(samples):
            return mono
        # Without the mean over time: an offset of the converter is no sound.
        levels = samples.std(axis=0, dtype=np.float64)
        loudest = int(levels.argmax())
        part = float(levels[loudest]) / n_channels
        if part * n_channels > QUIET:
            mixed = float(mono.std(dtype=np.float64))
            if self.channel is None and mixed < CANCELS_BELOW * part:
                self.channel = loudest
            elif self.channel is not None and mixed > MIXES_ABOVE * part:
                self.channel = None
        if self.channel is None or self.channel >= n_channels:
            return mono
        self.n_cancelled += len(samples)
        return samples[:, self.channel]
