"""Stands between a device's reader and the rings: shows the watch what comes, and can be shut.

A reader whose driver call hangs is given up, but it may come back to life seconds later, while
another one reads the same device. So each opening has a gate of its own: once it is shut, nothing
passes, and no two readers ever write into a ring at once.

What says nothing, a frozen or black picture or digital silence, is withheld: the sense is missing
then and masked, not fed in as if it were data. Withheld zeros of the last second are handed on
when sound comes back, so that its first clip is whole.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from realtime.clock import NS_PER_S
from realtime.packets import Sense
from realtime.sources.audio_intake import AudioIntake
from realtime.sources.base import Inlet
from realtime.sources.video_intake import VideoIntake

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from realtime.sources.watch import SenseWatch


class Gate:
    """Whether what a reader delivers still counts. Any thread may call it.

    Args:
        lock: Shared by all gates of one source: who holds it is alone at the rings.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self.lock = lock
        self.is_watched = False  # until a reader is watched, all passes as it comes
        self._is_open = True

    @property
    def is_open(self) -> bool:
        """Whether things pass; asked with the lock held by who lets something pass."""
        return self._is_open

    def shut(self) -> None:
        """Let nothing pass any more. Does not wait; what is passing just now still passes."""
        self._is_open = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedInlet(Inlet):
    """An inlet whose intakes pass a gate; one for each opening of a device."""

    gate: Gate
    watches: Mapping[Sense, SenseWatch] = field(default_factory=dict)

    def note_life(self, now_ns: int) -> None:
        """Say that the source lives, though nothing of it can be shown or heard yet."""
        for watch in list(self.watches.values()):
            watch.note_life(now_ns)

    def video_intake(self) -> VideoIntake:
        """Return what takes the stream's frames as long as the gate is open."""
        tap = None if self.tap is None else self.tap.take_frame
        watch = self.watches.get(Sense.PICTURE)
        if watch is None:
            return Inlet.video_intake(self)
        return _GatedVideo(self, watch, tap)

    def audio_intake(self, sample_rate: int, n_channels: int) -> AudioIntake:
        """Return what takes the stream's sound as long as the gate is open."""
        tap = None if self.tap is None else self.tap.take_sound
        watch = self.watches.get(Sense.SOUND)
        if watch is None:
            return Inlet.audio_intake(self, sample_rate, n_channels)
        return _GatedAudio(self, watch, sample_rate, n_channels, tap)


class _GatedVideo(VideoIntake):
    def __init__(
        self,
        inlet: GatedInlet,
        watch: SenseWatch,
        tap: (
            Callable[[int, Callable[[], NDArray[np.uint8]]], Callable[[], NDArray[np.uint8]]] | None
        ),
    ) -> None:
        super().__init__(
            inlet.timeline,
            inlet.frames,
            inlet.prepare,
            inlet.live,
            inlet.stats,
            tap,
            inlet.picture_date,
        )
        self._inlet = inlet
        self._watch = watch

    def append_lazy(
        self, time_ns: int, render: Callable[[], NDArray[np.uint8]], length_ns: int = 0
    ) -> None:
        """Take one frame, as `VideoIntake` does."""
        gate = self._inlet.gate
        with gate.lock:
            if not gate.is_open:
                return
            if gate.is_watched:
                self._watch.arrived(self._inlet.clock.now_ns())
            super().append_lazy(time_ns, render, length_ns)

    def _is_empty(self, image: NDArray[np.uint8]) -> bool:
        if not self._inlet.gate.is_watched:
            return False
        return self._watch.is_empty_picture(self._inlet.clock.now_ns(), image)


class _GatedAudio(AudioIntake):
    def __init__(
        self,
        inlet: GatedInlet,
        watch: SenseWatch,
        sample_rate: int,
        n_channels: int,
        tap: Callable[[int, NDArray[np.float32]], None] | None,
    ) -> None:
        super().__init__(
            inlet.timeline,
            inlet.sounds,
            sample_rate,
            n_channels,
            inlet.live,
            inlet.stats,
            tap,
            inlet.sound_date,
            inlet.say_once,
        )
        self._inlet = inlet
        self._watch = watch
        self._n_withheld = 0

    def append(self, samples: NDArray[np.float32], time_ns: int) -> None:
        """Take one block, as `AudioIntake` does."""
        gate = self._inlet.gate
        with gate.lock:
            if not gate.is_open or not len(samples):
                return
            if gate.is_watched and self._is_empty(samples):
                self._n_withheld += len(samples)
                self._inlet.stats.count("withheld_blocks")
                return
            if self._n_withheld:
                self._make_up(time_ns)
            self._take(samples, time_ns)
        self._explain()

    def _is_empty(self, samples: NDArray[np.float32]) -> bool:
        now_ns = self._inlet.clock.now_ns()
        self._watch.arrived(now_ns)
        return self._watch.is_empty_sound(now_ns, samples, self.sample_rate)

    def retune(self, sample_rate: int, n_channels: int) -> None:
        """Go on with another rate or channel count, as `AudioIntake` does."""
        gate = self._inlet.gate
        with gate.lock:
            if gate.is_open:
                self._n_withheld = self._n_withheld * sample_rate // self.sample_rate
                super().retune(sample_rate, n_channels)

    def _make_up(self, time_ns: int) -> None:
        """Hand on the newest second of the withheld zeros; the rest is a gap."""
        n_kept = min(self._n_withheld, self.sample_rate)
        kept_from_ns = time_ns - n_kept * NS_PER_S // self.sample_rate
        if self.has_begun:
            self.skip(self._n_withheld - n_kept, kept_from_ns)
        self._n_withheld = 0
        self._take(np.zeros(n_kept, np.float32), kept_from_ns)
