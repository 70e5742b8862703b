"""Taking a checkpoint out of a zip or tar archive, and nothing else out of it."""

import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from weights.errors import FetchError

_MAX_BYTES = 2 << 30
_READ_BYTES = 1 << 20


def is_archive(path: Path) -> bool:
    """Tell whether a file is a zip or a tar archive, by its content."""
    return path.is_file() and (zipfile.is_zipfile(path) or tarfile.is_tarfile(path))


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
        for name, size, file in _members(archive):
            member = PurePosixPath(name.replace("\\", "/"))
            if inside and not member.is_relative_to(inside):
                continue
            plain = member.name
            if not (plain.endswith(".index") or ".data-" in plain or plain == "checkpoint"):
                continue
            n_bytes += size
            if n_bytes > _MAX_BYTES:
                raise FetchError(f"{archive}: unpacks to more than {_MAX_BYTES} bytes")
            target = folder / plain
            if target.exists():
                raise FetchError(f"{archive}: holds {plain} twice: unpack it and give one folder")
            _copy(file, target)
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile, RuntimeError) as error:
        raise FetchError(f"{archive}: not an undamaged archive ({error})") from error
    if not any(folder.glob("*.index")):
        raise FetchError(f"{archive}: no TensorFlow checkpoint (*.index) in this archive")


def _copy(file: IO[bytes], target: Path) -> None:
    with target.open("wb") as out:
        while data := file.read(_READ_BYTES):
            try:
                out.write(data)
            except OSError as error:  # not the archive's fault
                raise FetchError(f"cannot write {target} ({error.strerror})") from error


def _members(archive: Path) -> Iterator[tuple[str, int, IO[bytes]]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as source:
            for info in source.infolist():
                if not info.is_dir():
                    with source.open(info) as file:
                        yield info.filename, info.file_size, file
        return
    with tarfile.open(archive) as packed:
        for member in packed:
            regular = packed.extractfile(member) if member.isfile() else None
            if regular is not None:
                with regular:
                    yield member.name, member.size, regular
