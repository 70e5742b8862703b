"""The authors' feature files: `{split}Set_{visual,audio,target}.p`, one pickled array each.

Written opcode by opcode, for two reasons: AVE's 6.5 GB of training sound never lie in memory as
a whole, and the names inside are those that numpy 1 knows (`numpy.core`), so that the authors'
Python 3.7 reads them. Protocol 4, as theirs.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np

from extractors.errors import StoreError
from extractors.feature_store import read_manifest
from extractors.splits import SPLITS
from weights.files import written_whole

if TYPE_CHECKING:
    from numpy.typing import NDArray


_SENSES: Final = ("visual", "audio", "target")


def write_author_pickles(store: Path, folder: Path) -> list[Path]:
    """Writes a store's splits as the authors' pickles, float32.

    Args:
        store: A finished feature store.
        folder: Where the pickles go.

    Returns:
        The files written.

    Raises:
        StoreError: A sense is missing somewhere (the authors' format cannot say so), or
            something cannot be read or written.
    """
    n_windows = read_manifest(store)["n_windows"]
    splits = [split for split in SPLITS if n_windows.get(split)]
    for split in splits:
        if (store / f"{split}_present.npy").exists():
            raise StoreError(
                f"the split {split} has windows with a missing sense, and the authors' pickles "
                "cannot say so: leave such files out"
            )
    written = []
    try:
        for split in splits:
            for sense in _SENSES:
                array = np.load(store / f"{split}_{sense}.npy", mmap_mode="r")
                path = folder / f"{split}Set_{sense}.p"
                with written_whole(path) as temporary, temporary.open("wb") as file:
                    dump_float32(array, file)
                written.append(path)
    except (OSError, ValueError) as error:
        raise StoreError(f"cannot write the pickles in {folder}: {error}") from error
    return written


def dump_float32(array: NDArray[Any], file: BinaryIO) -> None:
    """Pickles an array as float32 in C order, a row at a time.

    Args:
        array: Any numbers, at least one dimension; may be memory-mapped.
        file: Open for writing.
    """
    shape = b"(" + b"".join(_integer(n) for n in array.shape) + b"t"  # MARK … TUPLE
    n_bytes = 4 * array.size
    file.write(
        b"\x80\x04"  # PROTO 4
        b"cnumpy.core.multiarray\n_reconstruct\n"  # GLOBAL
        b"cnumpy\nndarray\nK\x00\x85C\x01b\x87R"  # (ndarray, (0,), b'b') REDUCE
        b"(K\x01"
        + shape  # state: version, shape, …
        + b"cnumpy\ndtype\nX\x02\x00\x00\x00f4K\x00K\x01\x87R"  # … dtype('f4', 0, 1) …
        b"(K\x03X\x01\x00\x00\x00<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"  # … little-endian
        b"\x89"  # … not Fortran order …
        b"\x8e" + struct.pack("<Q", n_bytes)  # … BINBYTES8
    )
    for row in array:
        file.write(np.ascontiguousarray(row, dtype="<f4").tobytes())
    file.write(b"tb.")  # TUPLE, BUILD, STOP


def _integer(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)  # BININT
