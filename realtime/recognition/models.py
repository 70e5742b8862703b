"""A bundle's networks, loaded onto the device and the backend that a run asked for.

Files are verified before (`weights.bundle`), and what computes the trunks is chosen in
`extractors.backends`; its errors become a run's exit codes here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from extractors.backends import choose_device, choose_trunks, share_threads
from extractors.errors import BackendError, OpenVinoError, OpenVinoMissingError
from extractors.sound import make_front_end
from extractors.sound_trunk import FrontEnd
from extractors.trunk_weights import WeightsMismatchError
from extractors.trunks import OpenVinoTrunks, TorchTrunks, Trunks
from mafnet.load import load_head
from mafnet.model import MAFnet
from realtime.errors import ModelError, UsageError
from realtime.recognition.head_backend import Convolve, openvino_convolutions
from weights.bundle import Bundle, BundleError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Models:
    """A bundle's networks on their device, ready to run; `convolve` is for the head."""

    trunks: Trunks
    front_end: FrontEnd
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
        front_end=make_front_end(bundle.audio.trunk).to(where),
        head=head.to(where).eval(),
        device=where,
        convolve=convolve,
    )
