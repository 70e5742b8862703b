"""By how much a stream lags behind what its source delivers, so that nothing comes too late.

Shared by who measures how the source delivers (`realtime.sources.delivery`), the clip assembler,
which waits so much longer for every clip, and whoever tells how late decisions are.
"""

from __future__ import annotations

from realtime.clock import NS_PER_S

MAX_LAG_NS = 60 * NS_PER_S  # a source that delivers more seldom stands still


class Lag:
    """One number; one thread sets it, any may read it."""

    def __init__(self) -> None:
        self._ns = 0

    @property
    def ns(self) -> int:
        """How much later than captured all is taken for complete; 0 for a smooth source."""
        return self._ns

    def set(self, lag_ns: int) -> None:
        """Lag so much from now on."""
        self._ns = max(0, min(lag_ns, MAX_LAG_NS))
