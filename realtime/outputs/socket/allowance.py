"""How much may pass: a bucket of tokens that fills with time. Pure."""

from __future__ import annotations

from realtime.clock import NS_PER_S


class Allowance:
    """Lets `burst` units through at once and `rate` units a second; one thread.

    Args:
        burst: What may pass at once, and the most that is saved up.
        rate: What is added in a second.
        now_ns: The time, as for all methods.
    """

    def __init__(self, burst: int, rate: int, now_ns: int) -> None:
        self._burst = burst
        self._rate = rate
        self._left = float(burst)
        self._since_ns = now_ns

    def left(self, now_ns: int) -> int:
        """Return how many units may pass now."""
        self._left += self._rate * max(0, now_ns - self._since_ns) / NS_PER_S
        self._left = min(self._left, float(self._burst))
        self._since_ns = now_ns
        return int(self._left)

    def take(self, n: int) -> None:
        """Take note of `n` units that passed."""
        self._left -= n
