"""What a person is told when recording stops: why, and what to do. Pure."""

from __future__ import annotations

import errno

from realtime.errors import OutputError

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}
_NO_FOLDER = {errno.ENOENT, errno.ENOTDIR, errno.ESTALE}


def reason_of(error: OSError | OutputError) -> str:
    """Return an error's own words."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def advice_on(error: OSError | OutputError | None, folder: str, retry_s: int) -> str:
    """Return what to do about `error`, None for a disk below its reserve, while recording stops."""
    code = error.errno if isinstance(error, OSError) else None
    if error is None or code in _NO_ROOM:
        return f"make room in {folder} and it goes on by itself"
    if code in _NO_FOLDER:
        return (
            f"was {folder} moved or removed? It is made again and recording goes on; "
            "if the folder above it went too, make that"
        )
    return f"it is tried again every {retry_s} s"
