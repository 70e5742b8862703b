"""The last seconds of a stream, kept in case an event begins: JPEG frames and 16-bit sound.

Bounded twice: by time, and by bytes, whichever is less. It neither compresses nor decides what is
recorded. One thread adds, another takes out and forgets; each call holds one short lock.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from realtime.clock import NS_PER_S
from realtime.packets import SAMPLE_RATE, Sense

if TYPE_CHECKING:
    from numpy.typing import NDArray

FULL_SCALE = 32_767
FRAME_OVERHEAD = 200  # bytes of Python around a stored frame or block
BYTES_PER_SAMPLE = 2
FULL = 0.5  # of the memory: with more still to write, a disk that stalls would cost a stretch
MAX_LOSSES = 10_000
MAX_BLOCK = SAMPLE_RATE // 2  # a longer one is stored in pieces, so that it is forgotten in pieces


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """A compressed frame; `time_ns` on the run's clock."""

    time_ns: int
    jpeg: bytes
    width: int
    height: int


class PreRollRing:
    """Keeps what is newer than `hold_ns`, and no more than `max_bytes`.

    Attributes:
        n_evicted: Frames and blocks that went for want of memory before their time.
        n_bytes: What is stored, overhead included; never more than `max_bytes`.
    """

    def __init__(self, hold_ns: int, max_bytes: int) -> None:
        if hold_ns < 1 or max_bytes < 1:
            raise ValueError(f"a ring holds something, got {hold_ns} ns and {max_bytes} bytes")
        self._hold_ns = hold_ns
        self._hold_samples = hold_ns * SAMPLE_RATE // NS_PER_S
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._frames: deque[StoredFrame] = deque()
        self._blocks: deque[tuple[int, NDArray[np.int16]]] = deque()
        self._lost: dict[Sense, deque[tuple[int, int]]] = {
            sense: deque(maxlen=MAX_LOSSES) for sense in Sense
        }
        self.n_evicted = 0
        self.n_bytes = 0
        self._wanted_ns: int | None = None  # by a recording: frames from here on
        self._wanted_index: int | None = None

    @property
    def first_frame_ns(self) -> int | None:
        """Time of the oldest frame; None without one."""
        with self._lock:
            return self._frames[0].time_ns if self._frames else None

    @property
    def newest_frame(self) -> StoredFrame | None:
        """The newest frame; None without one."""
        with self._lock:
            return self._frames[-1] if self._frames else None

    @property
    def first_index(self) -> int | None:
        """Index of the oldest sample; None without sound."""
        with self._lock:
            return self._blocks[0][0] if self._blocks else None

    @property
    def end_index(self) -> int | None:
        """Exclusive end of the sound; None without sound."""
        with self._lock:
            return self._end_index()

    @property
    def is_short(self) -> bool:
        """Whether memory fills up with what a recording has still to write."""
        with self._lock:
            wanted_ns = self._wanted_ns
            if wanted_ns is None or len(self._frames) < 2:
                return False
            first_ns, newest_ns = self._frames[0].time_ns, self._frames[-1].time_ns
            share = (newest_ns - max(wanted_ns, first_ns)) / (newest_ns - first_ns)
            return share * self.n_bytes > FULL * self._max_bytes

    def add_frame(self, frame: StoredFrame) -> None:
        """Store a frame that is newer than all before; another is refused in silence."""
        with self._lock:
            if self._frames and frame.time_ns <= self._frames[-1].time_ns:
                return
            self._frames.append(frame)
            self.n_bytes += _frame_bytes(frame)
            self._bound()

    def add_sound(self, first_index: int, samples: NDArray[np.float32]) -> None:
        """Store sound, mono float32 `(n,)` in [-1, 1]; what is there already is refused."""
        with self._lock:
            end_index = self._end_index()
            if end_index is not None and first_index < end_index:
                samples = samples[end_index - first_index :]
                first_index = end_index
            for start in range(0, len(samples), MAX_BLOCK):
                piece = np.round(samples[start : start + MAX_BLOCK] * FULL_SCALE).astype(np.int16)
                self._blocks.append((first_index + start, piece))
                self.n_bytes += _block_bytes(piece)
            self._bound()

    def note_lost(self, sense: Sense, where: int, n: int) -> None:
        """Note that `n` frames or blocks never got here, or go unwritten.

        Args:
            sense: Which it is.
            where: Just before this time (pictures) or sample index (sound).
            n: How many.
        """
        with self._lock:
            self._lost[sense].append((where, n))

    def n_lost(self, sense: Sense, after: int, until: int) -> int:
        """Return how many were lost with `after < where <= until`."""
        with self._lock:
            return sum(n for where, n in self._lost[sense] if after < where <= until)

    def frames(self, after_ns: int, before_ns: int, limit: int) -> list[StoredFrame]:
        """Return up to `limit` frames with `after_ns < time < before_ns`, oldest first."""
        with self._lock:
            chosen = (f for f in self._frames if after_ns < f.time_ns < before_ns)
            return list(islice(chosen, limit))

    def frame_shown_at(self, time_ns: int) -> StoredFrame | None:
        """Return the newest frame no later than `time_ns`, or None."""
        with self._lock:
            return next((f for f in reversed(self._frames) if f.time_ns <= time_ns), None)

    def sound(self, first: int, stop: int) -> tuple[NDArray[np.int16], int]:
        """Return the samples with `first <= index < stop`, and how many of them are missing.

        Returns:
            Int16 `(stop - first,)`, zero where nothing is stored.
        """
        samples = np.zeros(stop - first, np.int16)
        n_missing = len(samples)
        with self._lock:
            for index, block in self._blocks:
                if index >= stop:
                    break
                low, high = max(first, index), min(stop, index + len(block))
                if low < high:
                    samples[low - first : high - first] = block[low - index : high - index]
                    n_missing -= high - low
        return samples, n_missing

    def forget(self, written_ns: int | None, written_index: int | None) -> None:
        """Let go of what is older than `hold_ns`.

        Args:
            written_ns: Frames from here on are still to be written and stay; None for none.
            written_index: Likewise for sound.
        """
        with self._lock:
            self._wanted_ns, self._wanted_index = written_ns, written_index
            if self._frames:
                before_ns = self._frames[-1].time_ns - self._hold_ns
                before_ns = before_ns if written_ns is None else min(before_ns, written_ns)
                # The newest of the old ones is what is shown where the kept time begins.
                while len(self._frames) > 1 and self._frames[1].time_ns <= before_ns:
                    self._drop_frame()
            end_index = self._end_index()
            if end_index is not None:
                before = end_index - self._hold_samples
                before = before if written_index is None else min(before, written_index)
                while self._blocks and self._blocks[0][0] + len(self._blocks[0][1]) <= before:
                    self._drop_block()

    def _end_index(self) -> int | None:
        return self._blocks[-1][0] + len(self._blocks[-1][1]) if self._blocks else None

    def _bound(self) -> None:
        while self.n_bytes > self._max_bytes and (self._frames or self._blocks):
            self.n_evicted += 1
            if self._frames:  # sound is small
                time_ns, wanted_ns = self._frames[0].time_ns, self._wanted_ns
                if wanted_ns is not None and time_ns >= wanted_ns:
                    self._lost[Sense.PICTURE].append((time_ns, 1))
                self._drop_frame()
            else:
                first, block = self._blocks[0]
                end, wanted = first + len(block), self._wanted_index
                if wanted is not None and end > wanted:
                    self._lost[Sense.SOUND].append((end, 1))
                self._drop_block()

    def _drop_frame(self) -> None:
        self.n_bytes -= _frame_bytes(self._frames.popleft())

    def _drop_block(self) -> None:
        self.n_bytes -= _block_bytes(self._blocks.popleft()[1])


def _frame_bytes(frame: StoredFrame) -> int:
    return len(frame.jpeg) + FRAME_OVERHEAD


def _block_bytes(block: NDArray[np.int16]) -> int:
    return BYTES_PER_SAMPLE * len(block) + FRAME_OVERHEAD
