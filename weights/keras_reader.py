"""Reads a Keras .h5 in a process of its own with limited memory; `weights.keras_file` runs it.

HDF5 is a large library in C, and a damaged file of a few kilobytes made it take gigabytes. It can
do more than hold numbers, too: point at other files (external links, external storage, virtual
data sets), unpack a few bytes to gigabytes (filters), load plug-ins. Keras uses none of it for
weights, so all of it is refused, link by link, before anything is read.
"""

import mmap
import sys
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

_MAX_NAMES: Final = 2_000  # layers of a network, or weights of a layer; DenseNet-201 has 710
_MAX_TEXTS: Final = 1 << 16  # bytes of a heap of texts; HDF5 makes them of 4096
_ROOM: Final = 512 << 20  # bytes beyond what the process has when it begins and the file's own
# A global heap begins so: signature, version 1, three zeros, its size (HDF5 format, III.E).
_HEAP: Final = b"GCOL\x01\0\0\0"


class _RefusedError(Exception):
    """Something that no weights file of Keras has."""


def main(path: Path, to: Path) -> int:
    """Read all weights of ``path`` and write them to ``to`` as safetensors.

    Returns:
        0, or 1 where one line on stderr says why not.
    """
    _limit_memory(2 * path.stat().st_size)
    try:
        _check_heaps(path)
        with h5py.File(path, "r") as file:
            arrays = _read(file)
        save_file(arrays, to)
    except _RefusedError as error:
        print(f"refused: {error}", file=sys.stderr)
        return 1
    except Exception as error:  # noqa: BLE001  whatever it is, the process ends with its reason
        print(f"{error or type(error).__name__}".splitlines()[0], file=sys.stderr)
        return 1
    return 0


def _limit_memory(n_bytes: int) -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:  # macOS counts its address space otherwise, and does not limit it
        return
    limit = pages * resource.getpagesize() + _ROOM + n_bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _read(file: Any) -> dict[str, NDArray[np.float32]]:
    places: dict[str, str] = {}
    # A whole model keeps its weights one below.
    root = "model_weights/" if "model_weights" in file else ""
    for layer in _names(_walk(file, root), "layer_names"):
        for weight in _names(_walk(file, f"{root}{layer}"), "weight_names"):
            place = f"{root}{layer}/{weight}"
            dataset = _walk(file, place)
            # Named by the layer, not by the variable, which carries the scopes of the process
            # that wrote it.
            name = f"{layer}/{weight.rpartition('/')[2].removesuffix(':0')}"
            if dataset.dtype != np.float32 or name in places:
                raise _RefusedError(f"{name} must be float32 and stand once")
            _check_plain(dataset, name)
            places[name] = place
    return {name: np.ascontiguousarray(_walk(file, place)[()]) for name, place in places.items()}


def _walk(file: Any, place: str) -> Any:
    """Go to a place step by step, along links that stay in this file."""
    here = file
    for step in (part for part in place.split("/") if part not in ("", ".")):
        link = here.get(step, getlink=True)
        if link is None:
            raise KeyError(f"{step} is missing")
        if not isinstance(link, h5py.HardLink):
            raise _RefusedError(f"{step!r} lies elsewhere than in this file")
        here = here[step]
    return here


def _names(group: Any, attribute: str) -> list[str]:
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


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
