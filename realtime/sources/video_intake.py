"""From frames at any rate to at most one resized frame for each place of the 16-a-second grid.

The frame's slot is that of ffmpeg's `fps=16` filter, with which the paper's features were made:
round half up, the newest frame of a slot wins. A resize costs more than anything else in capture,
so a frame is resized, and even converted to RGB, only once it is chosen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from realtime.packets import SLOT_NS

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from realtime.buffers.frame_ring import FrameRing
    from realtime.clock import Timeline
    from realtime.stats import Stats

    Render = Callable[[], NDArray[np.uint8]]

_INTERVAL_WEIGHT = 0.1  # of the newest interval in the running one: about ten frames


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    slot: int
    time_ns: int
    render: Callable[[], NDArray[np.uint8]]


def slot_of(t_ns: int) -> int:
    """Return the grid place of stream time `t_ns`: floor(16 t + 0.5), in integers."""
    return (t_ns + SLOT_NS // 2) // SLOT_NS


class VideoIntake:
    """Chooses frames and puts them into the ring; one capture thread calls it.

    Not live, a slot's frame is chosen when one of a later slot comes, so that the choice is exact.
    Live, it is chosen at once if, at the running rate, no other is due in the same slot: that
    saves one frame's latency.

    A frame before t = 0 or before its predecessor is dropped and counted in `dropped_frames`; a
    frame that gives way to a newer one of its slot is no loss and is not counted.
    """

    def __init__(
        self,
        timeline: Timeline,
        ring: FrameRing,
        prepare: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
        live: bool,
        stats: Stats,
        tap: Callable[[int, Render], Render] | None = None,
        date: Callable[[int], int] | None = None,
    ) -> None:
        self._timeline = timeline
        self._ring = ring
        self._prepare = prepare
        self._live = live
        self._stats = stats
        self._tap = tap  # a recorder takes every frame, not the grid's alone
        self._date = date  # live: from what the device says to when it was
        self._pending: _Candidate | None = None
        self._stored_slot = -1
        self._newest_ns: int | None = None
        self._end_ns = 0  # until when the newest frame shows, as far as its source tells
        self._interval_ns: float | None = None

    def append(self, time_ns: int, image: NDArray[np.uint8]) -> None:
        """Take one frame, RGB uint8 `(H, W, 3)`, which nobody writes to any more."""
        self.append_lazy(time_ns, lambda: image)

    def append_lazy(
        self, time_ns: int, render: Callable[[], NDArray[np.uint8]], length_ns: int = 0
    ) -> None:
        """Take one frame that is made only if it is chosen.

        Args:
            time_ns: When it was taken, on the run's clock.
            render: Returns it as RGB uint8 `(H, W, 3)`; called at most once, in this thread.
            length_ns: How long it shows, where its source tells; a stream's last frame needs it.
        """
        self._stats.count("frames")
        if self._date is not None:
            time_ns = self._date(time_ns)
        t_ns = time_ns - self._timeline.start(time_ns)
        if t_ns < 0 or (self._newest_ns is not None and time_ns < self._newest_ns):
            self._stats.count("dropped_frames")
            return
        self._update_interval(time_ns)
        self._end_ns = max(self._end_ns, time_ns + length_ns)
        if self._tap is not None:
            render = self._tap(time_ns, render)
        slot = slot_of(t_ns)
        if self._pending is not None and self._pending.slot < slot:
            self._store(self._pending)
        self._ring.mark(slot - 1)
        if slot <= self._stored_slot:
            return
        self._pending = _Candidate(slot=slot, time_ns=time_ns, render=render)
        if self._live and self._is_last_of_slot(t_ns, slot):
            self._store(self._pending)
            self._ring.mark(slot)

    def end(self) -> None:
        """Store what is pending and end the ring."""
        if self._pending is not None:
            self._store(self._pending)
        epoch_ns = self._timeline.epoch_ns
        self._ring.end(0 if epoch_ns is None else slot_of(self._end_ns - epoch_ns))

    def _is_last_of_slot(self, t_ns: int, slot: int) -> bool:
        return self._interval_ns is not None and slot_of(t_ns + round(self._interval_ns)) > slot

    def _store(self, frame: _Candidate) -> None:
        self._pending = None
        self._stored_slot = frame.slot
        if not self._ring.wants(frame.slot):  # nobody would compute it: spare the resize too
            if self._ring.pass_over(frame.slot):
                self._stats.count("skipped_frames")
            return
        image = self._prepare(frame.render())
        if self._is_empty(image):
            self._stats.count("withheld_frames")
        elif self._ring.append(frame.slot, frame.time_ns, image):
            self._stats.count("grid_frames")

    def _is_empty(self, image: NDArray[np.uint8]) -> bool:
        """Whether a chosen picture says nothing and is kept out of the ring; never of a file."""
        return False

    def _update_interval(self, time_ns: int) -> None:
        if self._newest_ns is not None:
            interval_ns = float(time_ns - self._newest_ns)
            if self._interval_ns is None:
                self._interval_ns = interval_ns
            else:
                self._interval_ns += _INTERVAL_WEIGHT * (interval_ns - self._interval_ns)
        self._newest_ns = time_ns
