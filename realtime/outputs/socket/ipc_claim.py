"""Who may have an `ipc://` endpoint: libzmq takes a socket's file from whoever listens on it.

TCP's ports are refused by the system where they are taken. A Unix socket is a file, and libzmq
removes whatever file is there before it binds. So it is asked first whether somebody answers. One
that nobody listens on was left by a program that was killed, and is replaced.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from realtime.errors import OutputError
from realtime.outputs.file_lock import try_lock
from realtime.outputs.private_files import open_private

IPC = "ipc://"
ABSTRACT = "@"  # a name without a file; the system refuses a taken one
ANY = "*"  # libzmq makes a name of its own
ASK_S = 1.0


class IpcClaim:
    """A claim of one endpoint; of another kind than `ipc://` it has nothing to do. One thread."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        path = endpoint.removeprefix(IPC)
        has_file = endpoint.startswith(IPC) and not path.startswith((ABSTRACT, ANY))
        self._path = path if has_file else ""
        self._file: tuple[int, int] | None = None

    @contextlib.contextmanager
    def binding(self) -> Iterator[None]:
        """Bind inside this: no other run binds there meanwhile.

        Raises:
            OutputError: Somebody listens there, or something that is no socket lies there.
        """
        if not self._path:
            yield
            return
        # Between asking and binding nobody else may do the same. The folder itself stays free: a
        # recorder may have it locked for all of its run.
        beside = Path(f"{self._path}.claim")
        try:
            held = _hold(beside)
        except OSError as error:
            raise OutputError(
                f"cannot publish on {self._endpoint} ({error.strerror}); --bind wants an endpoint "
                "in a folder that is there and can be written to, such as ipc:///tmp/events"
            ) from error
        if held is None:
            raise OutputError(f"{self._endpoint} is being opened by another program; try again")
        try:
            _refuse_if_taken(self._endpoint, self._path)
            yield
            self._file = _identity(self._path)
        finally:
            with contextlib.suppress(OSError):  # the folder went
                beside.unlink()
            os.close(held)

    def release(self) -> None:
        """Remove the socket's file, which libzmq leaves behind, if it is still ours."""
        if self._file is not None and _identity(self._path) == self._file:
            with contextlib.suppress(OSError):  # the folder went, or may not be written any more
                Path(self._path).unlink()
        self._file = None


def _hold(beside: Path) -> int | None:
    """Make a file and lock it; return its descriptor, None if somebody else has it for long.

    Who has it removes it before letting go, so what was locked may be there no more: then again.
    """
    deadline_s = time.monotonic() + ASK_S
    while (left_s := deadline_s - time.monotonic()) > 0:
        descriptor = open_private(beside, os.O_RDWR | os.O_CREAT)
        if not try_lock(descriptor, left_s):
            os.close(descriptor)
            return None
        locked = os.fstat(descriptor)
        if _identity(str(beside)) == (locked.st_dev, locked.st_ino):
            return descriptor
        os.close(descriptor)
    return None


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _refuse_if_taken(endpoint: str, path: str) -> None:
    try:
        mode = os.lstat(path).st_mode
    except OSError:  # nothing is there; or libzmq says why it cannot be had
        return
    if not stat.S_ISSOCK(mode):
        raise OutputError(
            f"cannot publish on {endpoint}: {path} is there and is no socket; "
            "choose another name with --bind"
        )
    if _somebody_answers(path):
        raise OutputError(
            f"{endpoint} is taken by another program; stop it, or choose another name with --bind"
        )


def _somebody_answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(ASK_S)
        try:
            asking.connect(path)
        except OSError as error:
            # Refused: it was left behind. Gone: it is free. Else it is there, and busy or not ours.
            return error.errno not in (errno.ECONNREFUSED, errno.ENOENT)
    return True
