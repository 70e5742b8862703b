"""Safetensors files under names of any bytes: the library opens paths that are UTF-8 alone.

Torch and numpy are imported when a function runs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from weights.paths import shown

if TYPE_CHECKING:
    import torch


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file as torch tensors.

    Raises:
        OSError: It cannot be read.
        SafetensorError: It is no such file.
    """
    from safetensors.torch import load, load_file

    # `load_file` maps the file, which spares a copy.
    return load_file(path) if _is_text(path) else load(path.read_bytes())


def save_tensors(tensors: dict[str, torch.Tensor], path: Path) -> None:
    """Write torch tensors; raises as `save_arrays`."""
    from safetensors.torch import save, save_file

    if _is_text(path):
        save_file(tensors, path)
    else:
        path.write_bytes(save(tensors))


def save_arrays(arrays: dict[str, Any], path: Path) -> None:
    """Write numpy arrays.

    Raises:
        OSError: It cannot be written.
        SafetensorError: Likewise.
    """
    from safetensors.numpy import save, save_file

    if _is_text(path):
        save_file(arrays, path)
    else:
        path.write_bytes(save(arrays))


def _is_text(path: Path) -> bool:
    return shown(str(path)) == str(path)
