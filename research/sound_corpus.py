"""Labelled sound files as one array of samples, decoded once (PyAV) into a cache."""

import csv
import dataclasses
import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.log_mel import SAMPLE_RATE
from weights.paths import for_ffmpeg

logger = logging.getLogger(__name__)

BACKGROUND = "Background"
BED_LABELS = (BACKGROUND, "Air conditioner")  # recordings in which nothing happens
SILENT = 1e-4  # loud level, full scale 1, under which there is nothing to hear
LEVEL_BLOCK = 320  # 20 ms: short enough to find a click, long enough to measure a note

Samples = NDArray[np.float32]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SoundCorpus:
    """Sound files, decoded, with their labels and loud levels.

    Attributes:
        samples: All files one after the other, int16 at 16 kHz.
        starts: First sample of each file; one more entry marks the end.
        labels: Index into `names` of each file.
        names: Label names, sorted.
        sources: Where each file comes from.
        splits: `train`, `val` or `test`, of each file.
        groups: What must not be parted, of each file: a recording, a speaker.
        levels: Each file's loud level: the 95th percentile of its 20 ms RMS, full scale 1.
    """

    samples: NDArray[np.int16]
    starts: NDArray[np.int64]
    labels: NDArray[np.int64]
    names: tuple[str, ...]
    sources: tuple[str, ...]
    splits: tuple[str, ...]
    groups: tuple[str, ...]
    levels: NDArray[np.float32]

    def waveform(self, index: int) -> Samples:
        """One whole file, scaled so that its loud level is 1.

        Args:
            index: File number.

        Returns:
            `(n_samples,)` float32.
        """
        raw = self.samples[self.starts[index] : self.starts[index + 1]]
        return raw.astype(np.float32) / np.float32(32768.0 * self.levels[index])

    def files(self, split: str) -> NDArray[np.int64]:
        """File numbers of one split.

        Args:
            split: `train`, `val` or `test`.

        Returns:
            Increasing file numbers.
        """
        return np.flatnonzero(np.array(self.splits) == split)


def load_corpus(data: Path, cache: Path) -> SoundCorpus:
    """Decode `sounds.csv` of a data folder, or read what an earlier call decoded.

    Args:
        data: Folder that holds `sounds.csv` and the files it names.
        cache: Folder for the decoded samples; made if it is missing.

    Returns:
        The corpus, in the order of the table.
    """
    with (data / "sounds.csv").open(newline="", encoding="utf-8-sig") as table:
        rows = list(csv.DictReader(table))
    path, pool = cache / "sounds.npz", cache / "sounds.npy"
    if not path.exists() or not pool.exists():
        decoded = [_decode(data / row["file"]) for row in rows]
        cache.mkdir(parents=True, exist_ok=True)
        np.save(pool, np.concatenate(decoded))
        np.savez(
            path,
            starts=np.cumsum([0, *map(len, decoded)]),
            levels=np.array([_loud_level(x) for x in decoded], dtype=np.float32),
        )
        logger.info("decoded %d files into %s", len(rows), path)
    with np.load(path) as kept:
        starts, levels = kept["starts"], kept["levels"]
    samples = np.load(pool, mmap_mode="r")  # several processes share one copy
    if len(starts) != len(rows) + 1:
        raise ValueError(f"{path} holds {len(starts) - 1} files, the table {len(rows)}: delete it")
    names = tuple(sorted({row["label"] for row in rows} | {BACKGROUND}))
    return SoundCorpus(
        samples=samples,
        starts=starts,
        labels=np.array([names.index(row["label"]) for row in rows]),
        names=names,
        sources=tuple(row["source"] for row in rows),
        splits=tuple(row["split"] for row in rows),
        groups=tuple(row["group"] for row in rows),
        levels=levels,
    )


def block_levels(waveform: Samples) -> Samples:
    """RMS of each 20 ms block; a rest shorter than a block is left out unless it is all there is.

    Args:
        waveform: `(n_samples,)` float32.

    Returns:
        At least one level, float32.
    """
    n_blocks = max(1, len(waveform) // LEVEL_BLOCK)
    kept = np.zeros(n_blocks * LEVEL_BLOCK, dtype=np.float32)
    kept[: len(waveform)] = waveform[: len(kept)]
    levels: Samples = np.sqrt(np.square(kept.reshape(n_blocks, LEVEL_BLOCK)).mean(axis=1))
    return levels


def loud_level(levels: Samples) -> float:
    """Return the level of the loud blocks of a recording: the 95th percentile.

    Args:
        levels: What `block_levels` gave.
    """
    return float(np.percentile(levels, 95))


def to_unit_power(waveform: Samples) -> Samples:
    """Return a waveform at RMS 1; what is nearly silent (RMS under 1e-6) stays softer."""
    return waveform / np.float32(max(float(np.sqrt(np.square(waveform).mean())), 1e-6))


def _loud_level(samples: NDArray[np.int16]) -> float:
    level = loud_level(block_levels(samples.astype(np.float32) / 32768.0))
    return max(level, SILENT)  # a file of digital silence stays silence


def sound_of(path: Path) -> Samples:
    """Decode a file's sound: mono, 16 kHz, `(n_samples,)` float32 in [-1, 1]."""
    return _decode(path).astype(np.float32) / np.float32(32768.0)


def _decode(path: Path) -> NDArray[np.int16]:
    import av

    with av.open(for_ffmpeg(path)) as container:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
        parts = [
            out.to_ndarray().reshape(-1)
            for frame in container.decode(audio=0)
            for out in resampler.resample(frame)
        ]
        parts += [out.to_ndarray().reshape(-1) for out in resampler.resample(None)]
    return np.concatenate(parts).astype(np.int16) if parts else np.zeros(0, dtype=np.int16)
