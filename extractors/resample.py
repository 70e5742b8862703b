"""Sound at any rate to whole seconds at 16 kHz, block by block.

The stream is resampled as one (soxr, HQ), not second by second as the authors do: a second's
edges then know their neighbours, and a file gives what a live stream gives.
docs/lab/2026-11-23-resampling.md has the measured difference. Memory stays at a few blocks, however
long the sound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

import numpy as np
import soxr

from extractors.sample_rate import SAMPLE_RATE as SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUALITY: Final = "HQ"  # soxr's VHQ comes no nearer to the authors' log-mel: docs/design/paper.md


def resample_blocks(
    blocks: Iterable[NDArray[np.float32]], sample_rate: int
) -> Iterator[NDArray[np.float32]]:
    """Resamples a stream to 16 kHz; the resampler's own delay is taken off.

    Args:
        blocks: Mono audio `(n_samples,)` of any length, float32 in [-1, 1].
        sample_rate: Theirs, in hertz.

    Yields:
        Blocks at 16 kHz, float32; some may be empty.

    Raises:
        ValueError: `sample_rate` is not positive.
    """
    if sample_rate <= 0:
        raise ValueError(f"sample_rate must be positive, got {sample_rate}")
    if sample_rate == SAMPLE_RATE:
        yield from blocks
        return
    stream = soxr.ResampleStream(
        sample_rate, SAMPLE_RATE, num_channels=1, dtype="float32", quality=QUALITY
    )
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block, dtype=np.float32))
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)


def whole_seconds(blocks: Iterable[NDArray[np.float32]]) -> Iterator[NDArray[np.float32]]:
    """Cuts a stream at 16 kHz into seconds.

    Args:
        blocks: Mono audio at 16 kHz, blocks of any length.

    Yields:
        Seconds `(16000,)`, float32, each an array of its own; the last one may be shorter.
    """
    second = np.empty(SAMPLE_RATE, np.float32)
    filled = 0
    for block in blocks:
        taken = 0
        while taken < len(block):
            n = min(SAMPLE_RATE - filled, len(block) - taken)
            second[filled : filled + n] = block[taken : taken + n]
            filled, taken = filled + n, taken + n
            if filled == SAMPLE_RATE:
                yield second.copy()
                filled = 0
    if filled:
        yield second[:filled].copy()
