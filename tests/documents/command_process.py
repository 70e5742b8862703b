"""Runs one command in a process of its own, forked from one that has the libraries loaded.

Starting Python and importing torch takes most of the time of a short command. A server that has
done both once forks a process for each command (`multiprocessing`'s forkserver). The command itself
begins as in a shell: its own folder, its own environment, `sys.argv`, its own output.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import runpy
import sys
import time
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from integration.readme_blocks import ROOT

SCRIPTS: dict[str, str] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
    "scripts"
]
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["documents.preloaded"])


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended, and both of its outputs."""

    code: int | None
    text: str


class Command:
    """A command that runs.

    Args:
        words: As a shell would have parted them.
        folder: Where it runs; what it says is kept beside it.
        environ: Variables of its own.
        typed: What is on its standard input.
    """

    def __init__(
        self, words: Sequence[str], folder: Path, environ: Mapping[str, str], typed: str = ""
    ) -> None:
        self._said = folder.with_name(f"{folder.name}-{time.monotonic_ns()}.txt")
        self._said.touch()
        typed_file = self._said.with_suffix(".typed")
        typed_file.write_text(typed, encoding="utf-8")
        environ = {"NO_COLOR": "1", "COLUMNS": "120", "PYTHONPATH": str(ROOT), **environ}
        self._process: BaseProcess = _CONTEXT.Process(
            target=_begin,
            args=(list(words), str(folder), environ, str(self._said), str(typed_file)),
        )
        self._process.start()

    def wait(self, timeout_s: float) -> Said:
        """Wait for its end; one that does not end is killed, and has no code."""
        self._process.join(timeout_s)
        code = self._process.exitcode
        if code is None:
            self._process.kill()
            self._process.join(10)
        return Said(code, self.text)

    def end(self, timeout_s: float = 30.0) -> Said:
        """Ask it to end, as a service manager does."""
        if self._process.exitcode is None:
            self._process.terminate()
        return self.wait(timeout_s)

    @property
    def text(self) -> str:
        """What it has said so far."""
        return self._said.read_text("utf-8", errors="replace")

    def wait_until(self, says: str, timeout_s: float) -> None:
        """Wait until it has said something.

        Raises:
            AssertionError: It has not, in that time.
        """
        deadline_s = time.monotonic() + timeout_s
        while says not in self.text:
            assert time.monotonic() < deadline_s, self.text
            assert self._process.exitcode is None, self.text
            self._process.join(0.1)


def _begin(words: list[str], folder: str, environ: dict[str, str], said: str, typed: str) -> None:
    with open(said, "ab", buffering=0) as file:  # noqa: PTH123 - a descriptor is wanted
        for number in (1, 2):
            os.dup2(file.fileno(), number)
    with open(typed) as file_in:  # noqa: PTH123
        os.dup2(file_in.fileno(), 0)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115
    for name, number in (("stdout", 1), ("stderr", 2)):
        setattr(sys, name, open(number, "w", closefd=False))  # noqa: SIM115
    multiprocessing.set_start_method(None, force=True)  # the system's own, as in a shell
    os.chdir(folder)
    os.environ.update(environ)
    sys.path[:] = [str(ROOT), *(path for path in sys.path if "/tests" not in path)]
    try:
        _run(words)
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()


def _run(words: list[str]) -> None:
    program, *rest = words
    if program in SCRIPTS:
        module, _, function = SCRIPTS[program].partition(":")
        sys.argv = [program, *rest]
        sys.exit(getattr(importlib.import_module(module), function)())
    assert program == "python", program
    if rest[0] == "-m":
        sys.argv = [rest[1], *rest[2:]]
        runpy.run_module(rest[1], run_name="__main__", alter_sys=True)
        return
    path = ROOT / rest[0] if (ROOT / rest[0]).is_file() else Path(rest[0])
    sys.path.insert(0, str(path.parent))
    sys.argv = [str(path), *rest[1:]]
    runpy.run_path(str(path), run_name="__main__")
