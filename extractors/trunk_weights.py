"""Reading a trunk's weights file: names and shapes strict, nothing in it ever executed.

Serves the picture and the sound trunks. It does not fetch, hash or convert: paths come from
`weights`, already checked.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError

from weights.errors import ConvertError
from weights.tensor_files import load_tensors
from weights.torch_file import TorchFile


class WeightsMismatchError(Exception):
    """A weights file cannot be read, or does not fit the trunk; the message says where."""


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file, or a torch file of tensors alone, which become float32.

    Raises:
        WeightsMismatchError: The file cannot be read or holds something else.
    """
    try:
        if path.suffix == ".safetensors":
            return load_tensors(path)
        path.stat()
        file = TorchFile(path)
        return {name: torch.from_numpy(file.read(name)) for name in file.shapes()}
    except OSError as error:
        raise WeightsMismatchError(
            f"cannot read the weights {path}: {error.strerror or error}"
        ) from error
    except (SafetensorError, ConvertError) as error:
        raise WeightsMismatchError(
            f"{path} is not a readable weights file (safetensors, or a torch file of tensors); "
            "convert other formats with `python -m weights convert`"
        ) from error


def check_fit(
    tensors: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], path: Path
) -> None:
    """Compare names and shapes with a trunk's state; a step counter may be left out.

    Raises:
        WeightsMismatchError: The first difference, by name.
    """
    # A batch norm's step counter says nothing at inference; converted files may leave it out.
    for name, tensor in wanted.items():
        if name.endswith("num_batches_tracked"):
            tensors.setdefault(name, tensor)
    missing = [name for name in wanted if name not in tensors]
    unknown = [name for name in tensors if name not in wanted]
    if missing or unknown:
        raise WeightsMismatchError(
            f"{path} does not fit: {len(missing)} tensors missing (first: "
            f"{missing[0] if missing else 'none'}), {len(unknown)} unknown (first: "
            f"{unknown[0] if unknown else 'none'})"
        )
    for name, tensor in tensors.items():
        if tensor.shape != wanted[name].shape:
            raise WeightsMismatchError(
                f"{path}: {name} has shape {tuple(tensor.shape)}, "
                f"{tuple(wanted[name].shape)} wanted"
            )
