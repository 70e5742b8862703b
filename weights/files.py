"""Files as the weights package handles them: hashed before use, written whole or not at all."""

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

MAX_NAME_BYTES = 255  # of one file or folder; no common file system takes more
MAX_PATH_BYTES = 1000  # of all of them, within a folder that has a path itself
_SHA256 = re.compile(r"[0-9a-f]{64}")


def sha256_of(path: Path) -> str:
    """Hash a file's bytes, as lower-case hex.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_sha256(text: str) -> bool:
    """Tell whether a text is a sha256 in lower-case hex."""
    return _SHA256.fullmatch(text) is not None


def inside(folder: Path, name: str) -> Path | None:
    """Join a file name to a folder, or return None when it would lead out of it.

    Args:
        folder: The folder that the file must be in.
        name: A relative path with forward slashes, from a source that is not trusted.
    """
    parts = PurePosixPath(name)
    if not name or "\\" in name or "\0" in name or ":" in name or parts.is_absolute():
        return None
    if ".." in parts.parts or parts == PurePosixPath("."):
        return None
    if max(len(os.fsencode(part)) for part in (*parts.parts, "")) > MAX_NAME_BYTES:
        return None
    if len(os.fsencode(name)) > MAX_PATH_BYTES:
        return None
    path = folder.joinpath(*parts.parts)
    return path if path.resolve().is_relative_to(folder.resolve()) else None


@contextlib.contextmanager
def written_whole(path: Path, *, private: bool = False) -> Iterator[Path]:
    """Give a temporary path beside ``path`` that takes its place when the block ends well.

    When the block raises, what was there before stays and the temporary file is removed.

    Args:
        path: What is written.
        private: Only the owner may read it; else whoever the umask lets.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        if not private:
            umask = os.umask(0)  # mkstemp makes 0600; the result is an ordinary file
            os.umask(umask)
            temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
