"""Reading a torch .pth of weights without torch: nothing of the file is executed or trusted.

Two formats: a zip with `data.pkl` and a raw file for each storage (since torch 1.6), and before it
several pickles in a row with the storages behind them, as torchvision's older files are. The
pickles are read as data (`weights.inert_pickle`). A tensor is listed once its type, size and
strides lie within its storage, and the storage within the file; numbers are read when asked for.
Written from torch's `torch/serialization.py` (`_save`, `_legacy_save`).
"""

import math
import mmap
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from weights.errors import ConvertError
from weights.inert_pickle import Call, Entries, InertPickleError, Named, Reference, read_program
from weights.layouts import Shape

# What `zipfile` and looking at values of the wrong kind raise.
_DAMAGE: Final = (
    OSError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    RuntimeError,
    struct.error,
    zipfile.BadZipFile,
)
_MAGIC: Final = 0x1950A86A20F9469CFC6C  # torch/serialization.py MAGIC_NUMBER
_PROTOCOL: Final = 1001  # PROTOCOL_VERSION
_BFLOAT16: Final = "bfloat16"
_STORAGES: Final = {
    "torch.FloatStorage": "<f4",
    "torch.HalfStorage": "<f2",
    "torch.BFloat16Storage": _BFLOAT16,
    "torch.DoubleStorage": "<f8",
    "torch.LongStorage": "<i8",
    "torch.IntStorage": "<i4",
    "torch.ShortStorage": "<i2",
    "torch.CharStorage": "<i1",
    "torch.ByteStorage": "<u1",
    "torch.BoolStorage": "?",
}
_TENSORS: Final = {"torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"}
_PARAMETER: Final = "torch._utils._rebuild_parameter"
_ORDERED: Final = "collections.OrderedDict"
_MAX_DIMENSIONS: Final = 8
_MAX_SIZE: Final = 2**40  # of one dimension, and of a stride
_MAX_PICKLE: Final = 64 << 20  # a state dict's names and sizes; the numbers are not in it


class _RefusedError(Exception):
    """What the file holds is more than plain tensors, or contradicts itself."""


@dataclass(frozen=True, slots=True)
class _Tensor:
    dtype: str
    data: memoryview  # its storage
    offset: int  # all three in numbers, not bytes
    size: tuple[int, ...]
    stride: tuple[int, ...]

    def read(self) -> NDArray[np.float32]:
        kind = np.dtype("<u2" if self.dtype == _BFLOAT16 else self.dtype)
        storage: NDArray[Any] = np.frombuffer(self.data, kind)
        view = np.lib.stride_tricks.as_strided(
            storage[self.offset :],
            self.size,
            tuple(step * kind.itemsize for step in self.stride),
            writeable=False,
        )
        if self.dtype == _BFLOAT16:  # the upper half of a float32
            return (view.astype(np.uint32) << 16).view(np.float32)
        with np.errstate(all="ignore"):  # what is not finite is the caller's to refuse
            return view.astype(np.float32)


class TorchFile:
    """A state dict's tensors by name and shape, each read when asked for.

    Args:
        path: The .pth.

    Raises:
        ConvertError: It is damaged, holds no state dict, or holds more than plain tensors.
    """

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                whole = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
            program, storages = _parts(whole)
            self._tensors = {
                name: _tensor(value, storages) for name, value in _state(path, program)
            }
        except (_RefusedError, InertPickleError) as error:
            raise ConvertError(
                f"{path}: refused: it is damaged or holds more than tensors, which would run code "
                f"({error})"
            ) from error
        except _DAMAGE as error:
            raise ConvertError(f"{path}: not an undamaged torch file ({error})") from error

    def shapes(self) -> dict[str, Shape]:
        """List all names with their shapes."""
        return {name: tensor.size for name, tensor in self._tensors.items()}

    def read(self, name: str) -> NDArray[np.float32]:
        """Read one as float32."""
        return self._tensors[name].read()


def _parts(whole: memoryview) -> tuple[Any, Mapping[str, memoryview]]:
    return _zipped(whole) if bytes(whole[:2]) == b"PK" else _in_a_row(whole)


def _zipped(whole: memoryview) -> tuple[Any, Mapping[str, memoryview]]:
    members: dict[str, memoryview] = {}
    with zipfile.ZipFile(_Seekable(whole)) as archive:
        for info in archive.infolist():
            # Neither torch nor a phone compresses them; what is compressed may be a bomb.
            if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
                raise _RefusedError(f"{info.filename} is compressed, which torch does not do")
            members[info.filename.partition("/")[2]] = _raw(whole, info)
    if "data.pkl" not in members:
        raise ValueError("a zip without data.pkl")
    if bytes(members.get("byteorder", memoryview(b"little"))) != b"little":
        raise _RefusedError("written big-endian")
    program = _program(members["data.pkl"])
    head = "data/"
    return program, {
        name[len(head) :]: raw for name, raw in members.items() if name.startswith(head)
    }


def _raw(whole: memoryview, info: zipfile.ZipInfo) -> memoryview:
    # The local header's own lengths say where the bytes begin (APPNOTE.TXT 4.3.7).
    if not 0 <= info.header_offset <= len(whole) - 30:
        raise ValueError("a member begins beyond the file")
    n_name, n_extra = struct.unpack_from("<HH", whole, info.header_offset + 26)
    start = info.header_offset + 30 + n_name + n_extra
    if start + info.file_size > len(whole):
        raise ValueError("a member ends beyond the file")
    return whole[start : start + info.file_size]


