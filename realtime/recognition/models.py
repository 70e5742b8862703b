"""A bundle's networks, loaded onto the device and the backend that a run asked for.

Files are verified before (`weights.bundle`), and what computes the trunks is chosen in
`extractors.backends`; its errors become a run's exit codes here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
from weights.bundle import AudioSpec, Bundle, BundleError, VisualSpec

_AFTER_CODES = ("head.", "head_norm.", "evidence.")  # what differs where only labels do


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


def with_head_of(models: Models, before: Bundle, bundle: Bundle) -> Models:
    """Load another bundle's head beside the trunks that run.

    Args:
        models: In use; they stay as they are.
        before: Their bundle.
        bundle: What `weights.bundle.load_bundle` gave.

    Raises:
        ModelError: It has other trunks, its file does not fit, or it answers nothing sensible.
    """
    for what, ours, theirs in (
        ("picture trunk", _trunk(before.visual), _trunk(bundle.visual)),
        ("sound trunk", _trunk(before.audio), _trunk(bundle.audio)),
        ("pictures a second", before.visual.grid_hz, bundle.visual.grid_hz),
        ("sample rate", before.sample_rate, bundle.sample_rate),
        ("activation", before.activation, bundle.activation),
        ("evidence", before.head.evidence is None, bundle.head.evidence is None),
    ):
        if ours != theirs:
            raise ModelError(
                f"the bundle {bundle.name} {bundle.version} has another {what} than the one in "
                "use: start the program with it anew"
            )
    try:
        head = load_head(bundle).to(models.device).eval()
    except (BundleError, ValueError) as error:
        raise ModelError(f"bundle {bundle.name}: {error}") from error
    _try(head, models.device)
    is_same = _are_equal(models.head.filmed_block.state_dict(), head.filmed_block.state_dict())
    return replace(models, head=head, convolve=models.convolve if is_same else None)


@torch.inference_mode()
def _try(head: MAFnet, device: torch.device) -> None:
    """Ask a head once; raises ModelError where what it says is no number."""
    config = head.config
    visual = torch.zeros(1, 1, config.visual_dim, device=device)
    logits = head(visual, torch.zeros(1, 1, *config.sound_map, device=device)).logits
    if not bool(torch.isfinite(logits).all()):
        raise ModelError("the new bundle's head answers what is no number: its file is damaged")


def have_same_codes(one: MAFnet, other: MAFnet) -> bool:
    """Tell whether two heads make the same codes of clips, but for the evidence."""
    parts = [
        {k: v for k, v in each.state_dict().items() if not k.startswith(_AFTER_CODES)}
        for each in (one, other)
    ]
    return one.config.film == other.config.film and _are_equal(*parts)


def _are_equal(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def _trunk(spec: VisualSpec | AudioSpec) -> tuple[str, str]:
    return spec.trunk, spec.sha256


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
