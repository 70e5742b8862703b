"""Judges one sense by what arrives of it: nothing, the same picture, no light, zeros, a wrong rate.

Place in the flow: the gate before the rings shows it each picture and block, the reconnecting
reader asks it several times a second. It knows neither devices nor threads, and time only as it is
told, so that a test moves time by hand.

A picture that stays the same to the last bit comes from a driver that hangs, seldom from a still
scene: a sensor has noise. Digital zeros come from a muted or withdrawn microphone; a quiet room has
noise too. Where such a thing is no fault (a noise gate, a test picture, a cellar at night) opening
the device again does not help: so that is tried once a spell.
"""

from __future__ import annotations

import threading
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from realtime.clock import NS_PER_S
from realtime.packets import Sense, SenseState

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from realtime.config import SourceConfig

FIRST_NS = 10 * NS_PER_S  # a device that was just opened may take so long for its first sample
LONGEST_WAIT_NS = 300 * NS_PER_S  # for the first, while it sends: key frames may lie far apart
BACK_NS = 2 * NS_PER_S  # of samples, then it is back: a clip has been cut that is whole
MAX_BLACK = 32  # of 255; the brightest value of a picture without light, noise included
RATE_SPAN_NS = 4 * NS_PER_S
RATE_ERROR = 0.04  # 44.1 for 48 kHz are 8 %; crystals are off by 0.1 %
RATE_SPREAD = 0.015  # a device that delivers in lumps disagrees with itself by more
N_RATE_SPANS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is to be thought of a sense; `reopen` says that its device should be opened again."""

    state: SenseState
    detail: str = ""
    reopen: bool = False


class SenseWatch:
    """Follows one sense through all openings of its device.

    `begin` and `judge` are called by the one who opens, the rest by the capture thread; each holds
    one short lock.

    Args:
        sense: Which one.
        config: What counts as too long.
        checks_rate: Whether blocks come evenly, so that their rate can be measured: a microphone's.
    """

    def __init__(self, sense: Sense, config: SourceConfig, *, checks_rate: bool = False) -> None:
        self._sense = sense
        self._stale_ns = _ns(config.stale_s)
        self._reopen_ns = _ns(config.reopen_s)
        self._frozen = _Spell(_ns(config.frozen_s))
        self._black = _Spell(_ns(config.black_s))
        self._silent = _Spell(_ns(config.silent_s))
        self._rate = RateWatch() if checks_rate else None
        self._lock = threading.Lock()
        self._begun_ns = 0
        self._alive_ns = 0
        self._first_ns: int | None = None
        self._newest_ns: int | None = None
        self._fingerprint: int | None = None

    def begin(self, now_ns: int) -> None:
        """Say that the device was opened, for the first time or again."""
        with self._lock:
            self._begun_ns = now_ns
            self._first_ns = self._newest_ns = None
            for spell in (self._frozen, self._black, self._silent):
                spell.reopened()
            if self._rate is not None:
                self._rate.clear()

    def forgive(self, pause_ns: int) -> None:
        """Say that this program itself stood still for `pause_ns`: nobody else is to blame."""
        with self._lock:
            self._begun_ns += pause_ns
            self._alive_ns += pause_ns
            if self._newest_ns is not None:
                self._newest_ns += pause_ns
            for spell in (self._frozen, self._black, self._silent):
                spell.shift(pause_ns)
            if self._rate is not None:
                self._rate.clear()

    def note_life(self, now_ns: int) -> None:
        """Say that its device sends, though no picture or block has come of it yet.

        A picture may wait for its key frame, a playlist for its next part.
        """
        with self._lock:
            self._alive_ns = now_ns

    def arrived(self, now_ns: int) -> None:
        """Say that a picture or block came at `now_ns`."""
        with self._lock:
            self._newest_ns = now_ns
            if self._first_ns is None:
                self._first_ns = now_ns

    def is_empty_picture(self, now_ns: int, image: NDArray[np.uint8]) -> bool:
        """Look at a picture, uint8; return whether it says nothing by now: frozen or black."""
        fingerprint = zlib.crc32(np.ascontiguousarray(image).data)
        is_black = int(image.max(initial=0)) < MAX_BLACK
        with self._lock:
            self._frozen.update(fingerprint == self._fingerprint, now_ns)
            self._black.update(is_black, now_ns)
            self._fingerprint = fingerprint
            return self._frozen.is_on(now_ns) or self._black.is_on(now_ns)

    def is_empty_sound(self, now_ns: int, samples: NDArray[np.float32], sample_rate: int) -> bool:
        """Look at a block, float32 `(n,)` or `(n, channels)`; return whether it is silent."""
        is_zero = not samples.any()
        with self._lock:
            self._silent.update(is_zero, now_ns)
            if self._rate is not None:
                self._rate.add(now_ns, len(samples), sample_rate)
            return self._silent.is_on(now_ns)

    @property
    def is_back(self) -> bool:
        """Whether samples have come for long enough since `begin`."""
        with self._lock:
            return (
                self._first_ns is not None
                and self._newest_ns is not None
                and self._newest_ns - self._first_ns >= BACK_NS
            )

    def healthy_ns(self) -> int:
        """Return for how long samples have come since `begin`."""
        with self._lock:
            if self._first_ns is None or self._newest_ns is None:
                return 0
            return self._newest_ns - self._first_ns

    def judge(self, now_ns: int, lag_ns: int = 0) -> Verdict:
        """Return what is to be thought of the sense at `now_ns`.

        A source that delivers in lumps, `lag_ns` long, may pause for so much longer.
        What is frozen, black or silent asks for `reopen` until that was done once in its spell.
        """
        with self._lock:
            return self._judge_arrival(now_ns, lag_ns) or self._judge_content(now_ns)

    # Each of the following needs the lock.

    def _judge_arrival(self, now_ns: int, lag_ns: int) -> Verdict | None:
        what = "picture" if self._sense is Sense.PICTURE else "sound"
        if self._newest_ns is None:
            limit_ns = max(FIRST_NS, self._stale_ns)
            if now_ns - self._alive_ns < limit_ns:
                limit_ns = LONGEST_WAIT_NS
            if now_ns - self._begun_ns < limit_ns:
                return None
        else:
            limit_ns = self._stale_ns + lag_ns
            if now_ns - self._newest_ns < limit_ns:
                return None
        return Verdict(
            state=SenseState.STALE,
            detail=f"no {what} came for {limit_ns / NS_PER_S:.3g} s",
            reopen=True,
        )

    def _judge_content(self, now_ns: int) -> Verdict:
        measured = None if self._rate is None else self._rate.fault
        if measured is not None:
            claimed, came = measured
            detail = f"{came:.0f} samples a second came of a device that was opened at {claimed} Hz"
            return Verdict(state=SenseState.STALE, detail=detail, reopen=True)
        for spell, state, text in (
            (self._black, SenseState.BLACK, "pictures without light for {:g} s or longer"),
            (self._frozen, SenseState.FROZEN, "the same picture for {:g} s or longer"),
            (self._silent, SenseState.SILENT, "nothing but zeros for {:g} s or longer; muted?"),
        ):
            if spell.is_on(now_ns):
                reopen = spell.wants_reopening(now_ns, self._reopen_ns)
                detail = text.format(spell.limit_ns / NS_PER_S)
                return Verdict(state=state, detail=detail, reopen=reopen)
        return Verdict(state=SenseState.OK)


class _Spell:
    """How long something has been so without a break; a limit of 0 is never reached."""

    def __init__(self, limit_ns: int) -> None:
        self.limit_ns = limit_ns
        self._since_ns: int | None = None
        self._was_reopened = False

    def update(self, is_so: bool, now_ns: int) -> None:
        if not is_so:
            self._since_ns, self._was_reopened = None, False
        elif self._since_ns is None:
            self._since_ns = now_ns

    def shift(self, pause_ns: int) -> None:
        if self._since_ns is not None:
            self._since_ns += pause_ns

    def is_on(self, now_ns: int) -> bool:
        if self._since_ns is None or not self.limit_ns:
            return False
        return now_ns - self._since_ns >= self.limit_ns

    def wants_reopening(self, now_ns: int, after_ns: int) -> bool:
        """Whether it lasts for `after_ns` and its device was not opened again since it began."""
        if self._was_reopened or not after_ns or self._since_ns is None:
            return False
        return now_ns - self._since_ns >= after_ns

    def reopened(self) -> None:
        self._was_reopened = self._since_ns is not None


class RateWatch:
    """Measures how many samples a second really come; one thread at a time.

    Attributes:
        fault: The rate that was claimed and the one that came, once they differ for good.
    """

    def __init__(self) -> None:
        self.fault: tuple[int, float] | None = None
        self._began_ns: int | None = None
        self._n_samples = 0
        self._errors: list[float] = []

    def clear(self) -> None:
        """Begin anew."""
        self.fault, self._began_ns, self._errors = None, None, []

    def add(self, now_ns: int, n_samples: int, sample_rate: int) -> None:
        """Say that a block of `n_samples` came at `now_ns` whose device claims `sample_rate`."""
        if self._began_ns is None:
            self._began_ns, self._n_samples = now_ns, 0
            return
        self._n_samples += n_samples
        elapsed_ns = now_ns - self._began_ns
        if elapsed_ns < RATE_SPAN_NS:
            return
        came = self._n_samples * NS_PER_S / elapsed_ns
        self._errors = [*self._errors[1 - N_RATE_SPANS :], came / sample_rate - 1.0]
        self._began_ns, self._n_samples = now_ns, 0
        if len(self._errors) < N_RATE_SPANS:
            return
        low, high = min(self._errors), max(self._errors)
        if high - low <= RATE_SPREAD and (low > RATE_ERROR or high < -RATE_ERROR):
            self.fault = (sample_rate, came)


def _ns(seconds: float) -> int:
    return round(seconds * NS_PER_S)
