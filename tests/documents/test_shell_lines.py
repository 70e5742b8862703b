"""Every command line of a document parses, and every `make` of one has its target."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import export.__main__
import extractors.__main__
import mafnet.__main__
import realtime.client.history
import realtime.client.keys
import realtime.client.rules
import realtime.client.subscribe
import realtime.cluster.edge.command
import realtime.cluster.pool.command
import realtime.completion
import weights.__main__
from documents.command_table import DOCUMENTS
from integration.processes import TIMEOUT_S, environment
from integration.readme_blocks import ROOT, blocks, shell_commands
from realtime.command_line.config_file import read_config_file
from realtime.command_line.flags import make_parser

COMMANDS = sorted({tuple(words) for name in DOCUMENTS for words in shell_commands(name)})
TARGETS = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
OTHERS = {"apt-get", "bash", "docker", "pip", "ray", "source", "torchrun"}  # not ours
GUIDES_OWN = "my_"  # programs of extending.md, which test_extending runs

pytestmark = pytest.mark.timeout(120)


def parsers() -> dict[str, Callable[[list[str]], object]]:
    """Return what reads the words behind each command."""

    def train(words: list[str]) -> object:
        return mafnet.__main__.make_parser().parse_args(["train", *words])

    live = make_parser().parse_args

    def pool(words: list[str]) -> object:
        own, others = realtime.cluster.pool.command.split(words)
        return realtime.cluster.pool.command.make_parser().parse_args(own), live(others)

    return {
        "run_stream.py": live,
        "mafnet-live": live,
        "mafnet-subscribe": realtime.client.subscribe.make_parser().parse_args,
        "realtime.edge": realtime.cluster.edge.command.make_parser().parse_args,
        "realtime.pool": pool,
        "mafnet-keys": realtime.client.keys.make_parser().parse_args,
        "mafnet-history": realtime.client.history.make_parser().parse_args,
        "mafnet-rules": realtime.client.rules.make_parser().parse_args,
        "mafnet-completion": realtime.completion.make_parser().parse_args,
        "mafnet-weights": weights.__main__.make_parser().parse_args,
        "weights": weights.__main__.make_parser().parse_args,
        "mafnet-train": train,
        "mafnet": mafnet.__main__.make_parser().parse_args,
        "mafnet-export": export.__main__.make_parser().parse_args,
        "extractors": extractors.__main__.make_parser().parse_args,
    }


def named_in_source(program: str) -> frozenset[str]:
    """Return the flags that a program's own file names, and what its package gives them all.

    No process has to be started for those.
    """
    place = ROOT / (program if program.endswith(".py") else program.replace(".", "/"))
    own = (place, place.with_name(f"{place.name}.py"), place / "__main__.py")
    files = [file for file in own if file.is_file()][:1]
    files += [file for file in (place.with_name("arguments.py"),) if files and file.is_file()]
    return frozenset(
        flag for file in files for flag in re.findall(r'"(--[\w-]+)"', file.read_text("utf-8"))
    )


@cache
def flags_of(*program: str) -> frozenset[str]:
    """Return the flags that a program's own help names."""
    result = subprocess.run(
        [sys.executable, *program, "--help"],
        cwd=ROOT,
        env=environment(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    return frozenset(re.findall(r"--[\w-]+", result.stdout))


def test_there_are_commands_to_try() -> None:
    assert len(COMMANDS) > 50


@pytest.mark.parametrize("words", COMMANDS, ids=shlex.join)
def test_command_line_parses(words: tuple[str, ...]) -> None:
    rest = [word for word in words if not re.fullmatch(r"[A-Z_]+=\d+", word)]
    if rest[0] == "make":
        assert rest[1] in TARGETS
        return
    module = rest[:2] == ["python", "-m"]
    program = rest[2] if module else rest[1] if rest[0] == "python" else rest[0]
    read = parsers().get(program)
    if program.startswith(GUIDES_OWN):
        return
    if read is None:
        script = ["-m", program] if module else [program]
        if rest[0] == "python" and program != "pytest":
            flags = {word for word in rest if word.startswith("--")}
            assert flags <= named_in_source(program) or flags <= flags_of(*script)
        else:
            assert program in OTHERS | {"pytest"}
        return
    try:
        read(rest[rest.index(program) + 1 :])
    except SystemExit as end:
        assert end.code == 0  # noqa: PT017 - `--help` ends so


@pytest.mark.parametrize("document", DOCUMENTS)
def test_settings_are_read(document: str, tmp_path: Path) -> None:
    for text in blocks(document, "toml"):
        if "[project" in text:
            continue
        file = tmp_path / "stream.toml"
        file.write_text(text, encoding="utf-8")
        read_config_file(file)
