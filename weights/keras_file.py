"""A Keras .h5 of weights, read by a process of its own (`weights.keras_reader` says why)."""

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from weights.errors import ConvertError
from weights.layouts import Shape

_REFUSED: Final = "refused: "  # begins a reason of the reader's that is not damage
_LIMIT_S: Final = 120.0  # the authors' file of 18 MB takes half a second


class KerasFile:
    """A model's weights by layer and name, in memory.

    Args:
        path: The .h5, of weights or of a whole model.

    Raises:
        ConvertError: It is damaged, of another kind, or h5py is not installed.
    """

    def __init__(self, path: Path) -> None:
        if importlib.util.find_spec("h5py") is None:
            raise ConvertError(
                f"{path}: reading a Keras file needs h5py: pip install 'mafnet-live[convert]'"
            )
        with tempfile.TemporaryDirectory(prefix="keras-") as folder:
            to = Path(folder) / "weights.safetensors"
            reason = _run(path, to)
            if reason.startswith(_REFUSED):
                raise ConvertError(f"{path}: {reason}")
            try:
                self._arrays = load_file(to)
            except (OSError, SafetensorError) as error:
                raise ConvertError(
                    f"{path}: not an undamaged Keras weights file ({reason})"
                ) from error

    def shapes(self) -> dict[str, Shape]:
        """List all names with their shapes."""
        return {name: array.shape for name, array in self._arrays.items()}

    def read(self, name: str) -> NDArray[np.float32]:
        """Return one."""
        return self._arrays[name]


def _run(path: Path, to: Path) -> str:
    # -P and PYTHONPATH: the packages that run here, and none from the folder that one stands in.
    command = [sys.executable, "-P", "-m", "weights.keras_reader", str(path.absolute()), str(to)]
    root = str(Path(__file__).resolve().parent.parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, timeout=_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it takes more than {_LIMIT_S:g} s"
    except OSError as error:
        return f"it cannot be looked at: {error}"
    lines = done.stderr.decode("utf-8", "replace").splitlines()
    if done.returncode == 0 or (done.returncode == 1 and len(lines) == 1):
        return lines[0] if lines else ""
    return "it takes more memory than weights of its size need, or breaks the HDF5 library"
