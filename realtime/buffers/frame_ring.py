"""The pictures of one stream: at most one resized frame for each place of the 16-a-second grid.

Frames come in by ascending slot from one capture thread and are copied out by the clip assembler.
Beside the frames the ring keeps a *watermark*, `final_slot`: no frame will come any more for that
slot or an earlier one, so that a reader knows a missing frame from one that is only late. It does
not choose, resize or hold frames; that is the intake's and the assembler's work.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from realtime.packets import GridFrame
from realtime.threads.mailbox import Policy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from realtime.buffers.signal import DataSignal
    from realtime.stats import Stats

END_SLOT = 1 << 62  # the watermark of an ended stream: past every slot
_WAIT_S = 0.5  # a producer that waits for a place looks up this often


class _Place(NamedTuple):
    slot: int
    time_ns: int
    row: int


class FrameRing:
    """Holds up to `capacity` frames of `(size, size, 3)`, RGB uint8.

    Any thread may call any method; frames are appended by one thread. Full: `DROP_OLDEST` forgets
    the oldest frame and counts it in `dropped_frames`, `WAIT` makes `append` wait for `release`.
    Closed or ended: `append` refuses and what is stored can still be read. `stride` is what the
    stream is asked for: the first frame of every so many slots; 1 for all.
    """

    def __init__(
        self,
        capacity: int,
        size: int,
        policy: Policy,
        signal: DataSignal,
        stats: Stats | None = None,
        stride: int = 1,
    ) -> None:
        if capacity < 1 or size < 1:
            raise ValueError(f"capacity and size must be at least 1, got {capacity} and {size}")
        self._store: NDArray[np.uint8] = np.zeros((capacity, size, size, 3), np.uint8)
        self._capacity = capacity
        self._policy = policy
        self._signal = signal
        self._stats = stats
        self._changed = threading.Condition()
        self._places: deque[_Place] = deque()
        self._n_appended = 0
        self._newest_slot = self._passed_slot = -1
        self._final_slot = -1
        self._end_slot = 0
        self._asked_stride = self._stride = stride
        self._read_slot = -1  # newest that was handed out
        self._skipped_slot = -1  # newest that was left out
        self._ended = False
        self._closed = False

    def __len__(self) -> int:
        with self._changed:
            return len(self._places)

    @property
    def final_slot(self) -> int:
        """The watermark: no frame comes any more for this slot or an earlier one; -1 at first."""
        with self._changed:
            return self._final_slot

    @property
    def ended(self) -> bool:
        """Whether the stream's pictures are over."""
        with self._changed:
            return self._ended

    @property
    def end_slot(self) -> int:
        """Exclusive end of what the last frame shows, once ended; 0 where there was none."""
        with self._changed:
            return self._end_slot

    def thin(self, stride: int) -> None:
        """Want only the first frame of every `stride` slots from now on, or what is asked for."""
        if stride < self._asked_stride:
            raise ValueError(f"of {self._asked_stride} slots a frame is wanted, got {stride}")
        with self._changed:
            self._stride = stride

    def wants(self, slot: int) -> bool:
        """Return whether a frame of `slot` is worth making; a late one is, to be refused."""
        with self._changed:
            late = slot <= self._newest_slot
            return late or slot // self._stride != self._newest_slot // self._stride

    def pass_over(self, slot: int) -> bool:
        """Note that the next frame, of `slot`, is not made; return whether load is the reason."""
        with self._changed:
            before = max(self._newest_slot, self._passed_slot)
            self._passed_slot = slot
            return slot // self._asked_stride != before // self._asked_stride

    def append(self, slot: int, time_ns: int, image: NDArray[np.uint8]) -> bool:
        """Copy a frame in as the newest.

        Args:
            slot: Its place on the grid; later than every frame so far and than the watermark.
            time_ns: When it was taken, on the run's clock.
            image: RGB uint8 `(size, size, 3)`.

        Returns:
            Whether it was taken. A frame that comes too late for its slot is refused and counted
            in `dropped_frames`; a closed or ended ring refuses in silence.
        """
        if image.shape != self._store.shape[1:]:
            raise ValueError(f"image must be {self._store.shape[1:]}, got {image.shape}")
        n_dropped = 0
        with self._changed:
            late = slot <= max(self._newest_slot, self._final_slot)
            if late and not (self._closed or self._ended):
                n_dropped = 1
            elif self._policy is Policy.WAIT:
                while len(self._places) >= self._capacity and not self._closed:
                    self._changed.wait(_WAIT_S)
            taken = not (late or self._closed or self._ended)
            if taken:
                if len(self._places) >= self._capacity:
                    self._places.popleft()
                    n_dropped = 1
                row = self._n_appended % self._capacity
                self._store[row] = image
                self._places.append(_Place(slot, time_ns, row))
                self._n_appended += 1
                self._newest_slot = slot
        if n_dropped and self._stats is not None:
            self._stats.count("dropped_frames", n_dropped)
        if taken:
            self._signal.notify()
        return taken

    def read(
        self, first_slot: int, last_slot: int, limit: int | None = None, stride: int = 1
    ) -> list[GridFrame]:
        """Return copies of the stored frames with `first_slot <= slot <= last_slot`, in order.

        Args:
            first_slot: Inclusive.
            last_slot: Inclusive.
            limit: So many at most, the oldest; None for all.
            stride: Of every so many slots only the first frame, and none where one of them was
                handed out before; what is left out counts in `skipped_frames`, once.
        """
        frames: list[GridFrame] = []
        n_skipped = 0
        with self._changed:
            taken = self._read_slot // stride
            for place in self._places:
                if not first_slot <= place.slot <= last_slot:
                    continue
                if stride > 1 and place.slot // stride == taken:
                    n_skipped += place.slot > self._skipped_slot
                    self._skipped_slot = max(self._skipped_slot, place.slot)
                    continue
                if limit is not None and len(frames) == limit:
                    break
                image = self._store[place.row].copy()
                frames.append(GridFrame(slot=place.slot, time_ns=place.time_ns, image=image))
                taken = place.slot // stride
                self._read_slot = max(self._read_slot, place.slot)
        if n_skipped and self._stats is not None:
            self._stats.count("skipped_frames", n_skipped)
        return frames

    def newest(self) -> GridFrame | None:
        """Return a copy of the newest stored frame, for whoever looks on; None before the first.

        It counts as not read: recognition gets it as if nobody had looked.
        """
        with self._changed:
            if not self._places:
                return None
            place = self._places[-1]
            image = self._store[place.row].copy()
        return GridFrame(slot=place.slot, time_ns=place.time_ns, image=image)

    def newest_at(self, slot: int) -> tuple[int, int] | None:
        """Return `(slot, time_ns)` of the newest stored frame no later than `slot`, or None."""
        with self._changed:
            for place in reversed(self._places):
                if place.slot <= slot:
                    return place.slot, place.time_ns
            return None

    def mark(self, slot: int) -> None:
        """Move the watermark up to `slot`; it never goes back."""
        with self._changed:
            moved = slot > self._final_slot
            if moved:
                self._final_slot = slot
        if moved:
            self._signal.notify()

    def release(self, before_slot: int) -> None:
        """Forget the frames before `before_slot`, but keep the newest of them: it may be held."""
        with self._changed:
            while len(self._places) > 1 and self._places[1].slot < before_slot:
                self._places.popleft()
            self._changed.notify_all()

    def end(self, end_slot: int = 0) -> None:
        """Say that the pictures are over: every slot is final. May be called again.

        Args:
            end_slot: Exclusive end of what the last frame shows; its own slot's at the least.
        """
        with self._changed:
            self._end_slot = max(self._end_slot, end_slot, self._newest_slot + 1)
            self._ended = True
            self._final_slot = END_SLOT
            self._changed.notify_all()
        self._signal.notify()

    def close(self) -> None:
        """Refuse further frames and wake a producer that waits. May be called again."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._signal.notify()
