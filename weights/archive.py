"""Taking a checkpoint out of a zip or tar archive, and nothing else out of it.

An archive may unpack to any size, so bytes are counted as they are unpacked, not as announced,
and what an archive says of its members is read in small pieces.
"""

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

from weights.errors import FetchError

_MAX_BYTES = 2 << 30
_MAX_MEMBERS = 10_000
_READ_BYTES = 1 << 20
_XZ_MEMORY = 128 << 20  # bytes; `xz -9` makes files that take 65 MiB
_ZIP_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2)
_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    ArithmeticError,
    LookupError,
    RuntimeError,
    struct.error,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)


def is_archive(path: Path) -> bool:
    """Tell whether a file is a zip or a tar archive, by its content."""
    try:
        return path.is_file() and (zipfile.is_zipfile(path) or _is_tar(path))
    except (*_DAMAGE, _TooLargeError):
        return False


def _is_tar(path: Path) -> bool:
    # Not `tarfile.is_tarfile`, which reads whatever the first header announces.
    with _opened(path) as file:
        bounded: Any = _Bounded(file)
        with tarfile.open(fileobj=bounded, mode="r:"):
            return True


def unpack_checkpoint(archive: Path, folder: Path, inside: str = "") -> None:
    """Copy an archive's checkpoint files into a folder, without their paths.

    Only regular `*.index`, `*.data-*` and `checkpoint` members are taken.

    Args:
        archive: A zip or tar file.
        folder: Where to.
        inside: Only members under this folder of the archive are looked at.

    Raises:
        FetchError: The archive is damaged, too large, or holds no or several checkpoints.
    """
    n_bytes = 0
    try:
        for number, (name, file) in enumerate(_members(archive)):
            if number >= _MAX_MEMBERS:
                raise FetchError(f"{archive}: holds more than {_MAX_MEMBERS} files")
            member = PurePosixPath(name.replace("\\", "/"))
            if inside and not member.is_relative_to(inside):
                continue
            plain = member.name
            if not (plain.endswith(".index") or ".data-" in plain or plain == "checkpoint"):
                continue
            target = folder / plain
            if target.exists():
                raise FetchError(f"{archive}: holds {plain} twice: unpack it and give one folder")
            n_bytes += _copy(file, target, _MAX_BYTES - n_bytes)
            if n_bytes >= _MAX_BYTES:
                raise _too_large(archive)
    except _TooLargeError as error:
        raise _too_large(archive) from error
    except _DAMAGE as error:
        raise FetchError(f"{archive}: not an undamaged archive ({error})") from error
    if not any(folder.glob("*.index")):
        raise FetchError(f"{archive}: no TensorFlow checkpoint (*.index) in this archive")


class _TooLargeError(Exception):
    """More came out of the archive than any checkpoint has."""


def _too_large(archive: Path) -> FetchError:
    return FetchError(f"{archive}: unpacks to more than {_MAX_BYTES} bytes")


def _copy(file: IO[bytes], target: Path, n_max: int) -> int:
    n_bytes = 0
    with target.open("wb") as out:
        while n_bytes < n_max and (data := file.read(min(_READ_BYTES, n_max - n_bytes))):
            n_bytes += len(data)
            try:
                out.write(data)
            except OSError as error:  # not the archive's fault
                raise FetchError(f"cannot write {target} ({error.strerror})") from error
    return n_bytes


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as source:
            for info in source.infolist():
                if info.filename.endswith("/"):
                    continue
                if info.compress_type not in _ZIP_METHODS:  # LZMA takes what its header asks for
                    raise ValueError(f"packed by method {info.compress_type}; deflate is read")
                with source.open(info) as file:
                    yield info.filename, file
        return
    with _opened(archive) as file:
        bounded: Any = _Bounded(file)
        with tarfile.open(fileobj=bounded, mode="r:") as packed:
            yield from _regular(packed)


def _regular(packed: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    for member in packed:
        regular = packed.extractfile(member) if member.isfile() else None
        if regular is not None:
            with regular:
                yield member.name, regular


def _opened(archive: Path) -> Any:
    with archive.open("rb") as file:
        head = file.read(6)
    for magic, opened in _OPENERS.items():
        if head.startswith(magic):
            return opened(archive)
    return archive.open("rb")


class _Xz(io.RawIOBase):
    """An xz file's content, with bounded memory: `lzma.open` takes what a header asks for."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._begin()

    def _begin(self) -> None:
        self._file.seek(0)
        self._at = 0
        self._left = b""  # packed bytes behind a stream's end
        self._stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY)

    def readinto(self, into: Any) -> int:
        data = b""
        while not data:
            packed = b""
            if self._stream.eof or self._stream.needs_input:
                packed, self._left = self._left or self._file.read(_READ_BYTES), b""
            if self._stream.eof:
                packed = packed.lstrip(b"\0")  # between two streams
                if not packed:
                    return 0
                self._stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, _XZ_MEMORY)
            elif self._stream.needs_input and not packed:
                raise EOFError("it ends in the middle")
            data = self._stream.decompress(packed, len(into))
            if self._stream.eof:
                self._left = self._stream.unused_data
        into[: len(data)] = data
        self._at += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        target = offset + (self._at if whence == 1 else 0)
        if target < self._at:
            self._begin()
        while self._at < target and self.read(min(_READ_BYTES, target - self._at)):
            pass
        return self._at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()


def _open_xz(path: Path) -> io.BufferedReader:
    return io.BufferedReader(_Xz(path), _READ_BYTES)


_OPENERS: Final[dict[bytes, Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": _open_xz,
}


class _Bounded:
    """A tar's unpacked bytes: none beyond the limit, and no more at once than a file's content.

    A header that announces gigabytes of text (pax) is asked for in one piece: refused.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, n_bytes: int = -1) -> bytes:
        if n_bytes < 0 or n_bytes > _READ_BYTES:
            raise tarfile.ReadError("a header without an end")
        self._check(self._file.tell() + n_bytes)
        return self._file.read(n_bytes)

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == 0:
            self._check(offset)
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def _check(self, position: int) -> None:
        if position > _MAX_BYTES + _READ_BYTES:
            raise _TooLargeError
