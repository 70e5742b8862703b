"""The README's programs run and its command lines parse, as they are written there."""

from __future__ import annotations

import ast
import contextlib
import inspect
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mafnet.__main__
import realtime
import realtime.keys
import realtime.subscribe
import weights.__main__
from integration.processes import ROOT, TIMEOUT_S, environment
from integration.readme_blocks import blocks, shell_commands
from realtime.flags import make_parser

pytestmark = pytest.mark.timeout(300)
PROGRAMS = blocks("README.md", "python")
SELF_CONTAINED = [
    text
    for text in PROGRAMS
    if '"clip.mp4"' in text and "camera" not in text and "rtsp" not in text
]
COMMANDS = shell_commands("README.md")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with `clip.mp4`: a siren of eight seconds in ten."""
    folder = tmp_path_factory.mktemp("readme")
    with contextlib.chdir(folder):
        runpy.run_path(str(ROOT / ".ci" / "make_clip.py"))
    return folder


def test_there_are_programs_to_try() -> None:
    assert len(SELF_CONTAINED) == 3
    assert PROGRAMS[0].startswith("from realtime import recognize\n")


@pytest.mark.parametrize("program", SELF_CONTAINED)
def test_program_tells_of_the_siren(program: str, folder: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environment(PYTHONPATH=str(ROOT)),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Siren ")


@pytest.mark.parametrize("program", PROGRAMS)
def test_program_calls_what_there_is(program: str) -> None:
    for node in ast.walk(ast.parse(program)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id in realtime.__all__:
            called = getattr(realtime, node.func.id)
            keywords = {str(word.arg): None for word in node.keywords}
            inspect.signature(called).bind(*node.args, **keywords)


def parsers() -> dict[str, Callable[[list[str]], object]]:
    """Return what reads the words behind each command."""

    def train(words: list[str]) -> object:
        return mafnet.__main__._parser().parse_args(["train", *words])

    live = make_parser().parse_args
    return {
        "run_stream.py": live,
        "mafnet-live": live,
        "mafnet-subscribe": realtime.subscribe._parser().parse_args,
        "mafnet-keys": realtime.keys._parser().parse_args,
        "mafnet-weights": weights.__main__._parser().parse_args,
        "mafnet-train": train,
        "mafnet": mafnet.__main__._parser().parse_args,
    }


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_command_line_parses(words: list[str]) -> None:
    while words[0] in ("python", "-m"):
        words = words[1:]
    read = parsers().get(words[0])
    if read is None:
        assert words[0] in {"pip", "make", "bash", "source", "extractors"}
        return
    try:
        read(words[1:])
    except SystemExit as end:
        assert end.code == 0  # noqa: PT017 - `--help` ends so
