"""Features as they arrive: frames and seconds of sound through the bundle's trunks, once each.

Refuses to know time or windows: arrays in, tensors out. Everything runs under
`torch.inference_mode()` on one device, chosen when the networks were loaded.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from realtime.recognition.models import Models

MAX_BATCH = 32  # frames handed to the trunk at once; a live stream brings hop x 16


class FeatureExtractor:
    """Runs the trunks; one thread calls it."""

    def __init__(self, models: Models) -> None:
        self._models = models
        self._batch: NDArray[np.uint8] | None = None  # made at the first frame, of its size

    @torch.inference_mode()
    def encode_frames(self, images: Sequence[NDArray[np.uint8]]) -> Tensor:
        """Return pooled features `(n, D)` float32 of up to `MAX_BATCH` resized frames."""
        if self._batch is None:
            self._batch = np.empty((MAX_BATCH, *images[0].shape), np.uint8)
        batch = np.stack(images, out=self._batch[: len(images)])
        return self._models.trunks.encode_pictures(batch)

    @torch.inference_mode()
    def encode_sounds(self, waveforms: Sequence[NDArray[np.float32]]) -> Tensor:
        """Return sound maps `(n, C, H, W)` float32 of seconds, each `(16000,)` in [-1, 1]."""
        joined = waveforms[0][None] if len(waveforms) == 1 else np.stack(waveforms)
        seconds = torch.from_numpy(joined).to(self._models.device)
        log_mel = self._models.front_end(seconds)  # (n, *front_end.shape), always float32
        return self._models.trunks.encode_log_mel(log_mel)