class _Seekable:
    """Just enough of a file for `zipfile` to read the directory of mapped bytes."""

    def __init__(self, whole: memoryview) -> None:
        self._whole, self._at = whole, 0

    def read(self, n_bytes: int = -1) -> bytes:
        end = len(self._whole) if n_bytes is None or n_bytes < 0 else self._at + n_bytes
        taken = bytes(self._whole[self._at : end])
        self._at += len(taken)
        return taken

    def seek(self, offset: int, whence: int = 0) -> int:
        start = (0, self._at, len(self._whole))[whence]
        if start + offset < 0:
            raise OSError("a seek before the start")
        self._at = start + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True


def _in_a_row(whole: memoryview) -> tuple[Any, Mapping[str, memoryview]]:
    magic, at = read_program(whole)
    protocol, at = read_program(whole, at)
    if magic != _MAGIC or protocol != _PROTOCOL:
        raise _RefusedError("a pickle, but not one of torch's")
    system, at = read_program(whole, at)
    if dict(_items(system)).get("little_endian") is not True:
        raise _RefusedError("written big-endian")
    program, at = read_program(whole, at)
    keys, at = read_program(whole, at)
    kinds = _kinds(program)
    storages: dict[str, memoryview] = {}
    for key in (str(_text(key)) for key in keys):
        (n_values,) = struct.unpack("<q", whole[at : at + 8])
        n_bytes = n_values * _n_bytes(kinds[key])
        if n_values < 0 or at + 8 + n_bytes > len(whole):
            raise ValueError("a storage ends beyond the file")
        storages[key] = whole[at + 8 : at + 8 + n_bytes]
        at += 8 + n_bytes
    return program, storages


def _program(raw: memoryview) -> Any:
    if len(raw) > _MAX_PICKLE:
        raise _RefusedError(f"its pickle has more than {_MAX_PICKLE} bytes")
    return read_program(raw)[0]


def _kinds(program: Any) -> dict[str, str]:
    kinds = {}
    for _, value in _items(_inner(program)):
        key, kind = _storage(_rebuilt(value)[0])
        kinds[key] = kind
    return kinds


def _state(path: Path, program: Any) -> list[tuple[str, Any]]:
    try:
        pairs = _items(_inner(program))
    except ValueError:
        pairs = [(None, None)]
    if not all(name is not None and isinstance(value, Call) for name, value in pairs):
        raise ConvertError(f"{path}: holds no state dict (names to tensors)")
    return [(str(name), value) for name, value in pairs]


def _inner(program: Any) -> Any:
    # A checkpoint of a training keeps the weights one below.
    for name, value in _items(program):
        if name == "state_dict":
            return value
    return program


def _items(value: Any) -> list[tuple[str | None, Any]]:
    if isinstance(value, Call):
        if value.function.name != _ORDERED:
            raise _RefusedError(f"it names {value.function.name}")
        if value.arguments and isinstance(value.arguments[0], list):  # Python 2's OrderedDict
            return [(_text(name), item) for name, item in value.arguments[0]]
        value = value.state if value.state is not None else Entries()
    if not isinstance(value, Entries):
        raise ValueError("no dictionary")
    return [(_text(name), item) for name, item in value.items]


def _text(value: Any) -> str | None:
    if isinstance(value, memoryview):  # Python 2's str
        return str(value, "utf-8")
    return value if isinstance(value, str) else None


def _rebuilt(value: Any) -> tuple[Any, ...]:
    """Find what a tensor is rebuilt from: its storage, offset, size and stride."""
    if isinstance(value, Call) and value.function.name == _PARAMETER and value.arguments:
        value = value.arguments[0]
    if not isinstance(value, Call):
        raise _RefusedError("not one tensor a name")
    if value.function.name not in _TENSORS or len(value.arguments) < 4:
        raise _RefusedError(f"it names {value.function.name}")
    return value.arguments


def _storage(value: Any) -> tuple[str, str]:
    """Give a storage's key and its numbers' type."""
    key = value.key if isinstance(value, Reference) else None
    if not isinstance(key, tuple) or len(key) < 5 or _text(key[0]) != "storage":
        raise _RefusedError("a tensor without a storage")
    name, kind = _text(key[2]), key[1]
    if name is None or not isinstance(kind, Named) or kind.name not in _STORAGES:
        raise _RefusedError("a storage of an unknown type")
    if len(key) > 5 and key[5] is not None:
        raise _RefusedError("a storage that is a view of another")
    return name, _STORAGES[kind.name]


def _n_bytes(kind: str) -> int:
    return 2 if kind == _BFLOAT16 else np.dtype(kind).itemsize


def _tensor(value: Any, storages: Mapping[str, memoryview]) -> _Tensor:
    storage, offset, size, stride = _rebuilt(value)[:4]
    key, kind = _storage(storage)
    data = storages[key]
    n_values = len(data) // _n_bytes(kind)
    if (
        not isinstance(size, tuple)
        or not isinstance(stride, tuple)
        or not len(size) == len(stride) <= _MAX_DIMENSIONS
        or not all(type(n) is int and 0 <= n <= _MAX_SIZE for n in (offset, *size, *stride))
    ):
        raise _RefusedError("a tensor's size and strides are no whole numbers")
    steps = [(n - 1) * step for n, step in zip(size, stride, strict=True)]
    # Strides of 0 would unpack a few bytes to any size: no more numbers than the storage has.
    last = offset + sum(steps) if 0 not in size else offset - 1
    if last >= n_values or math.prod(size) > n_values:
        raise _RefusedError("a tensor that is larger than its storage")
    whole = data[: n_values * _n_bytes(kind)]
    return _Tensor(kind, whole, offset, size, stride)
