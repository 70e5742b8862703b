"""An edge's stream time, laid on the pool's grid.

The pool has the grid of 16 pictures a second. An edge that chose pictures by a grid of its own
would slip against it, and at times send two pictures of one place and none of the next. So the pool
says now and then where its grid lies on the edge's clock, and this follows its phase. Places are
counted here, so that a pool that begins anew turns nothing back.
"""

from __future__ import annotations

from dataclasses import dataclass

from realtime.clock import Timeline
from realtime.packets import SLOT_NS


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grid:
    edge_ns: int
    t_ns: int
    rate: float

    def t_at(self, time_ns: int) -> int:
        return self.t_ns + round((time_ns - self.edge_ns) * self.rate)


class GridTimeline(Timeline):
    """A `Timeline` whose places are the pool's once they are known. Any thread may call it."""

    def __init__(self) -> None:
        super().__init__()
        self._grid: _Grid | None = None

    def follow(self, edge_ns: int, t_ns: int, drift: float) -> None:
        """Say where the pool's grid lies.

        Args:
            edge_ns: A moment on this machine's clock.
            t_ns: The same in the pool's stream time.
            drift: Seconds of the pool's clock per second of this one, less one.
        """
        own_ns = edge_ns - self.start(edge_ns)
        n_slots = (2 * (own_ns - t_ns) + SLOT_NS) // (2 * SLOT_NS)  # to the nearest
        self._grid = _Grid(edge_ns=edge_ns, t_ns=t_ns + n_slots * SLOT_NS, rate=1.0 + drift)

    def start(self, time_ns: int) -> int:
        """Say that a sample came at `time_ns`; return where time 0 lies, seen from it."""
        epoch_ns = super().start(time_ns)
        grid = self._grid
        return epoch_ns if grid is None else time_ns - grid.t_at(time_ns)
