"""What a second sounds like, and whether enough of it came."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from realtime.clock import NS_PER_S
from realtime.packets import CLIP_SAMPLES, CLIP_SLOTS, SAMPLE_RATE, SLOT_NS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from realtime.buffers.audio_ring import AudioRing
    from realtime.buffers.lag import Lag
    from realtime.clock import Clock

MAX_MISSING_SAMPLES = CLIP_SAMPLES // 4  # with more than a quarter gone there is no second of sound
MAX_PADDING = CLIP_SAMPLES // 2  # of a file's last second; with more it has no such second


class Heard(NamedTuple):
    """A second of sound.

    Attributes:
        waveform: Float32 `(16000,)`; None where too little came.
        n_lost: Samples of it that were lost.
        error_ns: Its time less the clip's.
    """

    waveform: NDArray[np.float32] | None
    n_lost: int
    error_ns: float


NOTHING = Heard(None, 0, 0.0)


class ClipSound:
    """One stream's sound; one thread calls it.

    Args:
        ring: The sound ring.
        clock: The run's clock.
        lag: By how much the source delivers late in its way.
        live: Whether sound may stay away.
    """

    def __init__(self, ring: AudioRing, clock: Clock, lag: Lag, *, live: bool) -> None:
        self._ring = ring
        self._clock = clock
        self._lag = lag
        self._live = live
        self._heard_index, self._heard_ns = -1, 0  # up to where sound has come, and since when

    def hear(self, end_ns: int, *, is_first: bool) -> Heard:
        """Return the second that ends at `end_ns`, on the run's clock.

        A stream's last second is padded, as the authors pad.

        Args:
            end_ns: Its exclusive end.
            is_first: Whether it is the stream's first second.
        """
        ring = self._ring
        if not ring.clock.ready:
            return NOTHING
        stop = ring.clock.index_at(end_ns)
        if self._live:
            self._miss(ring)
        span = ring.read(stop - CLIP_SAMPLES, stop)
        n_lost = span.n_missing + span.n_gap
        n_after = stop - ring.end_index if ring.ended else 0
        if n_after > 0 and is_first and span.n_missing < CLIP_SAMPLES:
            n_lost = 0
        elif 0 < n_after <= MAX_PADDING:
            n_lost -= n_after
        if n_lost > MAX_MISSING_SAMPLES:
            return Heard(None, span.n_gap, 0.0)
        error_ns = float(ring.clock.time_at(stop) - end_ns)
        return Heard(span.samples, span.n_gap + span.n_missing, error_ns)

    def _miss(self, ring: AudioRing) -> None:
        """Count sound that has not come for longer than any clip waits, while it has not."""
        now_ns, end_index = self._clock.now_ns(), ring.end_index
        if end_index != self._heard_index:
            self._heard_index, self._heard_ns = end_index, now_ns
        missed_ns = now_ns - self._heard_ns - self._lag.ns - CLIP_SLOTS * SLOT_NS
        if missed_ns > 0:
            ring.miss(end_index + missed_ns * SAMPLE_RATE // NS_PER_S)

    def release(self, end_ns: int) -> None:
        """Let the ring forget what no clip that ends after `end_ns` needs."""
        if self._ring.clock.ready:
            # One second of slack: the fitted clock may move an index back a little.
            self._ring.release(self._ring.clock.index_at(end_ns) - 2 * CLIP_SAMPLES)
