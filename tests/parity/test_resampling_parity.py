"""Against reference/logmel (resampy 0.2.2): one second of 44.1 kHz stereo, soxr here.

Tolerance: 0.1 in log-mel, 0.005 on average; docs/lab/2026-11-23-resampling.md has what other
resamplers give.
"""

from pathlib import Path

import numpy as np
import torch

from extractors.log_mel import LogMel
from extractors.resample import resample_blocks, whole_seconds

_INT16_RANGE = 32768


def test_the_log_mel_of_44_khz_stereo_equals_the_authors() -> None:
    reference = np.load(Path(__file__).parent / "resampling_reference.npz")
    mono = (reference["channel_sum_int32"] / (2 * _INT16_RANGE)).astype(np.float32)

    blocks = resample_blocks(np.array_split(mono, 10), int(reference["sample_rate"]))
    (second,) = whole_seconds(blocks)
    log_mel = LogMel()(torch.from_numpy(second)[None])[0, 0].numpy()

    difference = np.abs(log_mel - reference["log_mel"])
    assert difference.max() <= 0.1
    assert difference.mean() <= 0.005
