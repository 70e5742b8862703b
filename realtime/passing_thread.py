"""Work in a thread that ends, so that no waiting threads of its OpenMP stay behind.

OpenMP (torch's) keeps a pool for each thread that ever computed in parallel, while that thread
lives. Once a process has more pool threads than cores, all of them sleep at each barrier instead of
spinning: DenseNet-201 took 122 ms for four frames where it takes 67 (torch, bfloat16, two cores).
So the networks are built here, and only the recognize thread has a pool.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def in_passing_thread(work: Callable[[], Result]) -> Result:
    """Return what `work` returns, or raise what it raises; its thread is gone by then."""
    with ThreadPoolExecutor(1, thread_name_prefix="passing") as thread:
        return thread.submit(work).result()
