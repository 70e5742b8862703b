"""Reading a Keras .h5 of weights: plain float32 arrays that lie in the file itself.

HDF5 can do much more, and a stranger's file may: point at other files (external links, external
storage, virtual data sets), unpack a few bytes to gigabytes (filters), load plug-ins. Keras uses
none of it for weights, so all of it is refused, link by link, before anything is read.
"""

import mmap
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from weights.errors import ConvertError
from weights.layouts import Shape

_MAX_NAMES: Final = 2_000  # layers of a network, or weights of a layer; DenseNet-201 has 710
_MAX_TEXTS: Final = 1 << 16  # bytes of a heap of texts; HDF5 makes them of 4096
# A global heap begins so: signature, version 1, three zeros, its size (HDF5 format, III.E).
_HEAP: Final = b"GCOL\x01\0\0\0"
_DAMAGE: Final = (OSError, KeyError, ValueError, RuntimeError, AttributeError, TypeError)


class _RefusedError(Exception):
    """Something that no weights file of Keras has."""


class KerasFile:
    """A model's weights by layer, name and shape, each read when asked for.

    Args:
        path: The .h5, of weights or of a whole model.

    Raises:
        ConvertError: It is damaged, of another kind, or h5py is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            import h5py
        except ImportError as error:
            raise ConvertError(
                f"{path}: reading a Keras file needs h5py: pip install 'mafnet-live[convert]'"
            ) from error
        self._path = path
        self._places: dict[str, str] = {}
        self._shapes: dict[str, Shape] = {}
        try:
            _check_heaps(path)
            with h5py.File(path, "r") as file:
                self._list(file)
        except _RefusedError as error:
            raise ConvertError(f"{path}: refused: {error}") from error
        except _DAMAGE as error:
            raise ConvertError(f"{path}: not an undamaged Keras weights file ({error})") from error

    def shapes(self) -> dict[str, Shape]:
        """List all names with their shapes."""
        return dict(self._shapes)

    def read(self, name: str) -> NDArray[np.float32]:
        """Read one.

        Raises:
            ConvertError: Its bytes are damaged.
        """
        import h5py

        try:
            with h5py.File(self._path, "r") as file:
                array: NDArray[np.float32] = _walk(file, self._places[name])[()]
        except (_RefusedError, *_DAMAGE) as error:
            raise ConvertError(
                f"{self._path}: not an undamaged Keras weights file ({error})"
            ) from error
        return array

    def _list(self, file: Any) -> None:
        # A whole model keeps its weights one below.
        root = "model_weights/" if "model_weights" in file else ""
        for layer in _names(_walk(file, root), "layer_names"):
            for weight in _names(_walk(file, f"{root}{layer}"), "weight_names"):
                place = f"{root}{layer}/{weight}"
                dataset = _walk(file, place)
                # Named by the layer, not by the variable, which carries the scopes of the
                # process that wrote it.
                name = f"{layer}/{weight.rpartition('/')[2].removesuffix(':0')}"
                if dataset.dtype != np.float32 or name in self._places:
                    raise _RefusedError(f"{name} must be float32 and stand once")
                _check_plain(dataset, name)
                self._places[name], self._shapes[name] = place, dataset.shape


def _walk(file: Any, place: str) -> Any:
    """Go to a place step by step, along links that stay in this file."""
    import h5py

    here = file
    for step in (part for part in place.split("/") if part not in ("", ".")):
        link = here.get(step, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise _RefusedError(f"{step!r} lies elsewhere than in this file")
        here = here[step]
    return here


def _names(group: Any, attribute: str) -> list[str]:
    import h5py

    value = group.attrs.get_id(attribute)
    if value.shape == (0,):  # a layer without weights; Keras writes an empty list of floats
        return []
    if h5py.check_string_dtype(value.dtype) is None or len(value.shape) != 1:
        raise _RefusedError(f"{attribute} must be a list of texts")
    if value.shape[0] > _MAX_NAMES or value.dtype.itemsize > _MAX_TEXTS:
        raise _RefusedError(f"{attribute} may have {_MAX_NAMES} names, it has {value.shape[0]}")
    return [_text(name) for name in group.attrs[attribute]]


def _text(value: object) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _check_heaps(path: Path) -> None:
    """Bound what a name can be: names lie in heaps, and many may be one and the same long text."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
        at = whole.find(_HEAP)
        while at >= 0:
            n_bytes = int.from_bytes(whole[at + 8 : at + 16], "little")
            if n_bytes > _MAX_TEXTS:
                raise _RefusedError(f"it holds texts of {n_bytes} bytes, more than {_MAX_TEXTS}")
            at = whole.find(_HEAP, at + 1)


def _check_plain(dataset: Any, name: str) -> None:
    if dataset.is_virtual or dataset.external:
        raise _RefusedError(f"the numbers of {name} lie in another file")
    if dataset.id.get_create_plist().get_nfilters() or dataset.chunks:
        raise _RefusedError(f"{name} is compressed or in pieces, which Keras does not do")
    n_bytes = 4 * int(np.prod(dataset.shape, dtype=np.float64))
    if dataset.id.get_storage_size() != n_bytes:
        raise _RefusedError(f"the file does not hold all of {name}")
