"""Teaching from the page: `python -m mafnet teach` beside the run, one at a time.

A process of its own, with less say about the processor than the run, so that recognition waits for
none of it. What it is told are a label and ids of events, checked; it finds the clips through the
history. When it has ended well the run is asked to take the bundle that it made.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from realtime.swap_state import SwapState
from weights.printable import cleaned
from weights.store import taught_home

logger = logging.getLogger(__name__)

NICENESS = 10
MAX_LINE = 1 << 20
MAX_FAULT = 500  # characters of what a process said last
WORDS = [sys.executable, "-m", "mafnet", "teach"]


class Teacher:
    """Teaches, takes back, and says how it goes; any thread may call it.

    Args:
        history: What was reviewed.
        recordings: The folder that clips lie in; None for the history's.
        bundle: The run's, as `--bundle` names it.
        state: Returns which one is in use now.
        take: Has the run take a bundle.
        words: The command.
    """

    def __init__(
        self,
        history: Path,
        recordings: Path | None,
        bundle: str,
        *,
        state: Callable[[], SwapState],
        take: Callable[[str], None],
        words: Sequence[str] = WORDS,
    ) -> None:
        self._history = history
        self._recordings = history.parent if recordings is None else recordings
        own = Path(bundle)
        is_taught = bundle == "taught" or (own / "before").is_dir()
        self._folder = own if is_taught and bundle != "taught" else taught_home()
        self._start = "starter" if is_taught else bundle
        self._state = state
        self._take = take
        self._words = list(words)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._is_closed = False
        self._step: dict[str, Any] | None = None  # what it does now; None while it does nothing
        self._result: dict[str, Any] | None = None
        self._fault = ""

    def begin(self, label: str | None, events: Sequence[str]) -> bool:
        """Teach a label from events, or all that was reviewed; return whether nobody does yet."""
        words = [f"--from-history={self._history}", f"--recordings={self._recordings}"]
        words += [f"--bundle={self._start}"]
        if label is not None:
            words += [f"--label={label}", *(f"--event={event}" for event in events)]
        return self._begin(words)

    def undo(self) -> bool:
        """Go back to the bundle before; return whether nobody teaches."""
        return self._begin(["--undo"])

    def told(self) -> dict[str, object]:
        """Return what goes on, what came of the last teaching, and which bundle is in use."""
        state = self._state()
        with self._lock:
            return {
                "step": self._step,
                "result": self._result,
                "fault": self._fault,
                "undo": self._n_steps(),
                "bundle": state.bundle,
                "is_loading": state.is_loading,
                "not_taken": state.fault,
            }

    def close(self) -> None:
        """End what goes on: what was in use stays so."""
        with self._lock:
            self._is_closed = True
            if self._process is not None:
                self._process.terminate()

    def _begin(self, words: list[str]) -> bool:
        with self._lock:
            if self._step is not None or self._is_closed:
                return False
            self._step, self._result, self._fault = {"step": "starting"}, None, ""
        words = [*self._words, *words, f"--to={self._folder}", "--json"]
        threading.Thread(target=self._work, args=(words,), name="web-teach", daemon=True).start()
        return True

    def _work(self, words: list[str]) -> None:
        fault, result = "", None
        try:
            result, fault = self._run(words)
        except OSError as error:
            fault = f"teaching could not be started ({error.strerror})"
        if fault:
            logger.warning("teaching: %s", fault)
        else:
            self._take(str(self._folder))
        with self._lock:
            self._process, self._step = None, None
            self._result, self._fault = result, fault

    def _run(self, words: list[str]) -> tuple[dict[str, Any] | None, str]:
        with subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        ) as process:
            return self._listen(process)

    def _listen(self, process: subprocess.Popen[str]) -> tuple[dict[str, Any] | None, str]:
        with contextlib.suppress(OSError, AttributeError):  # it has ended, or is not Unix
            os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
        with self._lock:
            self._process = process
            if self._is_closed:
                process.terminate()
        last: list[str] = []
        listener = threading.Thread(target=_keep_last, args=(process, last), daemon=True)
        listener.start()
        result: dict[str, Any] | None = None
        assert process.stdout is not None
        while line := process.stdout.readline(MAX_LINE):
            with contextlib.suppress(ValueError):
                said = cleaned(json.loads(line))
                if "step" in said:
                    with self._lock:
                        self._step = said
                else:
                    result = said
        code = process.wait()
        listener.join()
        if code == 0 and result is not None:
            return result, ""
        sentence = (last[-1] if last else "").removeprefix("error: ")[:MAX_FAULT]
        return None, sentence or f"teaching ended with code {code}"

    def _n_steps(self) -> int:
        return len(list((self._folder / "before").glob("*.json")))


def _keep_last(process: subprocess.Popen[str], last: list[str]) -> None:
    assert process.stderr is not None
    while line := process.stderr.readline(MAX_LINE):
        last[:] = [line.strip()] if line.strip() else last
