"""What may stand in braces in a rule's text and command. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from realtime.errors import UsageError

PLACEHOLDERS = (
    "label",
    "source",
    "phase",
    "confidence",
    "onset",
    "duration",
    "time",
    "id",
    "rule",
    "profile",
    "clip",
)
_PLACE = re.compile(r"\{([a-z_]+)\}")


def check_placeholders(text: str, where: str) -> None:
    """Refuse a placeholder that there is not.

    Raises:
        UsageError: It names something else; other braces are text.
    """
    for name in _PLACE.findall(text):
        if name not in PLACEHOLDERS:
            known = ", ".join(PLACEHOLDERS)
            raise UsageError(f"{where}: there is no {{{name}}}; known are {known}")


def filled(text: str, values: Mapping[str, str]) -> str:
    """Put values in place of `{label}` and the like; a value is not looked through again."""
    return _PLACE.sub(lambda found: values.get(found[1], ""), text)


def begins_with_placeholder(text: str) -> bool:
    """Return whether a text begins with a value once it is filled in."""
    return _PLACE.match(text) is not None


def has_placeholder(text: str) -> bool:
    """Return whether anything is filled in."""
    return _PLACE.search(text) is not None
