"""TensorFlow checkpoints, written by the tests in the format that `weights.tf_checkpoint` reads."""

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from weights.crc32c import masked_crc32c

Arrays = Mapping[str, NDArray[np.float32]]


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return _varint(number << 3 | 2) + _varint(len(value)) + value
    return _varint(number << 3) + _varint(value)


def _block(entries: list[tuple[bytes, bytes]]) -> bytes:
    body, last = b"", b""
    for key, value in entries:
        n_shared = 0
        while n_shared < min(len(key), len(last)) and key[n_shared] == last[n_shared]:
            n_shared += 1
        own = key[n_shared:]
        body += _varint(n_shared) + _varint(len(own)) + _varint(len(value)) + own + value
        last = key
    return body + struct.pack("<II", 0, 1)


def write_checkpoint(prefix: Path, arrays: Arrays, dtype: int = 1) -> Path:
    """Write `PREFIX.index` and its data file; return the prefix."""
    data, entries = b"", [(b"", _field(1, 1))]
    for name in sorted(arrays):
        raw = np.asarray(arrays[name], "<f4").tobytes()
        shape = b"".join(_field(2, _field(1, size)) for size in arrays[name].shape)
        entry = _field(1, dtype) + _field(2, shape) + _field(4, len(data)) + _field(5, len(raw))
        entry += _varint(6 << 3 | 5) + struct.pack("<I", masked_crc32c(raw))
        entries.append((name.encode(), entry))
        data += raw

    index, handles = b"", []
    half = len(entries) // 2 or 1
    for part in (entries[:half], entries[half:]):
        block = _block(part) + b"\0"
        handle = _varint(len(index)) + _varint(len(block) - 1)
        handles.append((part[-1][0] if part else b"\xff", handle))
        index += block + struct.pack("<I", masked_crc32c(block))
    root = _block(handles) + b"\0"
    footer = _varint(0) + _varint(0) + _varint(len(index)) + _varint(len(root) - 1)
    index += root + struct.pack("<I", masked_crc32c(root))
    index += footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)

    prefix.parent.mkdir(parents=True, exist_ok=True)
    prefix.with_name(prefix.name + ".index").write_bytes(index)
    prefix.with_name(prefix.name + ".data-00000-of-00001").write_bytes(data)
    return prefix
