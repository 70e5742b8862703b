"""Which frames a second shows: the newest at each place of the grid, held while none comes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from realtime.buffers.frame_ring import END_SLOT, FrameRing
from realtime.clock import NS_PER_S, Timeline
from realtime.packets import CLIP_SLOTS, SLOT_NS, GridFrame

if TYPE_CHECKING:
    from realtime.config import SourceConfig

N_INTERVALS = 5  # of which the middle one is a camera's usual interval
MIN_INTERVALS = 3


@dataclass(frozen=True, slots=True)
class _Shown:
    slot: int
    time_ns: int


class ClipPictures:
    """One stream's frames, handed out once; one thread calls it.

    Args:
        frames: The picture ring.
        timeline: The stream's own time.
        source: For how long a picture stands in for missing ones.
    """

    def __init__(self, frames: FrameRing, timeline: Timeline, source: SourceConfig) -> None:
        self._frames = frames
        self._timeline = timeline
        self._live = source.live
        self._hold_slots = round(source.hold_s * NS_PER_S) // SLOT_NS
        self._max_hold_slots = round(source.stale_s * NS_PER_S) // SLOT_NS
        self._intervals: deque[int] = deque(maxlen=N_INTERVALS)  # of frames handed out, in slots
        self._shown: deque[_Shown] = deque()  # frames handed out that may still be shown
        self._handed_slot = -1

    def take(
        self, end_slot: int, last_slot: int, stride: int, limit: int | None = None
    ) -> tuple[GridFrame, ...]:
        """Take the frames that nobody has had yet and that a clip or a later one shows.

        Args:
            end_slot: The clip's exclusive end, in sixteenths of stream time.
            last_slot: The last slot of which frames are taken.
            stride: One frame of so many slots is taken.
            limit: So many frames at most.
        """
        oldest = end_slot - CLIP_SLOTS
        held = self._frames.newest_at(oldest)
        first = max(self._handed_slot + 1, held[0] if held is not None else oldest)
        frames = tuple(self._frames.read(first, last_slot, limit, stride))
        for frame in frames:
            if self._handed_slot >= 0:
                self._intervals.append(frame.slot - self._handed_slot)
            self._shown.append(_Shown(frame.slot, frame.time_ns))
            self._handed_slot = frame.slot
        while len(self._shown) > 1 and self._shown[1].slot <= oldest:
            self._shown.popleft()
        return frames

    def show(self, end_slot: int, stride: int) -> tuple[tuple[int, ...], float]:
        """Say which frame each grid place shows, and the mean of frame time minus grid time, ns.

        Args:
            end_slot: The clip's exclusive end, in sixteenths of stream time.
            stride: One frame of so many slots is taken now.
        """
        # A file's frame stands until the next, however long that takes; only the very last ages,
        # once it has shown for as long as it should. Whether it is the last must not hang on how
        # far the reader is ahead.
        newest, shown_until = None, 0
        if self._frames.ended:
            newest, shown_until = self._frames.newest_at(END_SLOT), self._frames.end_slot
        last = -1 if newest is None else newest[0]
        held = max(self._held_slots(), stride - 1)
        slots: list[int] = []
        errors_ns: list[int] = []
        shown = iter(self._shown)
        current: _Shown | None = None
        following = next(shown, None)
        for slot in range(end_slot - CLIP_SLOTS, end_slot):
            while following is not None and following.slot <= slot:
                current, following = following, next(shown, None)
            if current is None:
                slots.append(-1)
                continue
            too_old = slot - current.slot > held
            if too_old and (self._live or current.slot == last) and slot >= shown_until:
                slots.append(-1)
                continue
            slots.append(current.slot)
            if current.slot == slot:
                errors_ns.append(current.time_ns - self._timeline.time_ns(slot * SLOT_NS))
        mean_ns = sum(errors_ns) / len(errors_ns) if errors_ns else 0.0
        return tuple(slots), mean_ns

    def _held_slots(self) -> int:
        """For how long a live picture stands in for the next: a slow camera's for its interval.

        The middle one of the last intervals, so that one stall makes no camera slow, and half as
        much again; what comes later than `stale_s` is gone for whoever watches the device, too.
        """
        if not self._live or len(self._intervals) < MIN_INTERVALS:
            return self._hold_slots
        usual = sorted(self._intervals)[len(self._intervals) // 2]
        return max(self._hold_slots, min(usual - 1 + usual // 2, self._max_hold_slots))

    def newest_ns(self, end_slot: int) -> int:
        """Return when the newest frame before `end_slot` was taken; there is one."""
        return max(f.time_ns for f in self._shown if f.slot < end_slot)

    def release(self, before_slot: int = 0) -> None:
        """Let the ring forget what was handed out, and what lies before a slot."""
        self._frames.release(max(self._handed_slot + 1, before_slot))
