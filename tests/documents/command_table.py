"""Which commands the documents give, and how each is run: `commands.toml`.

Commands that only pages of `docs/lab` give are a class of their own: they were measured once, and
have to parse.
"""

from __future__ import annotations

import shlex
import tomllib
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from integration.readme_blocks import ROOT, shell_commands

TABLE = Path(__file__).with_name("commands.toml")
LAB = "docs/lab/"
DOCUMENTS = [
    "README.md",
    *(str(p.relative_to(ROOT)) for p in sorted((ROOT / "docs").rglob("*.md"))),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """How a command is run by `test_commands_run.py`.

    Attributes:
        add: Words behind those of the document, such as `--duration 2`.
        says: What it must print.
        code: The exit code that the documents promise.
        makes: A file or folder that it must leave.
        needs: What it reads besides what its words name.
        beside: Commands of the documents that run meanwhile, and are ended after it.
        types: What is typed.
        silent: It does what it should and says nothing.
    """

    add: str = ""
    says: str = ""
    code: int = 0
    makes: str = ""
    needs: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    types: str = ""
    silent: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandTable:
    """How each command is run.

    Attributes:
        stand_ins: What is put in the place of which words; `{NAME}` is told by the test.
        always: What is added to each command of a program.
        run: The commands that the test runs.
        beside: Commands that it runs beside those, and what is added to them.
        by: The test that runs a command, as `path::name`.
        ci: The target of `make` in `.ci/run` that a command is run by.
        apart: Commands that nothing runs, and why.
    """

    stand_ins: dict[str, str]
    always: dict[str, str]
    run: dict[str, Run]
    beside: dict[str, str]
    by: dict[str, str]
    ci: dict[str, str]
    apart: dict[str, str]

    def ways(self) -> dict[str, tuple[str, str]]:
        """Return for each command the name of its class and what is said of it there."""
        found = {command: ("run", run.add) for command, run in self.run.items()}
        found |= {
            command: ("run", f"beside another; {add}") for command, add in self.beside.items()
        }
        for kind, said in (("by", self.by), ("ci", self.ci), ("not", self.apart)):
            found |= {command: (kind, text) for command, text in said.items()}
        return found


@cache
def documented() -> dict[str, list[str]]:
    """Return each command of the documents' blocks, and the documents that give it."""
    places: dict[str, list[str]] = defaultdict(list)
    for document in DOCUMENTS:
        for words in shell_commands(document):
            command = shlex.join(" ".join(word.split()) for word in words)
            if document not in places[command]:
                places[command].append(document)
    return dict(places)


def of_the_lab(command: str) -> bool:
    """Whether pages of the lab alone give it."""
    return all(document.startswith(LAB) for document in documented()[command])


@cache
def read_table() -> CommandTable:
    """Read the table; a command's spaces are those of `shlex.join`."""
    content: dict[str, Any] = tomllib.loads(TABLE.read_text("utf-8"))
    runs = {
        command: Run(**{k: tuple(v) if isinstance(v, list) else v for k, v in how.items()})
        for command, how in content["run"].items()
    }
    return CommandTable(
        stand_ins=content["stand_ins"],
        always=content["always"],
        run=runs,
        beside=content["beside"],
        by=content["by"],
        ci=content["ci"],
        apart=content["not"],
    )
