"""What computes and how precisely: a device, mixed precision, threads that load batches ahead.

float32 is float32 everywhere: what a GPU would round to TensorFloat-32 unasked is not rounded. In
mixed precision weights, moments, statistics and losses stay float32; only what torch's autocast
names is computed in 16 bits (Micikevicius et al. 2018, "Mixed Precision Training").
"""

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim import Optimizer

from mafnet.errors import MafnetError
from mafnet.processes import ALONE, Processes
from weights.devices import DEVICE_HELP, DeviceError, find_device

Precision = Literal["float32", "bfloat16", "float16"]
PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "float16")
_CPU = torch.device("cpu")
_GPU_WORKERS = 2  # a GPU's step is shorter than the gathering of a batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Compute:
    """Where a run computes.

    Attributes:
        device: Of the network and its batches.
        precision: Of the forward pass in training; validation and tests are always float32.
        n_workers: Threads that load batches ahead; 0 loads between two steps. Batches and their
            order are the same.
        processes: Who else trains the same network.
    """

    device: torch.device = _CPU
    precision: Precision = "float32"
    n_workers: int = 0
    processes: Processes = ALONE

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {PRECISIONS}, got {self.precision!r}")
        if self.n_workers < 0:
            raise ValueError(f"--workers must be at least 0, got {self.n_workers}")


def add_device_flags(parser: argparse.ArgumentParser, *, trains: bool) -> None:
    """Add the flags that `chosen_compute` reads; `--precision` only where something is trained."""
    parser.add_argument(
        "--device", default="cpu", help=f"what computes: {DEVICE_HELP} (default: cpu)"
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help=f"threads that load batches ahead (default: 0 on a CPU, else {_GPU_WORKERS})",
    )
    if trains:
        parser.add_argument(
            "--precision",
            choices=PRECISIONS,
            default="float32",
            help="of training's forward pass; 16 bits are mixed precision",
        )


def chosen_compute(options: argparse.Namespace) -> Compute:
    """Read the flags of `add_device_flags`.

    Raises:
        MafnetError: The device is not here, or it cannot compute so.
        ValueError: A number is out of range.
    """
    try:
        device = find_device(options.device)
    except DeviceError as error:
        raise MafnetError(str(error)) from error
    precision: Precision = getattr(options, "precision", PRECISIONS[0])
    check_precision(device, precision)
    n_workers = options.workers
    if n_workers is None:
        n_workers = 0 if device.type == "cpu" else _GPU_WORKERS
    return Compute(device=device, precision=precision, n_workers=n_workers)


def check_precision(device: torch.device, precision: Precision) -> None:
    """Say whether a device trains in a precision.

    Raises:
        MafnetError: It does not.
    """
    if precision == "float32":
        return
    if device.type == "mps":
        raise MafnetError("--device mps trains in float32 alone: leave --precision out")
    if precision == "float16" and device.type != "cuda":
        raise MafnetError("float16 is for CUDA: use --precision bfloat16 or float32 on a CPU")
    if device.type == "cuda" and precision == "bfloat16" and not torch.cuda.is_bf16_supported():
        raise MafnetError("this GPU has no bfloat16: use --precision float16 or float32")


class MixedPrecision:
    """Autocast around a forward pass, and gradients scaled where float16 would lose them.

    In float32 it is nothing but ``loss.backward()`` and ``optimiser.step()``.

    Args:
        device_type: "cpu", "cuda" or "mps".
        precision: Of the forward pass.
    """

    def __init__(self, device_type: str = "cpu", precision: Precision = "float32") -> None:
        self._device_type = device_type
        self._dtype = getattr(torch, precision)
        self._scaler = torch.amp.GradScaler(device_type) if precision == "float16" else None
        if device_type == "cuda" and precision == "float32":
            torch.backends.cudnn.allow_tf32 = False

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context of a forward pass."""
        if self._dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self._device_type, self._dtype)

    def step(
        self, loss: Tensor, optimiser: Optimizer, clip: Callable[[], object] | None = None
    ) -> None:
        """Go back from a loss and step; where scaled gradients overflowed the step is left out.

        Args:
            loss: float32.
            optimiser: Of the parameters that the loss depends on.
            clip: Limits the gradients, unscaled, before the step.
        """
        if self._scaler is None:
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            if clip is not None:
                clip()
            optimiser.step()
            return
        scaled = self._scaler.scale(loss)
        scaled.backward()  # type: ignore[no-untyped-call]
        if clip is not None:
            self._scaler.unscale_(optimiser)
            clip()
        self._scaler.step(optimiser)
        self._scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """Return the scale and its count; empty without a scaler."""
        return {} if self._scaler is None else self._scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up what `state_dict` returned."""
        if self._scaler is not None:
            self._scaler.load_state_dict(state)
