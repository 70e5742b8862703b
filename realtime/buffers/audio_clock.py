"""Which sample of the ring was heard when: sample indices against the run's clock.

A file's samples lie exactly 62,500 ns apart. A device has its own crystal (hundreds of ppm from
the computer's are seen: Azure-Kinect-Sensor-SDK#1676) and its blocks are handed over late by a
varying amount, never early. So the line index -> time is fitted under the observations: the
earliest of each half second is kept, and points far above the line count little.
"""

from __future__ import annotations

import threading
from collections import deque

import numpy as np

from realtime.clock import NS_PER_S
from realtime.packets import SAMPLE_RATE

NS_PER_SAMPLE = NS_PER_S // SAMPLE_RATE  # exact: 62,500
FAR_INDEX = 1 << 62  # before the first observation every time lies past what is stored
MAX_DRIFT = 1e-3  # 1000 ppm; crystals are within 100, sound cards under USB clocks within 500

_BUCKET_SAMPLES = SAMPLE_RATE // 2  # one kept observation each half second
_N_BUCKETS = 128  # a minute: long against jitter, short against a crystal that warms up
_MIN_FIT_BUCKETS = 8  # 4 s; a shorter stretch tells jitter from drift too badly
_JITTER_NS = 2_000_000.0  # an observation this far above the line counts half
_RESTART_NS = 100_000_000  # so far under the line, all that came before was late
_N_REWEIGHTINGS = 8


class AudioClock:
    """The line between sample index and time. Any thread may call it.

    `time_at(i)` is the moment at which sample i begins; `observe` feeds it from one thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._exact = False
        self._ready = False
        self._anchor_index = 0
        self._anchor_ns = 0.0
        self._drift = 0.0  # seconds of the run's clock per second of samples, less one
        self._buckets: deque[tuple[int, int]] = deque(maxlen=_N_BUCKETS)

    @classmethod
    def exact(cls, first_time_ns: int) -> AudioClock:
        """Return the clock of a file: index 0 is at `first_time_ns`, and `observe` is idle."""
        clock = cls()
        clock._exact = clock._ready = True
        clock._anchor_ns = first_time_ns
        return clock

    @property
    def ready(self) -> bool:
        """Whether anything was observed yet."""
        with self._lock:
            return self._ready

    @property
    def drift_ppm(self) -> float:
        """How much longer than nominal the device's second is, in millionths; 0 until fitted."""
        with self._lock:
            return self._drift * 1e6

    def observe(self, end_index: int, time_ns: int) -> None:
        """Say that the sample before `end_index` had just ended at `time_ns`.

        Args:
            end_index: Exclusive end of what was captured; never smaller than before.
            time_ns: That moment on the run's clock, at or after the truth, rarely before it.
        """
        with self._lock:
            if self._exact:
                return
            residual = time_ns - self._line_ns(end_index) if self._ready else 0.0
            if not self._ready or residual < -_RESTART_NS:
                self._buckets.clear()
                self._drift = 0.0
            self._ready = True
            last = self._buckets[-1] if self._buckets else None
            if last is None or end_index // _BUCKET_SAMPLES != last[0] // _BUCKET_SAMPLES:
                self._buckets.append((end_index, time_ns))
            elif self._lateness_ns(end_index, time_ns) < self._lateness_ns(*last):
                self._buckets[-1] = (end_index, time_ns)
            else:
                return
            self._fit()

    def restart(self, index: int, time_ns: int) -> None:
        """Say that a device that was away goes on: sample `index` begins at `time_ns`.

        What was observed before counts no more, and the drift is 0 until fitted again.
        """
        with self._lock:
            if self._exact:
                raise ValueError("a file's clock is exact and does not restart")
            self._buckets.clear()
            self._ready = True
            self._drift, self._anchor_index, self._anchor_ns = 0.0, index, float(time_ns)

    def index_at(self, time_ns: int) -> int:
        """Return the sample that begins nearest `time_ns`; `FAR_INDEX` before any observation."""
        with self._lock:
            if not self._ready:
                return FAR_INDEX
            if self._exact:
                offset_ns = time_ns - int(self._anchor_ns)
                return (2 * offset_ns + NS_PER_SAMPLE) // (2 * NS_PER_SAMPLE)
            samples = (time_ns - self._anchor_ns) / (NS_PER_SAMPLE * (1.0 + self._drift))
            return self._anchor_index + round(samples)

    def time_at(self, index: int) -> int:
        """Return when sample `index` begins, on the run's clock.

        Raises:
            ValueError: Before the first observation.
        """
        with self._lock:
            if not self._ready:
                raise ValueError("no sound was observed yet")
            if self._exact:
                return int(self._anchor_ns) + index * NS_PER_SAMPLE
            return round(self._line_ns(index))

    def _line_ns(self, index: int) -> float:
        return self._anchor_ns + (index - self._anchor_index) * NS_PER_SAMPLE * (1.0 + self._drift)

    def _lateness_ns(self, index: int, time_ns: int) -> float:
        return time_ns - index * NS_PER_SAMPLE * (1.0 + self._drift)

    def _fit(self) -> None:
        first_index, first_ns = self._buckets[0]
        index = np.array([b[0] - first_index for b in self._buckets], dtype=np.float64)
        late_ns = np.array([b[1] - first_ns for b in self._buckets], dtype=np.float64)
        late_ns -= index * NS_PER_SAMPLE
        drift, offset_ns = 0.0, float(late_ns.min())
        if len(self._buckets) >= _MIN_FIT_BUCKETS:
            drift, offset_ns = _fit_under(index * NS_PER_SAMPLE, late_ns)
        self._drift = drift
        self._anchor_index = first_index
        self._anchor_ns = first_ns + offset_ns


def _fit_under(x_ns: np.ndarray, late_ns: np.ndarray) -> tuple[float, float]:
    """Fit `late = offset + drift * x` to the early side of the points; return (drift, offset)."""
    weights = np.ones_like(x_ns)
    drift, offset = 0.0, 0.0
    for _ in range(_N_REWEIGHTINGS):
        total = weights.sum()
        x_mean = (weights * x_ns).sum() / total
        y_mean = (weights * late_ns).sum() / total
        spread = (weights * (x_ns - x_mean) ** 2).sum()
        slope = (weights * (x_ns - x_mean) * (late_ns - y_mean)).sum() / spread
        drift = float(np.clip(slope, -MAX_DRIFT, MAX_DRIFT))
        offset = float(y_mean - drift * x_mean)
        above = np.maximum(late_ns - offset - drift * x_ns, 0.0)
        weights = 1.0 / (1.0 + (above / _JITTER_NS) ** 2)
    return drift, offset
