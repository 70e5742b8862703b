"""A lock on a file or folder that the system lets go when the program ends, however it ends."""

from __future__ import annotations

import errno
import time

try:
    import fcntl
except ImportError:  # Windows: nothing is locked there
    fcntl = None  # type: ignore[assignment]

_LOOK_S = 0.02
_HELD = (errno.EWOULDBLOCK, errno.EACCES)


def try_lock(descriptor: int, timeout_s: float = 0.0) -> bool:
    """Lock what is open as `descriptor` for this process, until it is closed.

    Args:
        descriptor: A file or folder.
        timeout_s: How long to wait for somebody else to let go.

    Returns:
        False if somebody else has it. True also where the file system knows no locks: a program
        that cannot be told apart from others there is let through.
    """
    if fcntl is None:
        return True
    deadline_s = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _HELD:
                return True
        else:
            return True
        if time.monotonic() >= deadline_s:
            return False
        time.sleep(_LOOK_S)
