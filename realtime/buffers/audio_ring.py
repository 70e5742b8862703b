"""The sound of one stream: mono 16 kHz samples, each addressed by an index that only grows.

Blocks of any size are copied in by one capture thread and copied out by the clip assembler. A
stretch that the device or the file lost is stored as a gap: it takes index, reads as zeros and is
reported, so that nobody takes silence for what was heard. `clock` says which index was when.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from realtime.buffers.audio_clock import AudioClock
from realtime.threads.mailbox import Policy

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from realtime.buffers.signal import DataSignal
    from realtime.stats import Stats

_WAIT_S = 0.5  # a producer that waits for a place looks up this often


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AudioSpan:
    """A copied stretch of sound.

    Attributes:
        samples: Mono float32 `(stop - start,)`; zero where nothing is stored or a gap lies.
        n_missing: Samples not stored: overwritten, released, before the first or after the last.
        n_gap: Samples that lie in a gap.
    """

    samples: NDArray[np.float32]
    n_missing: int
    n_gap: int


class AudioRing:
    """Holds the newest `capacity_samples` samples, mono float32 at 16 kHz.

    Any thread may call any method; one thread appends. Full: `DROP_OLDEST` overwrites the oldest
    samples (counted in `dropped_samples` unless released), `WAIT` makes `append` wait for
    `release`. Closed or ended: `append` refuses and what is stored can still be read.

    Attributes:
        clock: Index against time. Its feeder may put another in its place before the first
            samples come (a file's exact one).
    """

    def __init__(
        self,
        capacity_samples: int,
        policy: Policy,
        signal: DataSignal,
        stats: Stats | None = None,
    ) -> None:
        if capacity_samples < 1:
            raise ValueError(f"a ring holds at least 1 sample, got {capacity_samples}")
        self.clock = AudioClock()
        self._store: NDArray[np.float32] = np.zeros(capacity_samples, np.float32)
        self._capacity = capacity_samples
        self._policy = policy
        self._signal = signal
        self._stats = stats
        self._changed = threading.Condition()
        self._first = 0
        self._end = 0
        self._released = 0  # nobody will ask for samples before this one
        self._started = False
        self._gaps: deque[tuple[int, int]] = deque()  # ascending, apart, within [first, end)
        self._missed = 0  # up to where samples that have not come were counted as lost
        self._came_late = 0  # of these; the next gap counts for so many less
        self._ended = False
        self._closed = False

    @property
    def first_index(self) -> int:
        """Index of the oldest sample that can still be read."""
        with self._changed:
            return self._first

    @property
    def end_index(self) -> int:
        """Index after the newest sample; exclusive."""
        with self._changed:
            return self._end

    @property
    def ended(self) -> bool:
        """Whether the stream's sound is over."""
        with self._changed:
            return self._ended

    def start_at(self, index: int) -> None:
        """Say which index the first sample has; without it that is 0.

        Raises:
            ValueError: When samples were appended already.
        """
        with self._changed:
            if self._started:
                raise ValueError("the first sample's index is fixed once samples have come")
            self._first = self._end = self._released = index

    def append(self, samples: NDArray[np.float32], gap_before: int = 0) -> bool:
        """Copy samples in after the newest, with a gap of `gap_before` samples before them.

        A gap takes no room, however long. A block may be longer than the ring.

        Args:
            samples: Mono float32 `(n,)` at 16 kHz, in [-1, 1]; may be empty.
            gap_before: Samples that were lost before this block.

        Returns:
            Whether all of it was taken; False when closed or ended.
        """
        if samples.ndim != 1:
            raise ValueError(f"samples must be mono (n,), got {samples.shape}")
        if gap_before < 0:
            raise ValueError(f"a gap has 0 samples or more, got {gap_before}")
        n_lost = n_gap = 0
        with self._changed:
            taken = not (self._closed or self._ended)
            if taken and gap_before:
                self._started = True
                n_gap = max(0, self._end + gap_before - max(self._end, self._missed))
                n_late = min(n_gap, self._came_late)
                n_gap, self._came_late = n_gap - n_late, self._came_late - n_late
                n_lost += self._append_gap(gap_before)
            done = 0
            while taken and done < len(samples):
                self._started = True
                room = self._capacity
                if self._policy is Policy.WAIT:
                    room = self._first + self._capacity - self._end
                    if room <= 0:
                        self._changed.wait(_WAIT_S)
                        taken = not self._closed
                        continue
                n = min(room, len(samples) - done)
                n_lost += self._write(samples[done : done + n])
                done += n
        if self._stats is not None:
            if n_gap:
                self._stats.count("audio_gap_samples", n_gap)
            if n_lost:
                self._stats.count("dropped_samples", n_lost)
        self._signal.notify()
        return taken

    def miss(self, before_index: int) -> None:
        """Say that samples before `before_index` are lost if they have not come by now.

        They count at once, not only when a gap tells of them: a device may stay away.
        """
        with self._changed:
            n_missed = 0
            if self._started and not (self._closed or self._ended):
                n_missed = max(0, before_index - max(self._end, self._missed))
                self._missed += max(0, before_index - self._missed)
        if n_missed and self._stats is not None:
            self._stats.count("audio_gap_samples", n_missed)

    def read(self, start: int, stop: int) -> AudioSpan:
        """Copy the samples `[start, stop)` out, whatever of them is there."""
        if stop < start:
            raise ValueError(f"stop must be start or later, got [{start}, {stop})")
        out = np.zeros(stop - start, np.float32)
        n_gap = 0
        with self._changed:
            low, high = max(start, self._first), min(stop, self._end)
            position = low
            for gap_start, gap_stop in self._gaps:
                if gap_stop <= low or gap_start >= high:
                    continue
                self._copy_out(position, gap_start, out, start)
                position = min(gap_stop, high)
                n_gap += position - max(gap_start, low)
            self._copy_out(position, high, out, start)
            n_there = max(0, high - low)
        return AudioSpan(samples=out, n_missing=stop - start - n_there, n_gap=n_gap)

    def release(self, before_index: int) -> None:
        """Say that nobody will read samples before `before_index` any more."""
        with self._changed:
            self._released = max(self._released, before_index)
            self._forget(min(self._released, self._end))
            self._changed.notify_all()

    def end(self) -> None:
        """Say that the sound is over. May be called again."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        self._signal.notify()

    def close(self) -> None:
        """Refuse further samples and wake a producer that waits. May be called again."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._signal.notify()

    # Each of the following needs the lock.

    def _append_gap(self, n: int) -> int:
        if self._gaps and self._gaps[-1][1] == self._end:
            self._gaps[-1] = (self._gaps[-1][0], self._end + n)
        else:
            self._gaps.append((self._end, self._end + n))
        self._end += n
        return self._make_room()

    def _write(self, block: NDArray[np.float32]) -> int:
        """Store up to `capacity` samples; return how many unreleased ones that cost."""
        position = self._end % self._capacity
        n_tail = min(len(block), self._capacity - position)
        self._came_late += max(0, min(self._end + len(block), self._missed) - self._end)
        self._end += len(block)
        n_lost = self._make_room()
        self._store[position : position + n_tail] = block[:n_tail]
        self._store[: len(block) - n_tail] = block[n_tail:]
        return n_lost

    def _make_room(self) -> int:
        keep_from = min(self._released, self._end)
        if self._policy is Policy.DROP_OLDEST:
            keep_from = max(keep_from, self._end - self._capacity)
        n_lost = max(0, keep_from - max(self._first, self._released))
        self._forget(keep_from)
        return n_lost

    def _forget(self, before: int) -> None:
        self._first = max(self._first, before)
        while self._gaps and self._gaps[0][1] <= self._first:
            self._gaps.popleft()
        if self._gaps and self._gaps[0][0] < self._first:
            self._gaps[0] = (self._first, self._gaps[0][1])

    def _copy_out(self, start: int, stop: int, out: NDArray[np.float32], out_start: int) -> None:
        n = stop - start
        if n <= 0:
            return
        position = start % self._capacity
        n_tail = min(n, self._capacity - position)
        offset = start - out_start
        out[offset : offset + n_tail] = self._store[position : position + n_tail]
        out[offset + n_tail : offset + n] = self._store[: n - n_tail]
