"""One sound in a room: stretches of a recording, near and far, over beds, as a room repeats it.

What a user corrects is a fan, a dog, a television: one source. It goes on, at other moments, levels
and distances, and over whatever else the room sounds like. A recording's first half is what was
corrected, its second half what comes later; the beds of both are different ones.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from extractors.log_mel import SAMPLE_RATE
from research.sound_corpus import SILENT, Samples, block_levels, loud_level
from research.teaching_ear import Ear, hops

EVENT_S = (1.5, 4.0)
AROUND_S = 0.5  # of the bed alone, before and after
BED_DB = (-50.0, -35.0)
OVER_BED_DB = (5.0, 25.0)  # the sound's loud level
DECAY_S = (0.2, 0.6)  # to -60 dB: rooms with and without furniture
DIRECT_DB = (-3.0, 12.0)  # over what the room throws back: far and near
CUTOFF_HZ = (2500.0, 7500.0)  # of a low-pass: behind things, or another microphone
FADE = SAMPLE_RATE // 50
Array = NDArray[np.float32]


def hear_mixes(
    sounds: Sequence[Samples], beds: Sequence[Samples], ear: Ear, rng: np.random.Generator
) -> list[Array]:
    """Mix each sound into a bed at random, and hear it: hops of each, `(n, C)`."""
    seconds = [hops(mixed(sound, beds, rng)) for sound in sounds]
    rows = ear.means(np.concatenate(seconds)).astype(np.float16).astype(np.float32)
    return np.split(rows, np.cumsum([len(each) for each in seconds])[:-1])


def mixed(sound: Samples, beds: Sequence[Samples], rng: np.random.Generator) -> Samples:
    """Return some seconds of a sound, from somewhere in a room and over one of its beds.

    Args:
        sound: `(n_samples,)`, any level.
        beds: RMS 1.
        rng: Draws the stretch, the place, the levels and the bed.

    Returns:
        The event with half a second of the bed on both sides, in [-1, 1].
    """
    n = min(len(sound), round(rng.uniform(*EVENT_S) * SAMPLE_RATE))
    first = int(rng.integers(0, len(sound) - n + 1))
    part = from_afar(sound[first : first + n], rng)
    n_around = round(AROUND_S * SAMPLE_RATE)
    bed = np.roll(beds[int(rng.integers(0, len(beds)))], int(rng.integers(0, SAMPLE_RATE)))
    bed_db = rng.uniform(*BED_DB)
    out = np.resize(bed, n + 2 * n_around) * np.float32(10 ** (bed_db / 20))
    level = 10 ** ((bed_db + rng.uniform(*OVER_BED_DB)) / 20)
    level /= max(loud_level(block_levels(part)), SILENT)
    out[n_around : n_around + n] += part * np.float32(level)
    clipped: Samples = np.clip(out, -1, 1).astype(np.float32)
    return clipped


def from_afar(part: Samples, rng: np.random.Generator) -> Samples:
    """Return a stretch as it is heard elsewhere in a room: muffled, with an echo, faded."""
    n_echo = round(DECAY_S[1] * SAMPLE_RATE)
    t_s = np.arange(1, n_echo + 1) / SAMPLE_RATE
    echo = rng.standard_normal(n_echo) * 10 ** (-3 * t_s / rng.uniform(*DECAY_S))
    echo *= 10 ** (-rng.uniform(*DIRECT_DB) / 20) / np.sqrt(np.square(echo).sum())
    n_fft = len(part) + n_echo
    spectrum = np.fft.rfft(part, n_fft) * np.fft.rfft(np.concatenate([[1.0], echo]), n_fft)
    hz = np.fft.rfftfreq(n_fft, 1 / SAMPLE_RATE)
    spectrum /= np.sqrt(1 + (hz / rng.uniform(*CUTOFF_HZ)) ** 4)
    out = np.fft.irfft(spectrum, n_fft)[: len(part)].astype(np.float32)
    ramp = np.linspace(0, 1, min(FADE, len(part) // 2), dtype=np.float32)
    out[: len(ramp)] *= ramp
    out[len(part) - len(ramp) :] *= ramp[::-1]
    return np.asarray(out, np.float32)
