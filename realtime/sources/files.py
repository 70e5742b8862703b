"""Whether a file that a source names can be read, before any library is loaded for it."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from realtime.addresses import is_network
from realtime.config import SourceConfig
from realtime.errors import SourceError
from realtime.redaction import redacted_location
from weights import paths

if TYPE_CHECKING:
    from collections.abc import Sequence


def local_path(source: SourceConfig) -> str | None:
    """Return the path that a source reads; None for one that is no file.

    Raises:
        SourceError: It is the URL of another machine's file.
    """
    if source.kind != "media" or source.media is None or is_network(source.media):
        return None
    try:
        return paths.local_path(source.media)
    except ValueError as error:
        raise SourceError(str(error)) from error


def check_file(path: str) -> None:
    """Look at `path` without opening it: opening a pipe waits for whoever writes to it.

    Raises:
        SourceError: It is not there, may not be read, or is no ordinary file.
    """
    where = redacted_location(path)
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 - Path would make another path of "a//b"
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceError(f"there is no file {where}; {_advice(path)}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SourceError(f"{where} cannot be looked at ({reason}); check the path") from error
    if stat.S_ISDIR(mode):
        raise SourceError(f"{where} is a folder; give one file or URL")
    if not stat.S_ISREG(mode):
        raise SourceError(
            f"--source wants a file or a URL, {where} is a device, pipe or socket; "
            "a camera belongs to --camera, a microphone to --mic"
        )
    if not os.access(path, os.R_OK):
        raise SourceError(f"{where} may not be read; check its permissions")


def check_files(sources: Sequence[SourceConfig]) -> None:
    """Raise the first source's fault if all are files and none can be read.

    If one of several can, the run goes on with it.
    """
    faults = []
    for source in sources:
        path = local_path(source)
        if path is None:
            return
        try:
            check_file(path)
        except SourceError as error:
            faults.append(error)
    if len(faults) == len(sources):
        raise faults[0]


def _advice(path: str) -> str:
    """Say what to do about a path that leads nowhere: look for what nobody sees at its ends."""
    bare = path.strip()
    if bare != path and os.path.exists(bare):  # noqa: PTH110 - as above
        return "without the space or line end at its beginning or end there is one"
    return "check the path"
