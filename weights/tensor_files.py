"""Safetensors files under names of any bytes: the library opens paths that are UTF-8 alone.

Torch and numpy are imported when a function runs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weights.paths import shown

if TYPE_CHECKING:
    import torch

_LENGTH_BYTES = 8  # of the header, which safetensors limits to 100 MB


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file as torch tensors.

    Raises:
        OSError: It cannot be read.
        SafetensorError: It is no such file.
    """
    from safetensors.torch import load, load_file

    # `load_file` maps the file, which spares a copy.
    return load_file(path) if _is_text(path) else load(path.read_bytes())


def read_metadata(path: Path) -> dict[str, str]:
    """Read the texts in the header of a safetensors file that `load_tensors` could read.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        n_bytes = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        texts: dict[str, str] = json.loads(file.read(n_bytes)).get("__metadata__", {})
    return texts


def save_tensors(
    tensors: dict[str, torch.Tensor], path: Path, metadata: dict[str, str] | None = None
) -> None:
    """Write torch tensors, and texts into the header; raises as `save_arrays`.

    The same tensors and texts give the same bytes.
    """
    from safetensors.torch import save, save_file

    if metadata is not None:
        path.write_bytes(_in_order(save(tensors, metadata)))
    elif _is_text(path):
        save_file(tensors, path)
    else:
        path.write_bytes(save(tensors))


def _in_order(content: bytes) -> bytes:
    """Return a file's bytes with its texts sorted: the library writes them in any order."""
    end = _LENGTH_BYTES + int.from_bytes(content[:_LENGTH_BYTES], "little")
    header = json.loads(content[_LENGTH_BYTES:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    told = json.dumps(header, separators=(",", ":")).encode()
    told += b" " * (-len(told) % _LENGTH_BYTES)  # the tensors stay aligned
    return len(told).to_bytes(_LENGTH_BYTES, "little") + told + content[end:]


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
