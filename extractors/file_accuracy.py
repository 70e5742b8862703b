"""How many whole sound files a classifier of seconds names right.

Place in the flow: beside training, on files that it never saw.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from extractors.log_mel import SAMPLE_RATE, LogMel
from extractors.sound_corpus import SoundCorpus, block_levels

N_EVALUATION_CLIPS = 3  # the loudest seconds of a file


def loudest_clips(corpus: SoundCorpus, index: int, n_most: int) -> NDArray[np.float32]:
    """The loudest seconds of a file that do not overlap, at an ordinary level.

    Args:
        corpus: Where the file is.
        index: Its number.
        n_most: How many seconds at most.

    Returns:
        `(n, 16000)` float32, RMS of the loud parts at 0.1; a short file is padded with zeros.
    """
    wave = corpus.waveform(index) * 0.1
    seconds = [
        np.pad(part, (0, SAMPLE_RATE - len(part)))
        for part in np.split(wave, range(SAMPLE_RATE, max(len(wave), 1), SAMPLE_RATE))
        if len(part) >= SAMPLE_RATE // 4 or len(wave) < SAMPLE_RATE
    ]
    seconds.sort(key=lambda part: -float(np.sort(block_levels(part))[-10:].mean()))
    clips: NDArray[np.float32] = np.clip(np.stack(seconds[:n_most]), -1, 1).astype(np.float32)
    return clips


@torch.inference_mode()
def files_right(
    model: nn.Module, corpus: SoundCorpus, files: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Tell which files are named right by the mean probability over their loudest seconds.

    Args:
        model: Log-mel to logits, in evaluation mode.
        corpus: The sounds.
        files: Numbers of the files that are asked about, at least one.

    Returns:
        `(len(files),)`.
    """
    log_mel = LogMel()
    clips = [loudest_clips(corpus, int(index), N_EVALUATION_CLIPS) for index in files]
    owner = np.repeat(np.arange(len(files)), [len(c) for c in clips])
    waves = torch.from_numpy(np.concatenate(clips))
    probabilities = torch.cat(
        [model(log_mel(part)).float().softmax(dim=1) for part in torch.split(waves, 64)]
    )
    summed = torch.zeros(len(files), probabilities.shape[1])
    summed.index_add_(0, torch.from_numpy(owner), probabilities)
    right: NDArray[np.bool_] = summed.argmax(dim=1).numpy() == corpus.labels[files]
    return right


def file_accuracy(
    model: nn.Module, corpus: SoundCorpus, split: str
) -> tuple[float, dict[str, float]]:
    """Share of files whose mean probability over their loudest seconds names their label.

    Args:
        model: Log-mel to logits, in evaluation mode.
        corpus: The sounds.
        split: Which split.

    Returns:
        The share over all files, and per label.
    """
    files = corpus.files(split)
    return share_right(corpus, files, files_right(model, corpus, files))


def share_right(
    corpus: SoundCorpus, files: NDArray[np.int64], right: NDArray[np.bool_]
) -> tuple[float, dict[str, float]]:
    """Share of files that are named right.

    Args:
        corpus: The sounds.
        files: Numbers of the files, at least one.
        right: Which of them, in the same order.

    Returns:
        The share over all files, and per label.
    """
    labels = corpus.labels[files]
    per_label = {
        corpus.names[label]: float(right[labels == label].mean()) for label in np.unique(labels)
    }
    return float(right.mean()), per_label


def right_by_source(
    corpus: SoundCorpus, files: NDArray[np.int64], right: NDArray[np.bool_]
) -> dict[str, list[int]]:
    """Count files that are named right, label by label and source by source.

    Args:
        corpus: The sounds.
        files: Numbers of the files.
        right: Which of them, in the same order.

    Returns:
        Files named right and files, by `label, source`.
    """
    counts: dict[str, list[int]] = {}
    for index, is_right in zip(files, right, strict=True):
        key = f"{corpus.names[corpus.labels[index]]}, {corpus.sources[index]}"
        row = counts.setdefault(key, [0, 0])
        row[0] += int(is_right)
        row[1] += 1
    return dict(sorted(counts.items()))
