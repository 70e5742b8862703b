"""A settings file's keys explained where they stand, in the words of the settings' docstrings."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from realtime.command_line.config_file import LISTS, TABLES
from realtime.config import RunConfig

_WIDTH = 98  # behind `# `
_ATTRIBUTES = re.compile(r"^Attributes:\n((?: .*\n?|\n)*)", re.MULTILINE)  # to the next section
_ENTRY = re.compile(r"^    (\w+): (.*(?:\n {8,}.*)*)", re.MULTILINE)
_TABLE = re.compile(r"^\[{1,2}([\w.]+)\]{1,2}$")
_KEY = re.compile(r"^(\w+) = ")


def with_comments(toml: str) -> str:
    """Return a settings file with a comment above each key that is known.

    Args:
        toml: As `realtime.command_line.config_file.format_config` writes it.
    """
    return "".join(f"{line}\n" for line in _commented(toml))


def told_of(kind: type[Any]) -> dict[str, str]:
    """Return what a settings class's docstring says of each of its attributes, by name."""
    section = _ATTRIBUTES.search(inspect.getdoc(kind) or "")  # none under `python -OO`
    if section is None:
        return {}
    return {name: " ".join(text.split()) for name, text in _ENTRY.findall(section[1])}


def _commented(toml: str) -> Iterator[str]:
    told = told_of(RunConfig)
    seen: set[str] = set()
    for line in toml.splitlines():
        if table := _TABLE.match(line):
            kind = TABLES.get(table[1]) or LISTS.get(table[1])
            # The second [[source]] need not be explained again.
            told = {} if kind is None or table[1] in seen else told_of(kind)
            seen.add(table[1])
        elif (key := _KEY.match(line)) and key[1] in told:
            yield from (f"# {part}" for part in textwrap.wrap(_plain(told[key[1]]), _WIDTH))
        yield line


def _plain(text: str) -> str:
    """Take a docstring's marks of code away; a comment shows them as they are."""
    return text.replace("`", "")
