"""Where a run writes: whether it may, and how much room there is."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from realtime.doctor.finding import Finding, failure, good, warning
from weights.store import default_home

if TYPE_CHECKING:
    from realtime.config import RunConfig

_MIB = 1 << 20
_LITTLE_MIB = 500  # for the cache: a graph of each trunk, and a bundle that is fetched


def check_places(config: RunConfig) -> Iterator[Finding]:
    """Look at the folders of recordings and history, where the settings ask for them."""
    if config.record is not None:
        folder = Path(config.record.directory)
        least = config.record.min_free_mib
        yield check_folder("recordings", folder, "name another with --record", least)
    if config.history is not None:
        file = Path(config.history.file)
        if file.is_dir():
            yield failure("history", f"{file} is a folder; name a file with --history")
        elif file.exists() and not os.access(file, os.R_OK | os.W_OK):
            yield failure("history", f"{file} may not be written; check its owner and permissions")
        else:
            yield check_folder("history", file.parent, "name another file with --history")


def check_store() -> Finding:
    """Look whether fetched weights and graphs can be kept."""
    return check_folder("cache", default_home(), "point MAFNET_HOME at a folder of yours")


def check_folder(name: str, folder: Path, advice: str, least_mib: int = _LITTLE_MIB) -> Finding:
    """Write a file into a folder, or into the nearest one above that is there.

    Args:
        name: What is kept there.
        folder: Which need not be there yet; nothing is left behind.
        advice: What to do where it cannot be written.
        least_mib: Room below which a run would complain.
    """
    try:
        there = folder.absolute()
        while not there.exists() and there != there.parent:
            there = there.parent
        with tempfile.NamedTemporaryFile(dir=there) as file:
            file.write(b"\0" * 4096)
            file.flush()
        free_mib = shutil.disk_usage(there).free // _MIB
    except OSError as error:
        return failure(name, f"{folder} cannot be written ({error.strerror}); {advice}")
    new = "" if there == folder.absolute() else ", which would be made"
    said = f"{folder}{new}, {free_mib / 1024:.1f} GiB free"
    if free_mib < least_mib:
        return warning(name, f"{said}, less than {least_mib} MiB; make room, or {advice}")
    return good(name, said)
