"""Opening foreign weights files safely: TensorFlow checkpoints, Keras .h5, torch .pth.

A file's kind is told by its first bytes, not by its name. Nothing is executed, no other file is
opened, and shapes are known before any number is read.
"""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from weights.errors import ConvertError
from weights.keras_file import KerasFile
from weights.layouts import Origin, Shape
from weights.tf_checkpoint import TensorFlowCheckpoint
from weights.torch_file import TorchFile

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
        return "keras", KerasFile(path)
    if head.startswith((_ZIP, _PICKLE)):
        return "torch", TorchFile(path)
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
