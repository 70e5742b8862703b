"""Keeping up: how much of a live stream is computed, from how far decisions lie behind.

A machine that is too slow for sixteen pictures a second would decide later and later, or give
whole clips up. So the least is given up first, in this order: pictures of the grid (16, 8, 4, 2 a
second; a clip's visual feature is then the mean over those that were computed, each standing for
the places up to the next), then decisions (the hop twice and four times as long). The newest
always comes first. Files are never governed: they wait.

Pure: lags and times come in, a level comes out. Nothing here measures, drops or says anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from realtime.clock import NS_PER_S
from realtime.packets import GRID_HZ

HIGH_NS = NS_PER_S // 4  # a decision this far behind, twice in a row, is too late
RECOVER_NS = 10 * NS_PER_S  # so long must decisions be on time before more is tried
MAX_RECOVER_NS = 8 * RECOVER_NS  # where trying more has failed before
SETTLE_NS = NS_PER_S  # a clip: what is computed now shows in the lag no later


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadLevel:
    """How much is computed.

    Attributes:
        grid_hz: Pictures a second that go through the trunk, at most.
        hop_factor: How many times longer than asked for the hop is.
    """

    grid_hz: int = GRID_HZ
    hop_factor: int = 1

    @property
    def grid_stride(self) -> int:
        """Of so many places of the grid one is computed."""
        return GRID_HZ // self.grid_hz


FULL = LoadLevel()
LEVELS = (
    FULL,
    LoadLevel(grid_hz=8),
    LoadLevel(grid_hz=4),
    LoadLevel(grid_hz=2),
    LoadLevel(grid_hz=2, hop_factor=2),
    LoadLevel(grid_hz=2, hop_factor=4),
)


def levels_of(grid_hz: int) -> tuple[LoadLevel, ...]:
    """Return the levels of a bundle that has `grid_hz` pictures a second computed at most."""
    full = LoadLevel(grid_hz=grid_hz)
    return (full, *(level for level in LEVELS if level.grid_hz < grid_hz or level.hop_factor > 1))


class LoadGovernor:
    """Chooses the level of all live streams of a run; one thread calls it.

    Down: a lag above `high_ns` twice in a row, or four times that once, gives up one level, or
    more at once where it is many times too late; then it waits a clip's time for the effect. Up:
    one level after `RECOVER_NS` in which every lag was under half of `high_ns`. Where that proves
    too much soon after, the next try waits twice as long, up to `MAX_RECOVER_NS`; a level that
    holds wins the short wait back.

    Args:
        high_ns: The lag that is too long.
        grid_hz: Pictures a second where all is computed.
    """

    def __init__(self, high_ns: int = HIGH_NS, grid_hz: int = GRID_HZ) -> None:
        if high_ns < 1:
            raise ValueError(f"a lag that is too long is above 0, got {high_ns} ns")
        self._high_ns = high_ns
        self._levels = levels_of(grid_hz)
        self._index = 0
        self._n_over = 0
        self._changed_ns: int | None = None  # when the level changed last
        self._raised_ns: int | None = None  # when more was tried last
        self._calm_since_ns: int | None = None
        self._recover_ns = RECOVER_NS

    @property
    def level(self) -> LoadLevel:
        """How much is to be computed now."""
        return self._levels[self._index]

    @property
    def index(self) -> int:
        """Its place among the levels: 0 is all."""
        return self._index

    def observe(self, lag_ns: int, now_ns: int) -> LoadLevel:
        """Take note of one decision and return the level from now on.

        Args:
            lag_ns: How much later it came than on a machine that had nothing else to do, on the
                run's clock: not what was waited for a sense.
            now_ns: When it came.
        """
        if lag_ns > self._high_ns:
            self._calm_since_ns = None
            self._n_over += 1
            if self._n_over > 1 or lag_ns > 4 * self._high_ns:
                self._lower(lag_ns, now_ns)
            return self.level
        self._n_over = 0
        if lag_ns > self._high_ns // 2:
            self._calm_since_ns = None
        elif self._calm_since_ns is None:
            self._calm_since_ns = now_ns
        elif self._index and now_ns - self._calm_since_ns >= self._recover_ns:
            self._raise(now_ns)
        self._forgive(now_ns)
        return self.level

    def _lower(self, lag_ns: int, now_ns: int) -> None:
        if self._changed_ns is not None and now_ns - self._changed_ns < SETTLE_NS:
            return
        if self._raised_ns is not None and now_ns - self._raised_ns < RECOVER_NS:
            self._recover_ns = min(2 * self._recover_ns, MAX_RECOVER_NS)
        self._raised_ns = None
        n_levels = max(1, (lag_ns // self._high_ns).bit_length() - 1)  # each halves the pictures
        self._index = min(self._index + n_levels, len(self._levels) - 1)
        self._changed_ns = now_ns
        self._n_over = 0

    def _raise(self, now_ns: int) -> None:
        self._index -= 1
        self._changed_ns = self._raised_ns = self._calm_since_ns = now_ns

    def _forgive(self, now_ns: int) -> None:
        """Let a level that holds, or full load, win the short wait back."""
        if self._raised_ns is not None and now_ns - self._raised_ns >= MAX_RECOVER_NS:
            self._recover_ns = RECOVER_NS
