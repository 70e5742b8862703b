"""Opening foreign weights files safely: TensorFlow checkpoints, Keras .h5, torch .pth.

A file's kind is told by its first bytes, not by its name. Nothing is executed: .pth is read with
``weights_only=True``, which refuses every object but tensors and plain containers.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from weights.errors import ConvertError
from weights.layouts import Origin, Shape
from weights.tf_checkpoint import TensorFlowCheckpoint

_HDF5 = b"\x89HDF\r\n\x1a\n"
_SINGLE_FILES = (".h5", ".hdf5", ".keras", ".pth", ".pt", ".safetensors")
_TABLE = bytes.fromhex("57fb808b247547db")  # the end of a LevelDB table
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"


class Variables(Protocol):
    """Named arrays of a file, read one by one."""

    def shapes(self) -> dict[str, Shape]:
        """List all names with their shapes."""

    def read(self, name: str) -> NDArray[np.float32]:
        """Read one as float32."""


def open_foreign(path: Path) -> tuple[Origin, Variables]:
    """Open a weights file of any kind that `weights.layouts` knows.

    Raises:
        ConvertError: It is missing, damaged, or of no known kind.
    """
    if path.suffix in _SINGLE_FILES and not path.exists():
        raise ConvertError(f"{path}: there is no such file")
    if not path.is_file() or ".index" in path.suffixes or ".data-" in path.name:
        return "tensorflow", TensorFlowCheckpoint(path)
    try:
        with path.open("rb") as file:
            head = file.read(len(_HDF5))
    except OSError as error:
        raise ConvertError(f"{path}: cannot be read ({error.strerror})") from error
    if head == _HDF5:
        return "keras", _read_keras(path)
    if head.startswith((_ZIP, _PICKLE)):
        return "torch", _read_torch(path)
    if _ends_as_a_table(path):
        raise ConvertError(
            f"{path}: a TensorFlow checkpoint of the old kind, a single file, is not read: give "
            "one with an .index file (any tf.train.Saver since TensorFlow 1.0 writes it)"
        )
    raise ConvertError(
        f"{path}: neither a TensorFlow checkpoint, a Keras .h5 nor a torch .pth of weights"
    )


def _ends_as_a_table(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(_TABLE)))
        return file.read() == _TABLE


class _Arrays:
    def __init__(self, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        self._arrays = arrays

    def shapes(self) -> dict[str, Shape]:
        return {name: array.shape for name, array in self._arrays.items()}

    def read(self, name: str) -> NDArray[np.float32]:
        return self._arrays[name]


def _read_keras(path: Path) -> Variables:
    try:
        import h5py
    except ImportError as error:
        raise ConvertError(
            f"{path}: reading a Keras file needs h5py: pip install 'mafnet-live[convert]'"
        ) from error
    arrays: dict[str, NDArray[np.float32]] = {}
    try:
        with h5py.File(path, "r") as file:
            root = file.get("model_weights", file)  # a whole model keeps its weights one below
            for layer in root.attrs["layer_names"]:
                group = root[_text(layer)]
                for weight in group.attrs["weight_names"]:
                    dataset = group[_text(weight)]
                    # Named by the layer, not by the variable, which carries the scopes of the
                    # process that wrote it.
                    leaf = _text(weight).rpartition("/")[2].removesuffix(":0")
                    name = f"{_text(layer)}/{leaf}"
                    if dataset.dtype != np.float32 or name in arrays:
                        raise ConvertError(f"{path}: {name} must be float32 and stand once")
                    arrays[name] = dataset[()]
    except (OSError, KeyError, ValueError, RuntimeError, AttributeError, TypeError) as error:
        raise ConvertError(f"{path}: not an undamaged Keras weights file ({error})") from error
    return _Arrays(arrays)


def _text(value: object) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _read_torch(path: Path) -> Variables:
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ConvertError(
            f"{path}: refused: it is damaged or holds more than tensors, which would run code"
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError) as error:
        raise ConvertError(f"{path}: not an undamaged torch file") from error
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not all(
        isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in content.items()
    ):
        raise ConvertError(f"{path}: holds no state dict (names to tensors)")
    return _Arrays({name: value.detach().float().numpy() for name, value in content.items()})
