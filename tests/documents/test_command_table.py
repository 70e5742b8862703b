"""The table of how the documents' commands are run fits the documents, the tests and `.ci/run`."""

from __future__ import annotations

import re
import shlex
import tomllib

import pytest

from documents.command_table import documented, of_the_lab, read_table
from integration.readme_blocks import ROOT

TABLE = read_table()
TARGETS = set(re.findall(r"^make ([\w-]+)", (ROOT / ".ci" / "run").read_text("utf-8"), re.M))


def test_every_command_has_one_entry_and_none_is_stale() -> None:
    parts = (TABLE.run, TABLE.beside, TABLE.by, TABLE.ci, TABLE.apart)
    entered = [command for part in parts for command in part]
    wanted = {command for command in documented() if not of_the_lab(command)}

    assert len(entered) == len(set(entered))
    assert set(entered) - wanted == set(), "no document has it"
    assert wanted - set(entered) == set(), "nothing says how it is run"


def test_what_runs_beside_another_is_named_there() -> None:
    assert {other for how in TABLE.run.values() for other in how.beside} == set(TABLE.beside)


@pytest.mark.parametrize("named", sorted(set(TABLE.by.values())))
def test_named_test_is_there(named: str) -> None:
    path, _, name = named.partition("::")

    assert f"def {name}(" in (ROOT / path).read_text("utf-8")


def test_ci_gives_the_named_target() -> None:
    assert set(TABLE.ci.values()) <= TARGETS


def test_every_stand_in_stands_for_something() -> None:
    commands = [f" {command} " for command in (*TABLE.run, *TABLE.beside)]

    for there in TABLE.stand_ins:
        assert any(f" {there} " in command for command in commands), there


def test_extras_that_are_installed_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    named = {
        extra
        for command in documented()
        for word in shlex.split(command)
        for extra in re.findall(r"^mafnet-live\[([\w-]+)\]$", word)
    }

    assert named
    assert named <= set(project["optional-dependencies"])
