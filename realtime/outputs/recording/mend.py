"""What a run that was killed left in a recording folder, put in order at the next start.

A sidecar that says `recording` lies beside a `.part.mp4`, which becomes an ordinary MP4, or beside
an MP4 that was whole when the run ended before it said so. A sidecar may itself be torn: the power
went while it was written. Each becomes `broken` and says why, so that nobody waits for it and
retention knows whose it is. It deletes only copies that nobody finished, and MP4s in which nothing
plays.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from typing import TYPE_CHECKING

from realtime.outputs.private_files import open_private
from realtime.outputs.recording.codec import can_be_played
from realtime.outputs.recording.fault import reason_of
from realtime.outputs.recording.file import make_whole
from realtime.outputs.recording.sidecars import MAKER, MAX_SIDECAR_BYTES, RecordPaths, read_sidecar

if TYPE_CHECKING:
    from pathlib import Path

    from realtime.outputs.recording.store import RecordStore

logger = logging.getLogger(__name__)

KILLED = "the program ended before it could finish it"
_UNFINISHED = re.compile(r"\.\d{6}_[A-Za-z0-9-]+_[A-Za-z0-9]+-\d+\.(json|mp4)\..*part")


def mend(store: RecordStore) -> int:
    """Put in order what no run goes on with; the folder is this run's alone, its age told.

    Returns:
        How many recordings were mended; raises OSError where the folder cannot be read.
    """
    n_mended = 0
    for file in store.files():
        if _UNFINISHED.fullmatch(file.name):
            with contextlib.suppress(OSError):  # it may stay, and the rest is mended
                file.unlink(missing_ok=True)
    for sidecar in store.sidecars():
        content = read_sidecar(sidecar)
        if content is None:
            content = _content_of_torn(store) if _is_torn(sidecar) else None
        elif content.get("state") != "recording":
            content = None
        if content is None:
            continue
        try:
            _end(store, RecordPaths.of(sidecar), content)
        except OSError as error:  # the others can be mended all the same
            logger.warning("%s cannot be mended: %s", sidecar, reason_of(error))
            continue
        n_mended += 1
    if n_mended:
        logger.info("%d recordings that an earlier run left unfinished were ended", n_mended)
    return n_mended


def _end(store: RecordStore, paths: RecordPaths, content: dict[str, object]) -> None:
    part, final = paths.part, paths.final
    if _is_file(part):
        if can_be_played(part):
            make_whole(part, final)
        else:
            part.unlink()
    there = [path.name for path in (final, part) if _is_file(path)]
    store.write_sidecar(
        paths,
        {**content, "state": "broken", "why": KILLED, "file": there[0] if there else None},
    )


def _content_of_torn(store: RecordStore) -> dict[str, object]:
    """Return what is said of a recording of which nobody knows when it was: it begins to age now.

    Else it would count as older than all, and go at once from a folder that is older than that.
    """
    for _ in store.recordings():  # after which number it comes
        pass
    place = store.age.next_place()
    store.age.keep()
    return {"folder": place}


def _is_torn(sidecar: Path) -> bool:
    """Tell whether a sidecar that cannot be read was ours: it begins so, or a part lies beside."""
    try:
        with os.fdopen(open_private(sidecar, os.O_RDONLY), "rb") as file:
            text = file.read(MAX_SIDECAR_BYTES)
    except OSError:
        return False
    is_ours = text.startswith(b'{\n "made_by": "' + MAKER.encode() + b'"')
    is_empty = not text.strip(b"\0\n ")
    return is_ours or (is_empty and _is_file(RecordPaths.of(sidecar).part))


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
