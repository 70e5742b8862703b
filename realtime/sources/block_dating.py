"""When a sound device's block was heard.

PortAudio says when a block's first sample met the converter, but on some hosts that time is zero,
constant or from another clock (portaudio#171, #850). It is believed only while the age that it
implies is possible; else a block is dated by its arrival less its length and the device's latency.
The fitted clock of the ring takes out what jitter is left.
"""

from __future__ import annotations

from realtime.clock import NS_PER_S

_MAX_AGE_NS = NS_PER_S  # an older block is a lie


class BlockDating:
    """When a block's first sample was heard, from its arrival and what PortAudio claims.

    Args:
        sample_rate: Hz.
        latency_s: The device's latency as PortAudio tells it.
    """

    def __init__(self, sample_rate: int, latency_s: float) -> None:
        self._sample_rate = sample_rate
        self._latency_ns = min(_MAX_AGE_NS, max(0, round(latency_s * NS_PER_S)))
        self.believes_device = True

    def first_sample_ns(self, n_samples: int, arrived_ns: int, age_s: float) -> int:
        """Return the capture time of the block's first sample, on the run's clock.

        Args:
            n_samples: The block's length.
            arrived_ns: When the callback got it, on the run's clock.
            age_s: How old PortAudio says its first sample was then.
        """
        length_ns = n_samples * NS_PER_S // self._sample_rate
        if self.believes_device:
            age_ns = age_s * NS_PER_S
            if 0 < age_ns <= length_ns + _MAX_AGE_NS:
                return arrived_ns - max(length_ns, round(age_ns))  # PulseAudio's fall short
            self.believes_device = False  # for good: two ways of dating would jump between them
        return arrived_ns - max(length_ns, self._latency_ns)
