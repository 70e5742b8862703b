"""From blocks at any rate and channel count to the ring's mono 16 kHz, every sample dated.

Blocks may have any size. The resampler (soxr) is linear-phase and takes its own delay off, so ring
sample i stands for the same moment as input sample i * rate / 16000. What was lost on the way, a
jump in a file's time stamps or a device's overflow, becomes a gap: never silence, and never a
shift of all that follows.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np
import soxr

from extractors.decoding.limits import MAX_RATE, MIN_RATE
from extractors.downmix import CANCELLATION, EXPLAINED_S, Downmix
from realtime.buffers.audio_clock import AudioClock
from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.packets import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from realtime.buffers.audio_ring import AudioRing
    from realtime.clock import Timeline
    from realtime.stats import Stats

FILE_JUMP_NS = 100 * NS_PER_MS  # time stamps that jump this far jump at once
FILE_RESTART_NS = NS_PER_S  # time stamps that fall back further start anew; the sound goes on
FILE_SHIFT_NS = 30 * NS_PER_MS  # a shift that lasts; single stamps wander as far in real files
DEVICE_LOSS_NS = 40 * NS_PER_MS  # later than this for a while: samples were lost
_STEADY_NS = 300 * NS_PER_MS  # "a while": a late delivery is made up for sooner
_STEADY_BLOCKS = 3
FLOOR_DB = -120.0


class AudioIntake:
    """Downmixes, resamples and appends; one capture thread calls it.

    Args:
        timeline: The stream's time; the first sample may start it.
        ring: Where the sound goes. For a file its clock is set to the exact one.
        sample_rate: Of the blocks, Hz.
        n_channels: Of the blocks.
        live: Whether times are a device's (late by a varying amount) or a file's (exact).
        stats: Counts `audio_blocks` and `bad_samples`, and takes the sound level.
        tap: Called with ring index and samples of all that goes into the ring; a recorder.
        date: From what the device says to when it was; None for the same.
        say: Called with a sentence about the sound that its user should know.
    """

    def __init__(
        self,
        timeline: Timeline,
        ring: AudioRing,
        sample_rate: int,
        n_channels: int,
        live: bool,
        stats: Stats,
        tap: Callable[[int, NDArray[np.float32]], None] | None = None,
        date: Callable[[int], int] | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        if n_channels < 1:
            raise ValueError(f"n_channels must be at least 1, got {n_channels}")
        self._timeline = timeline
        self._ring = ring
        self._n_channels = n_channels
        self._live = live
        self._stats = stats
        self._tap = tap
        self._date = date
        self._say = say
        self._channels = Downmix()
        self._has_explained = False
        self._started = False
        self._base_index = 0  # ring index and time of the first sample since the last jump
        self._base_ns = 0
        self._n_in = 0  # samples taken since then
        self._end_index = 0
        self._lateness = _Lateness()
        self._set_rate(sample_rate)

    @property
    def sample_rate(self) -> int:
        """Of the blocks, Hz."""
        return self._sample_rate

    @property
    def has_begun(self) -> bool:
        """Whether a block was taken."""
        return self._started

    def append(self, samples: NDArray[np.float32], time_ns: int) -> None:
        """Take one block.

        Args:
            samples: Float32 `(n, n_channels)` or `(n,)`, in [-1, 1]; NaN and infinities are
                taken for 0 and counted.
            time_ns: When its first sample was heard, on the run's clock.
        """
        self._take(samples, time_ns)
        self._explain()

    def _take(self, samples: NDArray[np.float32], time_ns: int) -> None:
        mono = self._downmix(samples)
        if not len(mono):
            return
        if self._date is not None:
            time_ns = self._date(time_ns)
        self._stats.count("audio_blocks")
        self._stats.observe_sound_level(_level_db(mono))
        if not self._started:
            mono, time_ns = self._begin(mono, time_ns)
        elif self._live:
            self._check_device_time(len(mono), time_ns)
        else:
            mono = self._check_file_time(mono, time_ns)
        self._feed(mono)
        if self._live:
            end_ns = time_ns + len(mono) * NS_PER_S // self._sample_rate
            self._ring.clock.observe(self._input_index(), end_ns)

    def retune(self, sample_rate: int, n_channels: int) -> None:
        """Go on with another rate or channel count; a file may change them midway."""
        if (sample_rate, n_channels) == (self._sample_rate, self._n_channels):
            return
        self._base_ns = self._expected_ns()
        self._flush()
        self._base_index, self._n_in = self._end_index, 0
        self._n_channels = n_channels
        self._channels.channel = None
        self._set_rate(sample_rate)

    def skip(self, n_samples: int, time_ns: int) -> None:
        """Leave out `n_samples` that came and say nothing; the next block begins at `time_ns`.

        They are a gap in the ring. The device went on meanwhile, so its line holds.
        """
        if self._date is not None:
            time_ns = self._date(time_ns)
        self._flush()
        self._lateness.clear()
        n_ring = n_samples * SAMPLE_RATE // self._sample_rate
        self._jump_to(max(self._end_index, self._input_index() + n_ring), time_ns)

    def end(self) -> None:
        """Append what the resampler still holds and end the ring."""
        self._flush()
        self._ring.end()

    def _set_rate(self, sample_rate: int) -> None:
        if not MIN_RATE <= sample_rate <= MAX_RATE:
            raise ValueError(f"sample_rate must be {MIN_RATE} to {MAX_RATE}, got {sample_rate}")
        self._sample_rate = sample_rate
        self._resampler: soxr.ResampleStream | None = None
        if sample_rate != SAMPLE_RATE:
            self._resampler = soxr.ResampleStream(
                sample_rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ"
            )

    def _downmix(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        if samples.ndim not in (1, 2) or (
            samples.ndim == 2 and samples.shape[1] != self._n_channels
        ):
            raise ValueError(
                f"samples must be (n,) or (n, {self._n_channels}), got {samples.shape}"
            )
        finite = np.isfinite(samples)
        if not finite.all():
            self._stats.count("bad_samples", int(finite.size - np.count_nonzero(finite)))
            samples = np.where(finite, samples, np.float32(0.0))
        mono = np.clip(samples, -1.0, 1.0)
        if mono.ndim == 2:
            mono = self._channels.mix(mono)
        return np.ascontiguousarray(mono, dtype=np.float32)

    def _explain(self) -> None:
        """Say once what the channels do to one another; where no lock is held."""
        if self._has_explained or self._channels.channel is None:
            return
        if self._channels.n_cancelled >= EXPLAINED_S * self._sample_rate:
            self._has_explained = True
            if self._say is not None:
                self._say(CANCELLATION)

    def _begin(self, mono: NDArray[np.float32], time_ns: int) -> tuple[NDArray[np.float32], int]:
        self._started = True
        epoch_ns = self._timeline.start(time_ns)
        if not self._live:
            self._ring.clock = AudioClock.exact(epoch_ns)
            n_early = -(-max(0, epoch_ns - time_ns) * self._sample_rate // NS_PER_S)
            mono = mono[n_early:]
            time_ns += n_early * NS_PER_S // self._sample_rate
            self._base_index = self._end_index = max(0, self._ring.clock.index_at(time_ns))
            self._ring.start_at(self._base_index)
            self._started = len(mono) > 0
        elif self._ring.clock.ready:
            self._resume(time_ns)
        self._base_ns = time_ns
        return mono, time_ns

    def _resume(self, time_ns: int) -> None:
        """Go on in a ring that has sound from before: the device was away and is back.

        It may be another one, with a crystal of its own: the line is fitted anew from here.
        """
        clock, end = self._ring.clock, self._ring.end_index
        index = max(end, clock.index_at(time_ns))
        if index > end:
            self._ring.append(np.zeros(0, np.float32), gap_before=index - end)
        clock.restart(index, time_ns)
        self._base_index = self._end_index = index

    def _check_file_time(self, mono: NDArray[np.float32], time_ns: int) -> NDArray[np.float32]:
        """Make up for time stamps that jump, or that lie off for a while; return what is new."""
        jump_ns = time_ns - self._expected_ns()
        steady_ns = self._lateness.update(len(mono) * NS_PER_S // self._sample_rate, jump_ns)
        if jump_ns < -FILE_RESTART_NS:
            self._base_ns += jump_ns
        elif abs(jump_ns) > FILE_JUMP_NS or abs(steady_ns) > FILE_SHIFT_NS:
            self._lateness.clear()
            if jump_ns < 0:
                return mono[-jump_ns * self._sample_rate // NS_PER_S :]  # heard already
            self._flush()
            self._jump_to(max(self._end_index, self._ring.clock.index_at(time_ns)), time_ns)
        return mono

    def _check_device_time(self, n_samples: int, time_ns: int) -> None:
        """Find lost samples: every block of a while is late against the fitted line."""
        late_ns = time_ns - self._ring.clock.time_at(self._input_index())
        steady_ns = self._lateness.update(n_samples * NS_PER_S // self._sample_rate, late_ns)
        if steady_ns > DEVICE_LOSS_NS:
            self._lateness.clear()
            self._flush()
            self._jump_to(self._end_index + steady_ns * SAMPLE_RATE // NS_PER_S, time_ns)

    def _jump_to(self, index: int, time_ns: int) -> None:
        """Go on at ring index `index`, heard at `time_ns`; what lies between is a gap."""
        gap = index - self._end_index
        if gap > 0:
            self._ring.append(np.zeros(0, np.float32), gap_before=gap)
        self._end_index = self._base_index = index
        self._base_ns = time_ns
        self._n_in = 0

    def _feed(self, mono: NDArray[np.float32]) -> None:
        self._n_in += len(mono)
        if self._resampler is not None:
            mono = self._resampler.resample_chunk(mono)
        self._append(mono)

    def _flush(self) -> None:
        if self._resampler is not None:
            self._append(self._resampler.resample_chunk(np.zeros(0, np.float32), last=True))
            self._resampler.clear()

    def _append(self, samples: NDArray[np.float32]) -> None:
        if len(samples):
            samples = np.clip(samples, -1.0, 1.0)
            if self._tap is not None:
                self._tap(self._end_index, samples)
            self._ring.append(samples)
            self._end_index += len(samples)

    def _input_index(self) -> int:
        """The ring index at which the next input sample belongs, ahead of the resampler."""
        return self._base_index + round(self._n_in * SAMPLE_RATE / self._sample_rate)

    def _expected_ns(self) -> int:
        return self._base_ns + self._n_in * NS_PER_S // self._sample_rate


class _Lateness:
    """How much every block of the last while was late, or early; 0 while they disagree."""

    def __init__(self) -> None:
        self._blocks: deque[tuple[int, int]] = deque()  # (length, lateness), ns

    def update(self, length_ns: int, late_ns: int) -> int:
        self._blocks.append((length_ns, late_ns))
        kept_ns = sum(length for length, _ in self._blocks)
        while len(self._blocks) > _STEADY_BLOCKS and kept_ns - self._blocks[0][0] >= _STEADY_NS:
            kept_ns -= self._blocks.popleft()[0]
        if len(self._blocks) < _STEADY_BLOCKS or kept_ns < _STEADY_NS:
            return 0
        low = min(late for _, late in self._blocks)
        high = max(late for _, late in self._blocks)
        return low if low > 0 else min(high, 0)

    def clear(self) -> None:
        self._blocks.clear()


def _level_db(mono: NDArray[np.float32]) -> float:
    rms = float(np.sqrt(np.mean(np.square(mono), dtype=np.float64)))
    return max(FLOOR_DB, 20.0 * float(np.log10(max(rms, 1e-6))))
