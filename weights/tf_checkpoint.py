"""Reading a TensorFlow checkpoint (the "V2" bundle of every TensorFlow since 1.0) without it.

`NAME.index` is a LevelDB-style table from variable names to `BundleEntryProto`;
`NAME.data-XXXXX-of-YYYYY` holds raw little-endian values. Written from the public formats:
LevelDB `doc/table_format.md`, TensorFlow `core/protobuf/tensor_bundle.proto`. Why not TensorFlow
itself: docs/design/adr/0002-own-checkpoint-reader.md. Nothing is unpickled, every length is checked
before it is used, and checksums guard the table's blocks and each variable that is read.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weights.crc32c import masked_crc32c
from weights.errors import ConvertError

_MAGIC = 0xDB4775248B80FB57  # LevelDB table/format.h
_FOOTER = 48
_TRAILER = 5  # a block's type byte and its masked checksum
_MAX_INDEX = 16 * 2**20  # 158 variables take 5 kB
_MAX_STATE = 1 << 16  # characters; the newest checkpoint's name stands first
_MAX_VARIABLES = 10_000
_MAX_NAME = 1_000  # bytes; names share their beginnings, so a few bytes may stand for a long one
_MAX_DIMENSIONS = 8
_DT_FLOAT = 1  # TensorFlow types.proto
_INDEX, _DATA = ".index", ".data-"


@dataclass(frozen=True, slots=True)
class _Entry:
    dtype: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc: int


class TensorFlowCheckpoint:
    """One checkpoint: its variables by name and shape, each read when asked for.

    Args:
        path: The checkpoint's prefix, its `.index` or `.data` file, or the folder it lies in.

    Raises:
        ConvertError: There is no whole, undamaged checkpoint.
    """

    def __init__(self, path: Path) -> None:
        self._prefix = _find_prefix(path)
        index = self._prefix.with_name(self._prefix.name + _INDEX)
        try:
            if index.stat().st_size > _MAX_INDEX:
                raise ConvertError(f"{index}: too large for a checkpoint's index")
            raw = index.read_bytes()
        except OSError as error:
            raise ConvertError(f"{index}: cannot be read ({error.strerror})") from error
        try:
            entries = _all_entries(raw)
            self._n_shards = _read_header(entries.pop(b""))
            self._entries = {
                name.decode("utf-8"): _read_entry(entry) for name, entry in entries.items()
            }
        except (_DamagedError, KeyError, UnicodeDecodeError) as error:
            raise ConvertError(f"{index}: not an undamaged checkpoint index ({error})") from error
        self._check_shards()

    @property
    def name(self) -> str:
        """The checkpoint's prefix, for messages."""
        return str(self._prefix)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """List all variables with their shapes, in the file's (alphabetical) order."""
        return {name: entry.shape for name, entry in self._entries.items()}

    def read(self, name: str) -> NDArray[np.float32]:
        """Read one variable and check its checksum.

        Raises:
            ConvertError: It is not float32, or its bytes are damaged.
        """
        entry = self._entries[name]
        if entry.dtype != _DT_FLOAT:
            raise ConvertError(f"{self.name}: {name} must be float32, got type {entry.dtype}")
        if entry.size != 4 * math.prod(entry.shape):
            raise ConvertError(f"{self.name}: {name} has a size that is not its shape's")
        shard = self._shard(entry.shard)
        try:
            with shard.open("rb") as file:
                file.seek(entry.offset)
                raw = file.read(entry.size)
        except OSError as error:
            raise ConvertError(f"{shard}: cannot be read ({error.strerror})") from error
        if len(raw) != entry.size or masked_crc32c(raw) != entry.crc:
            raise ConvertError(f"{shard}: damaged at {name}: copy or download it again")
        return np.frombuffer(raw, "<f4").reshape(entry.shape)

    def _shard(self, number: int) -> Path:
        suffix = f"{_DATA}{number:05d}-of-{self._n_shards:05d}"
        return self._prefix.with_name(self._prefix.name + suffix)

    def _check_shards(self) -> None:
        for name, entry in self._entries.items():
            shard = self._shard(entry.shard)
            try:
                size = shard.stat().st_size
            except OSError as error:
                raise ConvertError(f"{shard}: cannot be read ({error.strerror})") from error
            if entry.offset + entry.size > size:
                raise ConvertError(
                    f"{shard}: truncated: {name} ends at byte {entry.offset + entry.size}, "
                    f"the file at {size}"
                )


class _DamagedError(Exception):
    """The table's bytes contradict its format."""


def _find_prefix(path: Path) -> Path:
    if path.is_dir():
        return _prefix_in(path)
    name = path.name
    if name.endswith(_INDEX):
        return path.with_name(name[: -len(_INDEX)])
    if _DATA in name:
        return path.with_name(name[: name.rindex(_DATA)])
    if path.with_name(name + _INDEX).is_file():
        return path
    raise ConvertError(f"{path}: no checkpoint there (looked for {name}{_INDEX})")


