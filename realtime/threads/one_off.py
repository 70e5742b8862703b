"""Work in a thread that ends, while its caller waits and still hears signals.

Connecting is such work: Python hears no signal inside a library. So is loading the networks, for
another reason: no waiting threads of their OpenMP may stay behind. OpenMP (torch's) keeps a pool
for each thread that ever computed in parallel, while that thread lives. Once a process has more
pool threads than cores, all of them sleep at each barrier instead of spinning: DenseNet-201 took
122 ms for four frames where it takes 67 (torch, bfloat16, two cores).
With the networks built here only the recognize thread has a pool.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

Result = TypeVar("Result")

LOOK_S = 0.1
_left: list[threading.Thread] = []  # those that nobody waits for any more


class OneOffThread:
    """Does one piece of work while its caller waits; a signal ends the waiting, not the work.

    Args:
        name: The thread's name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = False  # also after a signal's exception, while the work goes on

    def run(self, work: Callable[[], Result]) -> Result:
        """Return what `work` returns, or raise what it raises; the thread is gone by then."""
        outcome: Future[Result] = Future()
        thread = threading.Thread(target=_work, args=(work, outcome), name=self.name, daemon=True)
        self.alive = True
        try:
            thread.start()  # a signal may come before it returns
            while not outcome.done():
                wait((outcome,), LOOK_S)  # in parts: a signal may have gone to another thread
        except BaseException:
            _left.append(thread)
            raise
        thread.join()
        self.alive = False
        return outcome.result()


def left_behind() -> list[str]:
    """Return the names of the threads that work on, though a signal ended the waiting for them."""
    return [thread.name for thread in _left if thread.is_alive()]


def _work(work: Callable[[], Result], outcome: Future[Result]) -> None:
    try:
        outcome.set_result(work())
    except BaseException as error:  # noqa: BLE001 - the caller raises it
        outcome.set_exception(error)
