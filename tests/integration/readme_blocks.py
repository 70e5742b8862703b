"""The code of a document's blocks, as they stand there."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parents[2]


def blocks(document: str, language: str, section: str | None = None) -> list[str]:
    """Return the fenced blocks of a language, in order; of one `## ` section where it is named."""
    text = (ROOT / document).read_text(encoding="utf-8")
    if section is not None:
        (text,) = (part for part in text.split("\n## ")[1:] if part.startswith(f"{section}\n"))
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def shell_commands(document: str, section: str | None = None) -> list[list[str]]:
    """Return the words of each command line, without comments and where its output goes."""
    commands = []
    for block in blocks(document, "sh", section):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                commands.append(list(itertools.takewhile(lambda word: word not in "|>", words)))
    return commands
