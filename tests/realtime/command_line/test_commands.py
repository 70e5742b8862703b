"""The console scripts: each leads somewhere, has a help, and calls itself by its name."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from weights.program import SCRIPTS, called_as, short_name

ROOT = Path(__file__).parents[3]
TARGETS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]


def main_of(target: str) -> Callable[[list[str]], int]:
    module, _, name = target.partition(":")
    main = getattr(import_module(module), name)
    assert callable(main)
    return main  # type: ignore[no-any-return]


def test_every_script_is_known_by_its_name() -> None:
    assert sorted(TARGETS) == sorted(SCRIPTS)


@pytest.mark.parametrize(("script", "target"), TARGETS.items())
def test_script_calls_itself_by_its_name(
    script: str, target: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [f"/somewhere/bin/{script}", "--help"])

    with pytest.raises(SystemExit) as end:
        main_of(target)(["--help"])

    told = capsys.readouterr().out
    assert end.value.code == 0
    assert told.startswith(f"usage: {script} ")
    assert "run_stream.py" not in told


def test_error_of_a_script_begins_with_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/mafnet-live"])

    assert main_of(TARGETS["mafnet-live"])([]) == 2
    assert capsys.readouterr().err.startswith("mafnet-live: nothing to watch or hear")


@pytest.mark.parametrize(
    ("first", "program", "name"),
    [
        ("run_stream.py", "python run_stream.py", "run_stream"),
        ("/x/realtime/__main__.py", "python -m realtime", "run_stream"),
        ("/x/bin/mafnet-live", "mafnet-live", "mafnet-live"),
        ("C:\\x\\Scripts\\mafnet-live.exe".replace("\\", "/"), "mafnet-live", "mafnet-live"),
    ],
)
def test_command_is_called_as_it_was(
    first: str, program: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [first])

    assert called_as("realtime", "run_stream.py") == program
    assert short_name() == name
