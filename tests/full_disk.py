"""A disk that is full: the system refuses what would make a file larger than a limit."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

resource = pytest.importorskip("resource", reason="needs POSIX limits")


@contextlib.contextmanager
def room_for(n_bytes: int) -> Iterator[None]:
    """Let every file of this process grow to ``n_bytes`` and no further."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def files_in(folder: Path) -> list[str]:
    """Name all files, the hidden ones too, by their paths inside a folder."""
    return sorted(
        os.path.relpath(Path(where) / name, folder)
        for where, _, names in os.walk(folder)
        for name in names
    )
