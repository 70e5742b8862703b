"""Where torch computes: the device that a `--device` flag means on this machine.

torch is imported when a function runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch

_FASTEST_FIRST: Final = ("cuda", "mps", "cpu")
DEVICE_HELP: Final = "auto, cpu, cuda, cuda:N or mps"


class DeviceError(Exception):
    """The device that was asked for is not here, or no such device exists."""


def find_device(name: str) -> torch.device:
    """Turn `--device` into a torch device; `auto` is the fastest that torch finds here.

    Args:
        name: One of `DEVICE_HELP`.

    Raises:
        DeviceError: There is no such device here, or it cannot be used.
    """
    import torch

    kind, colon, number = name.partition(":")
    if kind not in ("auto", *_FASTEST_FIRST) or (
        colon and (kind != "cuda" or not number.isdecimal())
    ):
        raise DeviceError(f"--device must be {DEVICE_HELP}, got {name!r}")
    n_of = {
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
        "cpu": 1,
    }
    if kind == "auto":
        name = kind = next(each for each in _FASTEST_FIRST if n_of[each])
    if not n_of[kind]:
        raise DeviceError(
            f"--device {name} was asked for, but this torch ({torch.__version__}) finds none here; "
            "use --device auto or cpu"
        )
    if colon and int(number) >= n_of[kind]:
        raise DeviceError(f"--device {name}: there are {n_of[kind]} here, counted from cuda:0")
    device = torch.device(name)
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:  # torch has no type for a dead device
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DeviceError(f"cannot use the device {name} ({reason}); use --device cpu") from error
    return device
