"""Cuts a stream into clips: at each stride the newest second of sound and pictures, aligned.

Place in the flow: rings -> clip assembler -> recognizer. It decides when a second is complete and
what of it is missing, and nothing else: no features, no thresholds.

Strides. Decisions come every hop, windows are made of clips one second apart. Where the hop does
not divide the second (3/16 s, say) the clips that a window needs lie between hops, so clips are
cut at every common divisor of hop and second; `Clip.decide` marks those on the hop grid.

Waiting. A file's clip waits for both senses to pass its end and loses nothing. A live clip waits
for a late sense up to the patience, then goes without. A sense found late is waited for again as
soon as waiting can help: while what it has delivered lies within the patience of now. A dead
camera falls further and further behind and so costs its patience once; sound that hung for a
moment is back with the next clip. Sound that always comes later than the patience (some wireless
microphones) stays masked at no cost: only a larger `patience_s` hears it. Behind a source that
delivers in lumps all this happens later by its lag (`realtime.buffers.lag`). A live stream that
has fallen behind skips to the newest hop (newest wins, counted in `skipped_clips`); before that
happens, `set_level` has less of it computed (`realtime.load_governor`).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from realtime.buffers.audio_ring import AudioRing
from realtime.buffers.frame_ring import END_SLOT, FrameRing
from realtime.buffers.lag import Lag
from realtime.clock import NS_PER_MS, NS_PER_S, Clock, Timeline
from realtime.config import SourceConfig, WindowConfig
from realtime.load_governor import LoadLevel
from realtime.packets import (
    CLIP_SAMPLES,
    CLIP_SLOTS,
    GRID_HZ,
    SAMPLE_RATE,
    SLOT_NS,
    Clip,
    GridFrame,
    Sense,
    SenseState,
)
from realtime.stats import Stats

MAX_MISSING_SAMPLES = CLIP_SAMPLES // 4  # with more than a quarter gone there is no second of sound
MIN_SHOWN_SLOTS = CLIP_SLOTS // 2  # with fewer pictures than this the picture is missing
MAX_PADDING = CLIP_SAMPLES // 2  # of a file's last second; with more it has no such second
N_INTERVALS = 5  # of which the middle one is a camera's usual interval
MIN_INTERVALS = 3
MAX_BACKLOG_NS = NS_PER_S // 2  # a live stream further behind than this (or a hop) skips


@dataclass(frozen=True, slots=True)
class _Shown:
    slot: int
    time_ns: int


class ClipAssembler:
    """Assembles one stream's clips in order; one thread calls it.

    Args:
        source: Patience and hold of the stream, and whether it is live.
        window: The hop.
        timeline: The stream's own time.
        frames: The picture ring; None where the stream has no picture.
        audio: The sound ring; None where the stream has no sound.
        clock: The run's clock.
        stats: Counts `clips` and `skipped_clips`.
        lag: By how much the source delivers late in its way; every clip waits so much longer.
        grid_hz: Pictures a second that are handed out at most; what `frames` was made for.
    """

    def __init__(
        self,
        source: SourceConfig,
        window: WindowConfig,
        timeline: Timeline,
        frames: FrameRing | None,
        audio: AudioRing | None,
        clock: Clock,
        stats: Stats,
        lag: Lag | None = None,
        grid_hz: int = GRID_HZ,
    ) -> None:
        self._lag = lag or Lag()
        self._live = source.live
        self._dated = source.dated
        self._patience_ns = round(source.patience_s * NS_PER_S)
        self._hold_slots = round(source.hold_s * NS_PER_S) // SLOT_NS
        self._max_hold_slots = round(source.stale_s * NS_PER_S) // SLOT_NS
        self._intervals: deque[int] = deque(maxlen=N_INTERVALS)  # of frames handed out, in slots
        self._asked_hop_slots = self._hop_slots = window.hop_slots
        self.stride_slots = math.gcd(window.hop_slots, CLIP_SLOTS)
        self._step_slots = self.stride_slots  # from clip to clip; longer where the hop is
        self.asked_grid_hz = grid_hz
        self._level = LoadLevel(grid_hz=grid_hz)
        self._timeline = timeline
        self._frames = frames
        self._audio = audio
        self._clock = clock
        self._stats = stats
        self._end_slot = CLIP_SLOTS  # exclusive end of the next clip, in sixteenths
        self._index = 0
        self._shown: deque[_Shown] = deque()  # frames handed out that may still be shown
        self._handed_slot = -1
        self._late: set[Sense] = set()
        self._missing: set[Sense] = set()
        self._heard_index, self._heard_ns = -1, 0  # up to where sound has come, and since when
        self.finished = False

    @property
    def stride_ns(self) -> int:
        """Time between two clips at full load."""
        return self.stride_slots * SLOT_NS

    @property
    def hop_s(self) -> float:
        """Time between decisions now."""
        return self._hop_slots * SLOT_NS / NS_PER_S

    @property
    def grid_hz(self) -> int:
        """Pictures a second that are handed out now, at most."""
        return self._level.grid_hz

    def set_level(self, level: LoadLevel) -> None:
        """Hand out less from now on, or more; a file's stream stays as it is.

        A longer hop is a second at most, so that windows find their clips.
        """
        if not self._live or level == self._level:
            return
        self._level = level
        if self._frames is not None:
            self._frames.thin(level.grid_stride)
        fits = max(1, CLIP_SLOTS // self._asked_hop_slots)
        factor = min(level.hop_factor, 1 << (fits.bit_length() - 1))  # a power of two
        self._hop_slots = self._asked_hop_slots * factor
        self._step_slots = math.gcd(self._hop_slots, CLIP_SLOTS)
        self._end_slot += -(self._end_slot - CLIP_SLOTS) % self._step_slots

    def states(self) -> dict[Sense, SenseState]:
        """Return how each sense is doing, as the last clip saw it."""
        return {
            Sense.PICTURE: self._state(Sense.PICTURE, self._frames),
            Sense.SOUND: self._state(Sense.SOUND, self._audio),
        }

    def poll(self) -> tuple[Clip | None, int]:
        """Cut the next clip if it is due; never waits.

        Returns:
            The clip, or None with how long to wait, ns, unless something new comes sooner. None
            also at the stream's end (`finished`).
        """
        while not self.finished:
            now_ns = self._clock.now_ns()
            wait_ns = self._wait_ns(now_ns)
            if wait_ns > 0:
                return None, wait_ns
            if self._is_over():
                self.finished = True
            elif not (self._live and self._skip_backlog(now_ns)):
                return self._cut(), 0
            # else the clip landed on may be waited for like any other
        return None, 0

    def take_frames(self, limit: int) -> tuple[GridFrame, ...]:
        """Hand out up to `limit` frames that came for a clip which is not yet complete.

        What is handed out here no clip has among its `new_frames`. Not for files: how far their
        reader is ahead would choose the batches.
        """
        if not self._dated or self._timeline.epoch_ns is None:
            return ()
        return self._take_frames(self._end_slot, END_SLOT, limit)

    def _wait_ns(self, now_ns: int) -> int:
        """How long the next clip may still wait for its senses; 0 when it can be cut."""
        if self._timeline.epoch_ns is None:
            over = all(ring is None or ring.ended for ring in (self._frames, self._audio))
            return 0 if over else NS_PER_S
        complete_picture, complete_sound = self._picture_complete(), self._sound_complete()
        if complete_picture:
            self._late.discard(Sense.PICTURE)
        if complete_sound:
            self._late.discard(Sense.SOUND)
        if complete_picture and complete_sound:
            return 0
        if not self._live:
            return NS_PER_S  # a file is waited for; the caller's time-out bounds one wait
        end_ns = self._timeline.time_ns(self._end_slot * SLOT_NS)
        patience_ns = 0
        if not complete_picture and self._is_worth_waiting(Sense.PICTURE, now_ns):
            patience_ns = self._patience_ns
        if not complete_sound and self._is_worth_waiting(Sense.SOUND, now_ns):
            patience_ns = self._patience_ns
        wait_ns = end_ns + self._lag.ns + patience_ns - now_ns
        if wait_ns <= 0:
            if not complete_picture:
                self._late.add(Sense.PICTURE)
            if not complete_sound:
                self._late.add(Sense.SOUND)
        return wait_ns

    def _is_worth_waiting(self, sense: Sense, now_ns: int) -> bool:
        """Whether a sense is on time so far, or late but so little that it may come in time."""
        if sense not in self._late:
            return True
        delivered_ns = self._delivered_ns(sense)
        return (
            delivered_ns is not None and now_ns - delivered_ns <= self._lag.ns + self._patience_ns
        )

    def _delivered_ns(self, sense: Sense) -> int | None:
        """Up to when a sense has come, on the run's clock; None before its first sample."""
        if sense is Sense.PICTURE:
            final_slot = -1 if self._frames is None else self._frames.final_slot
            return None if final_slot < 0 else self._timeline.time_ns((final_slot + 1) * SLOT_NS)
        if self._audio is None or not self._audio.clock.ready:
            return None
        return self._audio.clock.time_at(self._audio.end_index)

    def _picture_complete(self) -> bool:
        return self._frames is None or self._frames.final_slot >= self._end_slot - 1

    def _sound_complete(self) -> bool:
        ring = self._audio
        return ring is None or ring.ended or ring.end_index >= self._stop_index(ring)

    def _stop_index(self, ring: AudioRing) -> int:
        return ring.clock.index_at(self._timeline.time_ns(self._end_slot * SLOT_NS))

    def _is_over(self) -> bool:
        """Whether nothing is left for the next clip.

        The end is the longer sense's, as its reader told it, never "nothing new so far". Seconds
        are counted as `extractors.clip_features.n_clips_of` counts them: from half a second on
        the last one is a clip, and what is shorter than a second is one. Between whole seconds a
        rest of a sixteenth gets a clip of its own.
        """
        rings = [ring for ring in (self._frames, self._audio) if ring is not None]
        if not all(ring.ended for ring in rings):
            return False
        end_t_ns = self._data_end_t_ns()
        if end_t_ns <= 0:
            return True
        whole_seconds = max(1, (2 * end_t_ns + NS_PER_S) // (2 * NS_PER_S))
        if self._end_slot <= whole_seconds * CLIP_SLOTS:
            return False
        rest_ns = end_t_ns - (self._end_slot - self._step_slots) * SLOT_NS
        return self._step_slots == CLIP_SLOTS or rest_ns < SLOT_NS

    def _data_end_t_ns(self) -> int:
        """Return where the longer sense ends, stream time; both have ended."""
        epoch_ns = self._timeline.epoch_ns
        if epoch_ns is None:
            return 0
        frames, audio = self._frames, self._audio
        end_t_ns = 0 if frames is None else frames.end_slot * SLOT_NS
        if audio is not None and audio.clock.ready and audio.end_index:
            end_t_ns = max(end_t_ns, audio.clock.time_at(audio.end_index) - epoch_ns)
        return end_t_ns

    def _cut(self) -> Clip:
        end_slot, index = self._end_slot, self._index
        end_t_ns = end_slot * SLOT_NS
        end_ns = self._timeline.time_ns(end_t_ns)
        new_frames = self._take_frames(end_slot, end_slot - 1)
        slots, frame_error_ns = self._show(end_slot)
        waveform, n_gap, sound_error_ns = self._hear(end_ns)
        has_picture = sum(slot >= 0 for slot in slots) >= MIN_SHOWN_SLOTS
        if not has_picture:
            slots = (-1,) * CLIP_SLOTS
        there = {Sense.PICTURE: has_picture, Sense.SOUND: waveform is not None}
        self._missing = {sense for sense in Sense if not there[sense]}  # at once: others read it
        newest_ns = end_ns
        if waveform is None and has_picture:
            newest_ns = min(end_ns, max(f.time_ns for f in self._shown if f.slot < end_slot))
        skew_ms = None
        if has_picture and waveform is not None:
            skew_ms = (frame_error_ns - sound_error_ns) / NS_PER_MS
        self._end_slot += self._step_slots
        self._index += 1
        self._stats.count("clips")
        self._release()
        return Clip(
            index=index,
            end_t_ns=end_t_ns,
            decide=(end_slot - CLIP_SLOTS) % self._hop_slots == 0,
            waveform=waveform,
            slots=slots,
            new_frames=new_frames,
            newest_ns=newest_ns,
            av_skew_ms=skew_ms,
            gap_samples=n_gap,
        )

    def _skip_backlog(self, now_ns: int) -> bool:
        """Move on to the newest hop whose second is over if the backlog is too long; say whether.

        What is left of the backlog is less than a hop, so that this happens once.
        """
        hop_ns = self._hop_slots * SLOT_NS
        behind_ns = now_ns - self._lag.ns - self._timeline.time_ns(self._end_slot * SLOT_NS)
        if behind_ns <= max(MAX_BACKLOG_NS, hop_ns + self._patience_ns):
            return False
        # Land on the hop grid, late enough that its second has just passed.
        first = self._end_slot + (-(self._end_slot - CLIP_SLOTS)) % self._hop_slots
        n_hops = (behind_ns - (first - self._end_slot) * SLOT_NS) // hop_ns
        target = first + max(0, n_hops) * self._hop_slots
        n_skipped = (target - self._end_slot) // self._step_slots
        self._end_slot = target
        self._index += n_skipped
        self._stats.count("skipped_clips", n_skipped)
        return True

    def _take_frames(
        self, end_slot: int, last_slot: int, limit: int | None = None
    ) -> tuple[GridFrame, ...]:
        """Take the frames that nobody has had yet and that the clip or a later one shows."""
        if self._frames is None:
            return ()
        oldest = end_slot - CLIP_SLOTS
        held = self._frames.newest_at(oldest)
        first = max(self._handed_slot + 1, held[0] if held is not None else oldest)
        frames = tuple(self._frames.read(first, last_slot, limit, self._level.grid_stride))
        for frame in frames:
            if self._handed_slot >= 0:
                self._intervals.append(frame.slot - self._handed_slot)
            self._shown.append(_Shown(frame.slot, frame.time_ns))
            self._handed_slot = frame.slot
        while len(self._shown) > 1 and self._shown[1].slot <= oldest:
            self._shown.popleft()
        return frames

    def _show(self, end_slot: int) -> tuple[tuple[int, ...], float]:
        """Say which frame each grid place shows, and the mean of frame time minus grid time."""
        # A file's frame stands until the next, however long that takes; only the very last ages,
        # once it has shown for as long as it should. Whether it is the last must not hang on how
        # far the reader is ahead.
        newest, shown_until = None, 0
        if self._frames is not None and self._frames.ended:
            newest, shown_until = self._frames.newest_at(END_SLOT), self._frames.end_slot
        last = -1 if newest is None else newest[0]
        held = max(self._held_slots(), self._level.grid_stride - 1)
        slots: list[int] = []
        errors_ns: list[int] = []
        shown = iter(self._shown)
        current: _Shown | None = None
        following = next(shown, None)
        for slot in range(end_slot - CLIP_SLOTS, end_slot):
            while following is not None and following.slot <= slot:
                current, following = following, next(shown, None)
            if current is None:
                slots.append(-1)
                continue
            too_old = slot - current.slot > held
            if too_old and (self._live or current.slot == last) and slot >= shown_until:
                slots.append(-1)
                continue
            slots.append(current.slot)
            if current.slot == slot:
                errors_ns.append(current.time_ns - self._timeline.time_ns(slot * SLOT_NS))
        mean_ns = sum(errors_ns) / len(errors_ns) if errors_ns else 0.0
        return tuple(slots), mean_ns

    def _held_slots(self) -> int:
        """For how long a live picture stands in for the next: a slow camera's for its interval.

        The middle one of the last intervals, so that one stall makes no camera slow, and half as
        much again; what comes later than `stale_s` is gone for whoever watches the device, too.
        """
        if not self._live or len(self._intervals) < MIN_INTERVALS:
            return self._hold_slots
        usual = sorted(self._intervals)[len(self._intervals) // 2]
        return max(self._hold_slots, min(usual - 1 + usual // 2, self._max_hold_slots))

    def _hear(self, end_ns: int) -> tuple[NDArray[np.float32] | None, int, float]:
        """Return the second of sound, its lost samples and its time error; None when missing."""
        ring = self._audio
        if ring is None or not ring.clock.ready:
            return None, 0, 0.0
        stop = ring.clock.index_at(end_ns)
        if self._live:
            self._miss(ring)
        span = ring.read(stop - CLIP_SAMPLES, stop)
        n_lost = span.n_missing + span.n_gap
        n_after = stop - ring.end_index if ring.ended else 0
        # A stream's last second is padded, as the authors pad; see `_is_over`.
        if n_after > 0 and self._index == 0 and span.n_missing < CLIP_SAMPLES:
            n_lost = 0
        elif 0 < n_after <= MAX_PADDING:
            n_lost -= n_after
        if n_lost > MAX_MISSING_SAMPLES:
            return None, span.n_gap, 0.0
        return span.samples, span.n_gap + span.n_missing, float(ring.clock.time_at(stop) - end_ns)

    def _miss(self, ring: AudioRing) -> None:
        """Count sound that has not come for longer than any clip waits, while it has not."""
        now_ns, end_index = self._clock.now_ns(), ring.end_index
        if end_index != self._heard_index:
            self._heard_index, self._heard_ns = end_index, now_ns
        missed_ns = now_ns - self._heard_ns - self._lag.ns - CLIP_SLOTS * SLOT_NS
        if missed_ns > 0:
            ring.miss(end_index + missed_ns * SAMPLE_RATE // NS_PER_S)

    def _release(self) -> None:
        if self._frames is not None:
            self._frames.release(self._handed_slot + 1)
        ring = self._audio
        if ring is not None and ring.clock.ready:
            # One second of slack: the fitted clock may move an index back a little.
            ring.release(self._stop_index(ring) - 2 * CLIP_SAMPLES)

    def _state(self, sense: Sense, ring: FrameRing | AudioRing | None) -> SenseState:
        if ring is None:
            return SenseState.ABSENT
        if ring.ended:
            return SenseState.ENDED
        if self._index == 0:
            return SenseState.WAITING
        return SenseState.STALE if sense in self._missing else SenseState.OK
