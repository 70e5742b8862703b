"""Reading the authors' feature pickles without trusting them: numpy arrays and nothing else.

A pickle is a program. This reader knows the six names that numpy's own pickles use and refuses
every other one before it is looked up, so that no code of the file's choosing runs.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mafnet.errors import FeaturesError

# What numpy's __reduce__ names, by numpy 1 and 2 and by pickle protocols 2 to 5.
_ALLOWED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.numeric", "_frombuffer"),
    ("numpy._core.numeric", "_frombuffer"),
    ("_codecs", "encode"),  # protocol 2 has no bytes of its own
}
_RENAMED = {"numpy.core.multiarray": "numpy._core.multiarray"}
_RENAMED["numpy.core.numeric"] = "numpy._core.numeric"  # numpy 2 warns at the old names


class _ArrayUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
            module = _RENAMED.get(module, module)
        return super().find_class(module, name)


def read_array_pickle(path: Path) -> NDArray[Any]:
    """Read one pickled array.

    Raises:
        FeaturesError: It cannot be read, is damaged, or holds anything but a number array.
    """
    try:
        with path.open("rb") as file:
            array = _ArrayUnpickler(file).load()
    except pickle.UnpicklingError as error:
        raise FeaturesError(f"{path}: not a pickle of one numpy array ({error})") from error
    except OSError as error:
        raise FeaturesError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (EOFError, ValueError, TypeError, LookupError, AttributeError, MemoryError) as error:
        raise FeaturesError(f"{path}: damaged or not a pickle ({error})") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        raise FeaturesError(f"{path}: must hold one array of numbers")
    return array
