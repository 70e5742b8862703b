"""Batches of a feature set on the device that wants them, loaded ahead by threads.

Threads, not torch's loader processes: gathering rows is copying, which releases Python's lock, and
a process would send every batch of 60 MB through shared memory and, where processes are spawned,
get a copy of all that is memory-mapped. `benchmarks/train_throughput.py` times both.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from mafnet.compute import Compute
from mafnet.feature_set import Batch, FeatureSet


def load_batches(
    features: FeatureSet, rows: Sequence[NDArray[np.int64]], compute: Compute
) -> Iterator[Batch]:
    """Yield a batch for each of some row sets, in their order.

    The same tensors come whatever the number of workers. At most a batch more than there are
    workers is loaded ahead. Memory for a CUDA device is pinned, so that copies run beside the step.

    Args:
        features: What rows are of; arrays that are memory-mapped are read as they are asked for.
        rows: `(n,)` each.
        compute: The device, and how many threads load.

    Raises:
        FeaturesError: A value is not finite; when its batch's turn comes.
    """
    is_pinned = compute.device.type == "cuda"

    def load(own: NDArray[np.int64]) -> Batch:
        batch = features.batch(own)
        return batch.pinned() if is_pinned else batch

    if not compute.n_workers:
        for own in rows:
            yield load(own).to(compute.device)
        return
    waiting: deque[Future[Batch]] = deque()
    to_load = iter(rows)
    with ThreadPoolExecutor(compute.n_workers, "load") as pool:
        try:
            waiting.extend(pool.submit(load, own) for own in islice(to_load, compute.n_workers + 1))
            while waiting:
                batch = waiting.popleft().result()
                waiting.extend(pool.submit(load, own) for own in islice(to_load, 1))
                yield batch.to(compute.device)
        finally:  # who reads may stop early
            for future in waiting:
                future.cancel()


def in_order(n_rows: int, n_batch: int) -> list[NDArray[np.int64]]:
    """Return all rows in their order, ``n_batch`` at a time; the last may be fewer."""
    return [np.arange(start, min(start + n_batch, n_rows)) for start in range(0, n_rows, n_batch)]
