"""Taking a checkpoint out of a zip or tar archive, and nothing else out of it.

An archive may unpack to any size, so bytes are counted as they are unpacked, not as announced,
and what an archive says of its members is read in small pieces.
"""

import bz2
import gzip
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
_OPENERS: Final[dict[bytes, Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\0": lzma.open,
}
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
        return path.is_file() and (zipfile.is_zipfile(path) or tarfile.is_tarfile(path))
    except _DAMAGE:
        return False


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
                if not info.filename.endswith("/"):
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
            return opened(archive, "rb")
    return archive.open("rb")


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
