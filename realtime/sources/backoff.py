"""How long to wait before a device is looked for again: 1, 5, 20, then 60 s, each a little off.

The jitter keeps a house full of recognizers from asking a camera that comes back all at once.
Pure: it neither waits nor knows the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from realtime.clock import NS_PER_S

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

JITTER = 0.25  # of a wait, up or down


class Backoff:
    """Hands out one wait after the other; one thread calls it.

    Args:
        tiers_s: The waits, seconds; the last is repeated.
        random_source: Where the jitter comes from.
    """

    def __init__(self, tiers_s: Sequence[float], random_source: random.Random) -> None:
        if not tiers_s:
            raise ValueError("a backoff needs at least one wait")
        self._tiers_s = tuple(tiers_s)
        self._random = random_source
        self._n_waits = 0

    @property
    def tier_s(self) -> float:
        """The wait that `next_ns` will vary."""
        return self._tiers_s[min(self._n_waits, len(self._tiers_s) - 1)]

    @property
    def is_last(self) -> bool:
        """Whether all the shorter waits have been tried."""
        return self._n_waits >= len(self._tiers_s) - 1

    def next_ns(self) -> int:
        """Return how long to wait now, and go up one tier."""
        wait_s = self.tier_s * self._random.uniform(1.0 - JITTER, 1.0 + JITTER)
        self._n_waits += 1
        return round(wait_s * NS_PER_S)

    def ease(self) -> None:
        """Go down to the second tier: what was lost is back, though it may flutter."""
        self._n_waits = min(self._n_waits, 1)

    def reset(self) -> None:
        """Begin with the first tier again: what was lost is well."""
        self._n_waits = 0
