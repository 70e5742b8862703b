"""Files and folders that only their owner reads, opened where no link leads elsewhere.

Recordings show what a room saw and heard, whatever the user's umask is.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

FILE_MODE = 0o600
FOLDER_MODE = 0o700
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)  # Windows has neither
_NO_WAIT = getattr(os, "O_NONBLOCK", 0)  # a pipe that lies there would hold the program up


def open_private(path: Path, flags: int) -> int:
    """Open an ordinary file by its own name, made with mode 0600; return its descriptor.

    Raises:
        OSError: It cannot be opened; it is a link, a folder, a pipe or a device.
    """
    try:
        descriptor = os.open(path, flags | _NO_LINK | _NO_WAIT, FILE_MODE)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, f"{path} is a link, and none is followed here") from error
        if error.errno == errno.ENXIO:
            raise _no_file(path) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _no_file(path)
    return descriptor


def make_private_folders(path: Path) -> None:
    """Make a folder and those above it that are missing, all with mode 0700; raises OSError."""
    if not path.parent.exists():  # not `parents=True`, which makes those as the umask has it
        make_private_folders(path.parent)
    path.mkdir(FOLDER_MODE, exist_ok=True)


def make_private_folder(path: Path) -> None:
    """Make a folder with mode 0700, unless it is there; raises OSError, also where a link is."""
    path.mkdir(FOLDER_MODE, exist_ok=True)
    if path.is_symlink():
        raise OSError(errno.ELOOP, f"{path} is a link, and none is followed here")


def _no_file(path: Path) -> OSError:
    return OSError(errno.EINVAL, f"{path} is no ordinary file")
