"""The mean of a sound map of each second: what teaching's rows read."""

import numpy as np
import torch
from numpy.typing import NDArray

from extractors.log_mel import SAMPLE_RATE
from extractors.openvino_graphs import convert
from extractors.openvino_trunks import OpenVinoTrunk
from extractors.yamnet import YAMNetLogMel
from research.yamnet_parts import load_yamnet
from weights.bundle import Bundle

N_BATCH = 64
Array = NDArray[np.float32]


class Ear:
    """A bundle's sound trunk, and the mean of its maps; one thread."""

    def __init__(self, bundle: Bundle) -> None:
        trunk = load_yamnet(bundle.audio.weights)
        self._log_mel = YAMNetLogMel()
        self._network = OpenVinoTrunk(convert(trunk, (1, 96, 64)), "float32", 1)

    @torch.inference_mode()
    def means(self, seconds: Array) -> Array:
        """Map seconds `(n, 16000)` to `(n, 1024)`."""
        parts = []
        for k in range(0, len(seconds), N_BATCH):
            batch = torch.from_numpy(np.ascontiguousarray(seconds[k : k + N_BATCH]))
            parts.append(self._network.encode(self._log_mel(batch).numpy()).mean(axis=(2, 3)))
        return np.concatenate(parts)


def hops(wave: Array, step: int = SAMPLE_RATE // 4) -> Array:
    """Cut seconds, one each `step` samples; a shorter file is padded."""
    wave = np.pad(wave, (0, max(0, SAMPLE_RATE - len(wave))))
    return np.lib.stride_tricks.sliding_window_view(wave, SAMPLE_RATE)[::step]