def _prefix_in(folder: Path) -> Path:
    # The state file names the newest; its path is often the one on the machine that trained.
    state = folder / "checkpoint"
    if state.is_file():
        with state.open(encoding="utf-8", errors="replace") as file:
            text = file.read(_MAX_STATE)
        for line in text.splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model_checkpoint_path":
                prefix = folder / Path(value.strip().strip('"').replace("\\", "/")).name
                if prefix.with_name(prefix.name + _INDEX).is_file():
                    return prefix
    found = sorted(folder.glob(f"*{_INDEX}"))
    if not found:  # an unpacked archive often holds the folder one below
        inner = sorted({index.parent for index in folder.glob(f"*/*{_INDEX}")})
        if len(inner) == 1:
            return _prefix_in(inner[0])
    if len(found) != 1:
        raise ConvertError(
            f"{folder}: {len(found)} checkpoints there; name one, e.g. {folder / 'MAFnet'}"
        )
    return _find_prefix(found[0])


def _all_entries(raw: bytes) -> dict[bytes, bytes]:
    entries: dict[bytes, bytes] = {}
    for n_seen, (name, entry) in enumerate(_read_table(raw)):
        if n_seen > _MAX_VARIABLES:
            raise _DamagedError(f"more than {_MAX_VARIABLES} variables")
        entries[name] = entry
    return entries


def _read_table(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    if len(raw) < _FOOTER:
        raise _DamagedError("too short")
    footer = raw[-_FOOTER:]
    if struct.unpack("<Q", footer[-8:])[0] != _MAGIC:
        raise _DamagedError("no table's magic number at its end")
    _, at = _varint(footer, 0)  # the metaindex's handle is passed over
    _, at = _varint(footer, at)
    n_bytes = 0
    for _, handle in _read_block(raw, *_handle(footer, at)):
        offset, size = _handle(handle, 0)
        n_bytes += size  # a block that is named again and again would be read as often
        if n_bytes > len(raw):
            raise _DamagedError("blocks that lie over each other")
        yield from _read_block(raw, offset, size)


def _handle(raw: bytes, at: int) -> tuple[int, int]:
    offset, at = _varint(raw, at)
    size, _ = _varint(raw, at)
    return offset, size


def _read_block(raw: bytes, offset: int, size: int) -> Iterator[tuple[bytes, bytes]]:
    end = offset + size
    if end + _TRAILER > len(raw) - _FOOTER:
        raise _DamagedError("a block ends beyond the file")
    (stored,) = struct.unpack_from("<I", raw, end + 1)
    if masked_crc32c(raw[offset : end + 1]) != stored:
        raise _DamagedError("a block's checksum is wrong")
    if raw[end] != 0:
        raise _DamagedError("a compressed block; TensorFlow writes none")
    block = raw[offset:end]
    if len(block) < 4:
        raise _DamagedError("a block without restarts")
    (n_restarts,) = struct.unpack_from("<I", block, len(block) - 4)
    n_bytes = len(block) - 4 - 4 * n_restarts
    if n_bytes < 0:
        raise _DamagedError("more restarts than bytes")
    at, key = 0, b""
    while at < n_bytes:
        n_shared, at = _varint(block, at)
        n_own, at = _varint(block, at)
        n_value, at = _varint(block, at)
        if n_shared > len(key) or at + n_own + n_value > n_bytes:
            raise _DamagedError("an entry ends beyond its block")
        if n_shared + n_own > _MAX_NAME:
            raise _DamagedError(f"a name of more than {_MAX_NAME} bytes")
        key = key[:n_shared] + block[at : at + n_own]
        at += n_own
        yield key, block[at : at + n_value]
        at += n_value


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(raw):
            raise _DamagedError("a number ends beyond its bytes")
        byte = raw[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _DamagedError("a number without an end")


def _read_header(raw: bytes) -> int:
    n_shards, endianness = 1, 0
    for number, value in _message(raw):
        if number == 1 and isinstance(value, int):
            n_shards = value
        elif number == 2 and isinstance(value, int):
            endianness = value
    if endianness != 0:
        raise _DamagedError("written big-endian")
    if not 1 <= n_shards <= 99_999:
        raise _DamagedError(f"{n_shards} shards")
    return n_shards


def _read_entry(raw: bytes) -> _Entry:
    numbers = {1: 0, 3: 0, 4: 0, 5: 0, 6: 0}  # dtype, shard, offset, size, crc; zeros are unwritten
    shape: tuple[int, ...] = ()
    for number, value in _message(raw):
        if number in numbers and isinstance(value, int):
            numbers[number] = value
        elif number == 2 and isinstance(value, bytes):
            shape = _read_shape(value)
        elif number == 7:
            raise _DamagedError("a partitioned variable; the authors' graph has none")
    return _Entry(numbers[1], shape, numbers[3], numbers[4], numbers[5], numbers[6])


def _read_shape(raw: bytes) -> tuple[int, ...]:
    sizes = []
    for number, dim in _message(raw):
        if number == 2 and isinstance(dim, bytes):
            size = next((value for key, value in _message(dim) if key == 1), 0)
            if not isinstance(size, int) or size >= 2**31:
                raise _DamagedError("a dimension without a size")
            sizes.append(size)
        if len(sizes) > _MAX_DIMENSIONS:
            raise _DamagedError(f"a variable of more than {_MAX_DIMENSIONS} dimensions")
    return tuple(sizes)


def _message(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(raw, at)
            yield number, value
            continue
        if wire == 2:
            size, at = _varint(raw, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise _DamagedError("an unknown field")
        if at + size > len(raw):
            raise _DamagedError("a field ends beyond its message")
        field = raw[at : at + size]
        at += size
        yield number, field if wire == 2 else int.from_bytes(field, "little")
