"""Runs the whole program in this process with an input that may be anything, and judges it.

What counts as survived: an exit code of the documented ones within the time limit, at most one
sentence of error, no exception that comes through, no thread that stays, and no file opened for
writing outside the folder that the run was given.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

LIMIT_S = 20.0  # an input takes some hundredths of a second on an idle machine
EXIT_CODES = (0, 1, 2)


class TookTooLong(BaseException):
    """Comes out of whatever main does; a `BaseException`, so that nothing takes it for an error."""


@dataclass
class Outcome:
    """What one input did."""

    code: int | None = None
    sentence: str = ""
    faults: list[str] = field(default_factory=list)


class _Writes:
    """Notes which files are opened for writing, by an audit hook, which cannot be taken away."""

    def __init__(self) -> None:
        self.seen: list[str] | None = None
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.seen is None:
            return
        if event == "open":
            path, _, flags = arguments
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writes and isinstance(path, str | bytes | os.PathLike):
                self.seen.append(os.fsdecode(path))
        elif event in ("os.mkdir", "os.remove", "os.rmdir", "os.rename", "os.truncate"):
            self.seen += [os.fsdecode(p) for p in arguments[:2] if isinstance(p, str | bytes)]


_writes = _Writes()


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise `TookTooLong` in the main thread once `seconds` have gone."""

    def ring(_: int, __: FrameType | None) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def judge(
    call: Callable[[], int | None],
    *,
    folder: Path,
    limit_s: float = LIMIT_S,
    expected: tuple[type[Exception], ...] = (),
) -> Outcome:
    """Call something that must survive; say what it did.

    Args:
        call: Returns an exit code, or None where there is none.
        folder: The only place that may be written to.
        limit_s: How long it may take.
        expected: Errors that are an answer: one sentence each.
    """
    outcome = Outcome()
    threads = set(threading.enumerate())
    stdout, stderr = io.StringIO(), io.StringIO()
    _writes.seen = []
    try:
        with (
            contextlib.redirect_stdout(stdout),
            contextlib.redirect_stderr(stderr),
            limited(limit_s),
        ):
            outcome.code = call()
    except TookTooLong:
        outcome.faults.append(f"a hang: not done after {limit_s:g} s")
    except SystemExit as error:  # argparse's way out
        outcome.code = error.code if isinstance(error.code, int) else 1
    except expected as error:
        outcome.sentence = str(error)
        if not outcome.sentence.strip() or "\n" in outcome.sentence.strip():
            outcome.faults.append(f"not one sentence: {outcome.sentence!r}")
    except BaseException as error:  # noqa: BLE001 - the finding that this is all about
        outcome.faults.append(f"a traceback: {type(error).__name__}: {error}"[:300])
    finally:
        seen, _writes.seen = _writes.seen or [], None
    if outcome.code is not None and outcome.code not in EXIT_CODES:
        outcome.faults.append(f"exit code {outcome.code}")
    said = stderr.getvalue()
    if outcome.code:
        outcome.sentence = said.strip().splitlines()[-1] if said.strip() else ""
        if not outcome.sentence:
            outcome.faults.append(f"exit code {outcome.code} and not a word")
    if "Traceback" in said + stdout.getvalue():
        outcome.faults.append(f"a traceback was printed: {said[-300:]}")
    outside = [p for p in seen if not _is_inside(p, folder)]
    if outside:
        outcome.faults.append(f"written outside its folder: {outside[:3]}")
    outcome.faults += _threads_left(threads)
    return outcome


def _is_inside(path: str, folder: Path) -> bool:
    full = Path(path).resolve()
    return full.is_relative_to(folder.resolve()) or str(full).startswith(("/dev/", "/proc/"))


def _threads_left(before: set[threading.Thread]) -> list[str]:
    deadline = time.monotonic() + 5.0
    left = [t for t in threading.enumerate() if t not in before]
    for thread in left:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [f"the thread {t.name} stayed" for t in left if t.is_alive()]


class Findings:
    """Collects what went wrong with which input, and says all of it at the end."""

    def __init__(self) -> None:
        self.n = 0
        self.codes: dict[int | None, int] = {}
        self._faults: list[str] = []

    def add(self, name: str, outcome: Outcome) -> None:
        self.n += 1
        self.codes[outcome.code] = self.codes.get(outcome.code, 0) + 1
        self._faults += [f"{name}: {fault}" for fault in outcome.faults]

    def conclude(self, at_least: int) -> None:
        text = "\n".join(self._faults[:20])
        assert not self._faults, f"{len(self._faults)} faults in {self.n} inputs\n{text}"
        assert self.n >= at_least
