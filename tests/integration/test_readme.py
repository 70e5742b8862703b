"""The README's programs run as they are written there."""

from __future__ import annotations

import ast
import contextlib
import inspect
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import realtime
from integration.processes import ROOT, TIMEOUT_S, environment
from integration.readme_blocks import blocks

pytestmark = pytest.mark.timeout(300)
PROGRAMS = [
    *blocks("README.md", "python"),
    *blocks("docs/guide/sources.md", "python", "Your own capture"),
    *blocks("docs/guide/receiving.md", "python", "In the same program"),
]
GUIDES = [
    text
    for path in sorted((ROOT / "docs" / "guide").glob("*.md"))
    if path.name != "extending.md"  # its programs are run
    for text in blocks(str(path.relative_to(ROOT)), "python")
]
SELF_CONTAINED = [
    text
    for text in PROGRAMS
    if '"clip.mp4"' in text and "camera" not in text and "rtsp" not in text
]


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


@pytest.mark.parametrize("program", [*PROGRAMS, *GUIDES])
def test_program_calls_what_there_is(program: str) -> None:
    for node in ast.walk(ast.parse(program)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id in realtime.__all__:
            called = getattr(realtime, node.func.id)
            keywords = {str(word.arg): None for word in node.keywords}
            inspect.signature(called).bind(*node.args, **keywords)
