"""Several arrays as one along their first axis, read where they lie: nothing is copied to join."""

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray


class Shards:
    """Arrays one after another, such as the memory-mapped ones of several folders.

    Rows are read when they are asked for, so all of them together may be larger than memory. Any
    thread may read.

    Args:
        parts: `(n, …)` each, the same behind the first axis.

    Raises:
        ValueError: There is none, or they differ.
    """

    def __init__(self, parts: Sequence["NDArray[Any] | Shards"]) -> None:
        if not parts or len({part.shape[1:] for part in parts}) != 1:
            raise ValueError(f"parts must agree, got {[part.shape for part in parts]}")
        self._parts = tuple(parts)
        self._ends = np.cumsum([len(part) for part in parts])
        self.dtype: np.dtype[Any] = np.result_type(*(part.dtype for part in parts))
        self.shape: tuple[int, ...] = (int(self._ends[-1]), *parts[0].shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for part in self._parts:
            yield from part

    @overload
    def __getitem__(self, rows: int) -> NDArray[Any]: ...

    @overload
    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[Any]: ...

    def __getitem__(self, rows: int | NDArray[np.int64]) -> NDArray[Any]:
        """Read one row, or `(n,)` rows in their order as a new array."""
        wanted = np.atleast_1d(np.asarray(rows, np.int64))
        if wanted.ndim != 1 or (wanted < 0).any() or (wanted >= len(self)).any():
            raise IndexError(f"rows must be below {len(self)} and not negative")
        gathered = np.empty((len(wanted), *self.shape[1:]), self.dtype)
        shard = np.searchsorted(self._ends, wanted, side="right")
        for k in np.unique(shard):
            here = shard == k
            first = self._ends[k] - len(self._parts[k])
            gathered[here] = self._parts[k][wanted[here] - first]
        return gathered[0] if np.ndim(rows) == 0 else gathered
