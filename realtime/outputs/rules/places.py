"""Where targets' addresses stand: in the settings, in a variable or in a file of their own."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from realtime.config.rules import ENVIRONMENT, FILE, is_elsewhere
from realtime.errors import OutputError

logger = logging.getLogger(__name__)

MAX_FILE_BYTES = 65_536


def addresses_of(place: str, rule: str, environment: Mapping[str, str] | None = None) -> list[str]:
    """Return the addresses of a place, one or several.

    Args:
        place: An address, `env:NAME` or `file:/path`. A file has one a line; `#` begins a comment.
        rule: Whose; for what is said.
        environment: Where variables are; None for this program's.

    Raises:
        OutputError: There is nothing. No sentence repeats an address.
    """
    if not is_elsewhere(place):
        return [place]
    environment = os.environ if environment is None else environment
    where = f"rule {rule!r}: {place}"
    if place.startswith(ENVIRONMENT):
        text = environment.get(place.removeprefix(ENVIRONMENT), "")
        missing = "the variable is not set"
    else:
        text = _read(Path(place.removeprefix(FILE)).expanduser(), where)
        missing = "the file holds no address"
    lines = [line.strip() for line in text.splitlines()]
    addresses = [line for line in lines if line and not line.startswith("#")]
    if not addresses:
        raise OutputError(f"{where}: {missing}; put an address there")
    return addresses


def _read(file: Path, where: str) -> str:
    try:
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode):
            raise OutputError(f"{where}: this is no ordinary file")
        if stat.S_IMODE(mode) & 0o077:
            logger.warning("%s can be read by others; `chmod 600` it", file)
        with file.open("rb") as opened:
            return opened.read(MAX_FILE_BYTES).decode()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise OutputError(f"{where}: it cannot be read: {reason}") from error
