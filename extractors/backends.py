"""Which backend runs the trunks: the one that was asked for, or the best that computes the same.

For a live run `auto` measures each backend once per machine and bundle (`extractors.backend_times`)
and takes the fastest; for files OpenVINO goes first, and what it computes is compared each time.
Either way features lie within their tolerance of torch's in float32. Where OpenVINO is not
installed, or the run is not on a CPU, it takes torch and says nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch

from extractors.backend_flags import BACKENDS, PRECISIONS
from extractors.backend_times import Candidate, timed, times_file
from extractors.errors import BackendError, OpenVinoError, OpenVinoMissingError
from extractors.openvino_graphs import PIP_COMMAND, installed_version
from extractors.openvino_trunks import (
    Precision,
    computes_bfloat16,
    load_picture_trunk,
    load_sound_trunk,
)
from extractors.tolerances import tolerance
from extractors.trunks import (
    OpenVinoTrunks,
    TorchTrunks,
    Trunks,
    TrunkSpecs,
    asked,
    check_shapes,
    distance,
    inputs_of,
    load_torch_trunks,
)
from weights.bundle_spec import Bundle
from weights.devices import DeviceError, find_device

logger = logging.getLogger(__name__)

# Depthwise convolutions (EfficientNet) and one second of sound gain nothing from bfloat16 in torch:
# 38 ms against 33 for four frames, 13 against 8 a second of sound (two AVX-512 BF16 cores).
FASTER_IN_BFLOAT16 = ("densenet201",)
# As the processor, or OMP_NUM_THREADS, gave them: read before `share_threads` may lower them.
N_THREADS = torch.get_num_threads()


def choose_device(name: str) -> torch.device:
    """Turn `--device` into a torch device; `auto` is the fastest that torch finds here.

    Raises:
        BackendError: There is no such device here.
    """
    try:
        return find_device(name)
    except DeviceError as error:
        raise BackendError(str(error)) from error


def share_threads(*, trunks_in_torch: bool) -> None:
    """Give torch all threads for the trunks, or one where another backend has the cores.

    What is left to torch beside OpenVINO is small, and its waiting threads would keep OpenVINO's
    off their cores: `benchmarks/step_parts.py --threads 1` against `--threads 2`.
    """
    torch.set_num_threads(N_THREADS if trunks_in_torch else 1)


def choose_trunks(
    specs: TrunkSpecs | Bundle,
    device: torch.device,
    precision: str,
    backend: str,
    home: Path | None,
    *,
    live: bool = True,
) -> Trunks:
    """Load trunks onto the backend that `--backend` means here.

    Args:
        specs: Verified files.
        device: Where torch runs.
        precision: One of `PRECISIONS`.
        backend: One of `BACKENDS`.
        home: The store, for graphs and times; None keeps nothing and wants torch.
        live: Whether `auto` is the fastest at a live hop, rather than OpenVINO where it fits.

    Raises:
        BackendError: They contradict one another.
        OpenVinoMissingError: OpenVINO is wanted and not here.
        OpenVinoError: It computes something else here, or cannot run the trunks.
        extractors.trunk_weights.WeightsMismatchError: A file does not fit.
        ValueError: There is no such trunk.
    """
    _check("precision", precision, PRECISIONS)
    _check("backend", backend, BACKENDS)
    check_shapes(specs)
    exact = cache(partial(load_torch_trunks, specs, device))  # not at all where a graph is kept
    fits = home is not None and device.type == "cpu" and installed_version() is not None
    if backend == "torch" or (backend == "auto" and not fits):
        return _with_precision(exact(), precision, specs)
    if home is None:
        raise ValueError("the backend openvino wants a store")
    if device.type != "cpu":
        raise BackendError(
            f"--backend openvino runs on the CPU, --device {device.type} was asked for: "
            "leave one of the two out"
        )
    if installed_version() is None:
        raise OpenVinoMissingError(
            "--backend openvino wants the package openvino, which is not installed: "
            f"{PIP_COMMAND}, or use --backend auto or torch"
        )
    try:
        return _fastest(specs, precision, backend, home, exact, live)
    except OpenVinoError as error:
        if backend == "openvino":
            raise OpenVinoError(f"{error}; use --backend torch") from error
        logger.warning("%s; torch runs the trunks", error)
        return _with_precision(exact(), precision, specs)


def _fastest(
    specs: TrunkSpecs | Bundle,
    precision: str,
    backend: str,
    home: Path,
    exact: Callable[[], TorchTrunks],
    live: bool,
) -> Trunks:
    """Return the fastest backend within its tolerance; of OpenVINO's if it was asked for."""
    known = ("float32", "bfloat16") if computes_bfloat16() else ("float32",)
    kinds = [kind for kind in known if precision in ("auto", kind)]
    if not kinds and backend == "openvino":
        raise BackendError(
            f"--precision {precision} with --backend openvino: this processor computes "
            "float32 there; use --precision float32, or --backend torch"
        )
    makers: dict[str, Callable[[], Trunks]] = {  # what was loaded to be timed is not loaded again
        f"openvino {kind}": cache(partial(_openvino_trunks, specs, kind, exact, home))
        for kind in kinds
    }
    seen, heard = _names(specs)
    inputs = inputs_of(specs)
    if live or not kinds:
        makers = {"torch": cache(lambda: _with_precision(exact(), precision, specs)), **makers}
        file = times_file(home, specs, precision, tuple(makers), N_THREADS)
        measured = timed(file, makers, exact, inputs)
    else:
        away = {n: distance(exact(), make(), inputs) for n, make in makers.items()}
        measured = {n: Candidate(name=n, ms=0.0, distance=each) for n, each in away.items()}
    fits = {
        name: each
        for name, each in measured.items()
        if name == "torch" or each.distance.is_within(seen, heard, name.split()[-1])
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


def _openvino_trunks(
    specs: TrunkSpecs | Bundle, kind: str, exact: Callable[[], TorchTrunks], home: Path
) -> OpenVinoTrunks:
    """Load the trunks onto OpenVINO, from kept graphs where there are."""
    precision: Precision = "bfloat16" if kind == "bfloat16" else "float32"
    how = (precision, N_THREADS, home)
    visual = sound = None
    if (seen := specs.visual) is not None:
        visual = load_picture_trunk(seen.trunk, seen.sha256, lambda: asked(exact().visual), *how)
    if (heard := specs.audio) is not None:
        sound = load_sound_trunk(heard.trunk, heard.sha256, lambda: asked(exact().sound), *how)
    return OpenVinoTrunks(visual=visual, sound=sound, precision=precision)


def _with_precision(trunks: TorchTrunks, precision: str, specs: TrunkSpecs | Bundle) -> TorchTrunks:
    """Let trunks that torch runs in float32 run at `precision`.

    `auto` is float16 on CUDA, bfloat16 for `FASTER_IN_BFLOAT16` on a CPU that computes it in
    hardware, each only if it stays within its tolerance; float32 elsewhere.
    """
    if precision == "float32":
        return trunks
    if precision != "auto":
        wanted = getattr(torch, precision)
        return replace(trunks, precision=wanted, sound_precision=wanted)
    name, heard = _names(specs)
    if trunks.device.type == "cuda":
        half = replace(trunks, precision=torch.float16, sound_precision=torch.float16)
    elif trunks.device.type == "cpu" and name in FASTER_IN_BFLOAT16 and _cpu_computes_bfloat16():
        half = replace(trunks, precision=torch.bfloat16)
    else:
        return trunks
    kind = str(half.precision).removeprefix("torch.")
    away = distance(trunks, half, inputs_of(specs))
    if away.is_within(name, heard, kind):  # as it is not where half overflows to NaN
        return half
    allowed = f"{tolerance(name, kind):.3f} and {tolerance(heard, kind):.3f}"
    logger.info(
        "float32 trunks: in %s features are %.3f and %.3f away, tolerances %s", kind, *away, allowed
    )
    return trunks


def _names(specs: TrunkSpecs | Bundle) -> tuple[str, str]:
    """Return both trunks' names, "" for none."""
    seen = "" if specs.visual is None else specs.visual.trunk
    heard = "" if specs.audio is None else specs.audio.trunk
    return seen, heard


def _cpu_computes_bfloat16() -> bool:
    # mkldnn also emulates bfloat16 on older processors, slower than float32: ask for the units.
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def _check(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise BackendError(f"--{name} is one of {', '.join(known)}, got {value!r}")
