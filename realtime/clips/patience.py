"""How long a clip waits for a sense that is late.

A file's clip waits for both senses to pass its end and loses nothing. A live clip waits for a late
sense up to the patience, then goes without. A sense found late is waited for again as soon as
waiting can help: while what it has delivered lies within the patience of now. A dead camera falls
further and further behind and so costs its patience once; sound that hung for a moment is back with
the next clip. Sound that always comes later than the patience (some wireless microphones) stays
masked at no cost: only a larger `patience_s` hears it. Behind a source that delivers in lumps all
this happens later by its lag (`realtime.buffers.lag`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from realtime.clock import NS_PER_S
from realtime.packets import SLOT_NS, Sense

if TYPE_CHECKING:
    from realtime.buffers.audio_ring import AudioRing
    from realtime.buffers.frame_ring import FrameRing
    from realtime.buffers.lag import Lag
    from realtime.clock import Timeline
    from realtime.config import SourceConfig


class Patience:
    """One stream's; one thread calls it.

    Args:
        source: How long it may take, and whether the stream is live.
        timeline: The stream's own time.
        frames: The picture ring; None where the stream has no picture.
        audio: The sound ring; None where the stream has no sound.
        lag: By how much the source delivers late in its way; every clip waits so much longer.
    """

    def __init__(
        self,
        source: SourceConfig,
        timeline: Timeline,
        frames: FrameRing | None,
        audio: AudioRing | None,
        lag: Lag,
    ) -> None:
        self.ns = round(source.patience_s * NS_PER_S)
        self._live = source.live
        self._timeline = timeline
        self._frames = frames
        self._audio = audio
        self._lag = lag
        self._late: set[Sense] = set()

    def wait_ns(self, now_ns: int, end_slot: int) -> int:
        """Return how long a clip may still wait for its senses; 0 when it can be cut.

        Args:
            now_ns: On the run's clock.
            end_slot: The clip's exclusive end, in sixteenths of stream time.
        """
        if self._timeline.epoch_ns is None:
            over = all(ring is None or ring.ended for ring in (self._frames, self._audio))
            return 0 if over else NS_PER_S
        incomplete = {sense for sense in Sense if not self._is_complete(sense, end_slot)}
        self._late &= incomplete
        if not incomplete:
            return 0
        if not self._live:
            return NS_PER_S  # a file is waited for; the caller's time-out bounds one wait
        due_ns = self._timeline.time_ns(end_slot * SLOT_NS) + self._lag.ns
        if any(self._is_worth_waiting(sense, now_ns) for sense in incomplete):
            due_ns += self.ns
        if due_ns <= now_ns:
            self._late |= incomplete
        return due_ns - now_ns

    def is_whole(self, end_slot: int) -> bool:
        """Return whether all of a clip has come."""
        return all(self._is_complete(sense, end_slot) for sense in Sense)

    def is_passed(self, end_slot: int) -> bool:
        """Return whether one sense that there is has come up to `end_slot`."""
        there = {Sense.PICTURE: self._frames, Sense.SOUND: self._audio}
        return any(r is not None and self._is_complete(s, end_slot) for s, r in there.items())

    def _is_worth_waiting(self, sense: Sense, now_ns: int) -> bool:
        """Whether a sense is on time so far, or late but so little that it may come in time."""
        if sense not in self._late:
            return True
        delivered_ns = self._delivered_ns(sense)
        return delivered_ns is not None and now_ns - delivered_ns <= self._lag.ns + self.ns

    def _delivered_ns(self, sense: Sense) -> int | None:
        """Up to when a sense has come, on the run's clock; None before its first sample."""
        if sense is Sense.PICTURE:
            final_slot = -1 if self._frames is None else self._frames.final_slot
            return None if final_slot < 0 else self._timeline.time_ns((final_slot + 1) * SLOT_NS)
        if self._audio is None or not self._audio.clock.ready:
            return None
        return self._audio.clock.time_at(self._audio.end_index)

    def _is_complete(self, sense: Sense, end_slot: int) -> bool:
        if sense is Sense.PICTURE:
            return self._frames is None or self._frames.final_slot >= end_slot - 1
        ring = self._audio
        if ring is None or ring.ended:
            return True
        end_ns = self._timeline.time_ns(end_slot * SLOT_NS)
        return ring.end_index >= ring.clock.index_at(end_ns)
