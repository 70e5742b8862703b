"""Runs a program about an event: no shell, a time limit, and then its children end with it.

Its arguments are the rule's own words. A value in them has no control characters, and where a word
begins with one, neither a `-` nor an `@` in front: it can be taken for no flag and no file's name.
Exact values are in the environment. Secrets of this program are not.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING

from realtime.errors import OutputError
from realtime.outputs.rules.target import Answer, Outcome

if TYPE_CHECKING:
    from realtime.outputs.rules.job import Job

GRACE_S = 1.0  # between asking a program to end and ending it


class Command:
    """Runs one program; see `realtime.outputs.rules.target.Target`.

    Args:
        rule: The rule's name.
        words: Program and arguments, with placeholders.
        limit_s: It is ended then.
        hidden: Variables that it does not get.

    Raises:
        OutputError: There is no such program.
    """

    def __init__(
        self, rule: str, words: tuple[str, ...], limit_s: float, hidden: Collection[str]
    ) -> None:
        self.name = f"rule {rule!r}, run"
        self.limit_s = limit_s
        self._words = words
        self._hidden = frozenset(hidden)
        self._process: subprocess.Popen[bytes] | None = None
        if shutil.which(os.path.expanduser(words[0])) is None:  # noqa: PTH111 - as a shell has it
            raise OutputError(
                f"rule {rule!r} runs {words[0]!r}, and there is no such program that may be run"
            )

    def tell(self, job: Job) -> Answer:
        """Run it once."""
        arguments = job.arguments(self._words)
        arguments[0] = os.path.expanduser(arguments[0])  # noqa: PTH111
        environment = {k: v for k, v in os.environ.items() if k not in self._hidden}
        environment.update(job.environment())
        try:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environment,
                start_new_session=True,  # so that its children can be ended with it
            )
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "its arguments cannot be passed"
            return Answer(Outcome.GIVEN_UP, f"it cannot be run: {reason}")
        self._process = process
        try:
            code = process.wait(self.limit_s)
        except subprocess.TimeoutExpired:
            _end(process)
            return Answer(Outcome.GIVEN_UP, f"it took longer than {self.limit_s:g} s and was ended")
        finally:
            self._process = None
        if code == 0:
            return Answer(Outcome.DONE)
        why = f"it was ended by signal {-code}" if code < 0 else f"it ended with exit code {code}"
        return Answer(Outcome.GIVEN_UP, why)

    def give_up(self) -> None:
        """End what runs now: this program ends. Any thread."""
        process = self._process
        if process is not None and process.returncode is None:
            _signal(process, signal.SIGKILL)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program that still runs, and all of its session that did not leave it.

    It is waited for last: until then nobody else can have its number.
    """
    _signal(process, signal.SIGTERM)
    threading.Event().wait(GRACE_S)
    _signal(process, signal.SIGKILL)
    process.wait()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
