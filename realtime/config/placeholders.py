"""What may stand in braces in a rule's text and command. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from realtime.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

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


def filled(
    text: str, values: Mapping[str, str], guard: Callable[[str], str] = lambda value: value
) -> str:
    """Put values in place of `{label}` and the like; a value is not looked through again.

    Args:
        text: What `check_placeholders` let pass.
        values: By name.
        guard: Changes the value that the text begins with.
    """

    def value(found: re.Match[str]) -> str:
        it = values.get(found[1], "")
        return guard(it) if found.start() == 0 else it

    return _PLACE.sub(value, text)
