"""Which backend runs the trunks: the one that was asked for, or the fastest that computes the same.

`auto` measures each backend once per machine and bundle (`realtime.recognition.calibration`) and
takes the fastest whose features lie within its tolerance of torch's in float32. Where OpenVINO is
not installed, or the run is not on a CPU, it takes torch and says nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from extractors.errors import OpenVinoError
from extractors.frame_transform import TRANSFORMS
from extractors.openvino_graphs import PIP_COMMAND, installed_version
from extractors.openvino_trunks import (
    Precision,
    computes_bfloat16,
    load_picture_trunk,
    load_sound_trunk,
)
from realtime.errors import ModelError, UsageError
from realtime.recognition.calibration import calibrated, calibration_file
from realtime.recognition.torch_backend import (
    N_THREADS,
    PRECISIONS,
    load_torch_trunks,
    with_precision,
)
from realtime.recognition.trunks import OpenVinoTrunks, TorchTrunks, Trunks
from weights.bundle import Bundle

logger = logging.getLogger(__name__)

BACKENDS = ("auto", "torch", "openvino")

TorchTrunksSource = Callable[[], TorchTrunks]


class _OpenVinoFactory:
    """Makes a bundle's OpenVINO trunks in any precision, from kept graphs where it can."""

    def __init__(self, bundle: Bundle, exact: TorchTrunksSource, home: Path) -> None:
        self._bundle = bundle
        self._exact = exact
        self._home = home

    def trunks(self, kind: str) -> OpenVinoTrunks:
        precision: Precision = "bfloat16" if kind == "bfloat16" else "float32"
        seen, heard = self._bundle.visual, self._bundle.audio
        how = (precision, N_THREADS, self._home)
        return OpenVinoTrunks(
            visual=load_picture_trunk(seen.trunk, seen.sha256, lambda: self._exact().visual, *how),
            sound=load_sound_trunk(heard.trunk, heard.sha256, lambda: self._exact().sound, *how),
            precision=precision,
        )


def choose_trunks(
    bundle: Bundle, device: torch.device, precision: str, backend: str, home: Path | None
) -> Trunks:
    """Load a bundle's trunks onto the backend that `--backend` means here.

    Args:
        bundle: Verified.
        device: Where torch runs.
        precision: One of `torch_backend.PRECISIONS`.
        backend: One of `BACKENDS`.
        home: The store, for graphs and calibrations; None keeps nothing and wants torch.

    Raises:
        UsageError: They contradict one another, or OpenVINO is wanted and not here.
        ModelError: OpenVINO computes something else here, or cannot run the trunks.
        extractors.trunk_weights.WeightsMismatchError: A file does not fit.
        ValueError: There is no such trunk.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"--precision is one of {', '.join(PRECISIONS)}, got {precision!r}")
    if backend not in BACKENDS:
        raise UsageError(f"--backend is one of {', '.join(BACKENDS)}, got {backend!r}")
    exact = cache(partial(load_torch_trunks, bundle, device))  # not at all where a graph is kept
    fits = home is not None and device.type == "cpu" and installed_version() is not None
    if backend == "torch" or (backend == "auto" and not fits):
        return with_precision(exact(), precision, bundle)
    if home is None:
        raise ValueError("the backend openvino wants a store")
    if device.type != "cpu":
        raise UsageError(
            f"--backend openvino runs on the CPU, --device {device.type} was asked for: "
            "leave one of the two out"
        )
    if installed_version() is None:
        raise UsageError(
            "--backend openvino wants the package openvino, which is not installed: "
            f"{PIP_COMMAND}, or use --backend auto or torch"
        )
    factory = _OpenVinoFactory(bundle, exact, home)
    try:
        return _fastest(bundle, precision, backend, home, exact, factory)
    except OpenVinoError as error:
        if backend == "openvino":
            raise ModelError(f"{error}; use --backend torch") from error
        logger.warning("%s; torch runs the trunks", error)
        return with_precision(exact(), precision, bundle)


def _fastest(
    bundle: Bundle,
    precision: str,
    backend: str,
    home: Path,
    exact: TorchTrunksSource,
    factory: _OpenVinoFactory,
) -> Trunks:
    """Return the fastest backend within its tolerance; of OpenVINO's if it was asked for."""
    wanted = _openvino_precisions(precision)
    if backend == "openvino" and not wanted:
        raise UsageError(
            f"--precision {precision} with --backend openvino: this processor computes "
            "float32 there; use --precision auto, or --backend torch"
        )
    makers: dict[str, Callable[[], Trunks]] = {  # what was loaded to be timed is not loaded again
        "torch": cache(lambda: with_precision(exact(), precision, bundle)),
        **{f"openvino {kind}": cache(partial(factory.trunks, kind)) for kind in wanted},
    }
    size = TRANSFORMS[bundle.visual.trunk].size
    file = calibration_file(home, bundle, precision, tuple(makers))
    measured = calibrated(file, makers, exact, size)
    fits = {
        name: each
        for name, each in measured.items()
        if name == "torch"
        or each.distance.is_within(bundle.visual.trunk, bundle.audio.trunk, name.split()[-1])
    }
    if backend == "openvino":
        fits.pop("torch", None)
        if not fits:
            raise OpenVinoError(
                "OpenVINO's features lie too far from torch's here: "
                + ", ".join(
                    f"{np.max(each.distance):.2g} ({each.name})"  # keeps a NaN, as max() may not
                    for each in measured.values()
                    if each.name != "torch"
                )
            )
    return makers[min(fits.values(), key=lambda each: each.ms).name]()


def _openvino_precisions(precision: str) -> tuple[str, ...]:
    """Return what OpenVINO may compute in, exact first; bfloat16 only where the CPU has it."""
    known = ("float32", "bfloat16") if computes_bfloat16() else ("float32",)
    return tuple(kind for kind in known if precision in ("auto", kind))
