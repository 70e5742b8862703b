"""Features as they arrive: frames and seconds of sound through the bundle's trunks, once each.

Refuses to know time or windows: arrays in, tensors out. Everything runs under
`torch.inference_mode()` on one device, chosen when the networks were loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from extractors.backends import choose_device, choose_trunks, share_threads
from extractors.errors import BackendError, OpenVinoError, OpenVinoMissingError
from extractors.log_mel import LogMel
from extractors.sound import SOUND_TRUNKS
from extractors.trunk_weights import WeightsMismatchError
from extractors.trunks import OpenVinoTrunks, TorchTrunks, Trunks
from mafnet.load import load_head
from mafnet.model import MAFnet
from realtime.errors import ModelError, UsageError
from realtime.recognition.head_backend import Convolve, openvino_convolutions
from weights.bundle import Bundle, BundleError

MAX_BATCH = 32  # frames handed to the trunk at once; a live stream brings hop x 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Models:
    """A bundle's networks on their device, ready to run; `convolve` is for the head."""

    trunks: Trunks
    log_mel: LogMel
    head: MAFnet
    device: torch.device
    convolve: Convolve | None = None

    def describe(self) -> str:
        """Say what runs the trunks, where and how precisely, for people."""
        return self.trunks.describe()


def load_models(
    bundle: Bundle,
    device: str = "auto",
    precision: str = "auto",
    backend: str = "torch",
    home: Path | None = None,
) -> Models:
    """Build a bundle's networks from its verified files; settles torch's number of threads.

    Args:
        bundle: What `weights.bundle.load_bundle` gave.
        device: One of `backend_flags.DEVICES`; OpenVINO runs on the CPU alone.
        precision: One of `backend_flags.PRECISIONS`; of the trunks and, on OpenVINO, of the
            head's convolutions.
        backend: One of `backend_flags.BACKENDS`.
        home: The store, for graphs and times; None keeps nothing and wants torch.

    Raises:
        UsageError: The device, the precision or the backend is not to be had.
        ModelError: A file does not fit, or the backend computes something else.
    """
    if backend == "openvino" and device == "auto":
        device = "cpu"
    share_threads(trunks_in_torch=True)  # for the timing of backends
    try:
        where = choose_device(device)
        head = load_head(bundle)
        trunks = choose_trunks(bundle, where, precision, backend, home)
        convolve = None
        if isinstance(trunks, OpenVinoTrunks) and home is not None:
            convolve = openvino_convolutions(head, bundle.head.sha256, trunks.precision, home)
    except (BackendError, OpenVinoMissingError) as error:
        raise UsageError(str(error)) from error
    except OpenVinoError as error:
        raise ModelError(str(error)) from error
    except (BundleError, WeightsMismatchError, ValueError) as error:
        raise ModelError(f"bundle {bundle.name}: {error}") from error
    share_threads(trunks_in_torch=isinstance(trunks, TorchTrunks))
    return Models(
        trunks=trunks,
        log_mel=LogMel(SOUND_TRUNKS[bundle.audio.trunk].log_offset).to(where).eval(),
        head=head.to(where).eval(),
        device=where,
        convolve=convolve,
    )


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
        log_mel = self._models.log_mel(seconds)  # (n, 1, 96, 64), always float32
        return self._models.trunks.encode_log_mel(log_mel)
