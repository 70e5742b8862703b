"""Cuts a stream into clips: at each stride the newest second of sound and pictures, aligned.

Place in the flow: rings -> clip assembler -> recognizer. It decides when a second is complete and
what of it is missing, and nothing else: no features, no thresholds.

Strides. Decisions come every hop, windows are made of clips one second apart. Where the hop does
not divide the second (3/16 s, say) the clips that a window needs lie between hops, so clips are
cut at every common divisor of hop and second; `Clip.decide` marks those on the hop grid.

A clip waits for a sense that is late (`realtime.clips.patience`). A live stream that has fallen
behind skips to the newest hop (newest wins, counted in `skipped_clips`); before that happens,
`set_level` has less of it computed (`realtime.load_governor`). A stream that another recognizer had
before may begin with its past: then the window is made of it first.
"""

from __future__ import annotations

import math

from realtime.buffers.audio_ring import AudioRing
from realtime.buffers.frame_ring import END_SLOT, FrameRing
from realtime.buffers.lag import Lag
from realtime.clips.patience import Patience
from realtime.clips.pictures import ClipPictures
from realtime.clips.sound import NOTHING, ClipSound
from realtime.clock import NS_PER_MS, NS_PER_S, Clock, Timeline
from realtime.config import SourceConfig, WindowConfig
from realtime.load_governor import LoadLevel
from realtime.packets import (
    CLIP_SLOTS,
    GRID_HZ,
    SLOT_NS,
    Clip,
    GridFrame,
    Sense,
    SenseState,
)
from realtime.stats import Stats

MIN_SHOWN_SLOTS = CLIP_SLOTS // 2  # with fewer pictures than this the picture is missing
NO_PICTURE = (-1,) * CLIP_SLOTS
MAX_BACKLOG_NS = NS_PER_S // 2  # a live stream further behind than this (or a hop) skips
CATCH_UP_NS = 4 * NS_PER_S  # for so long a stream that was taken over may be behind
NEAR_NS, SOON_NS = 2 * NS_PER_S, 600 * NS_PER_MS  # once so little behind, for so long
RETOLD_NS = 5 * NS_PER_S  # of its past, is decided on anew: nobody may have decided on it
_LOOK_NS = 20 * NS_PER_MS


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
        catches_up: Whether a live stream may begin with its past, which comes at once and of which
            nothing is skipped. Decisions are due on the last `RETOLD_NS` of it.
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
        *,
        catches_up: bool = False,
    ) -> None:
        self._lag = lag or Lag()
        self._live = source.live
        self._dated = source.dated
        self._patience = Patience(source, timeline, frames, audio, self._lag)
        self._pictures = None if frames is None else ClipPictures(frames, timeline, source)
        self._sound = (
            None if audio is None else ClipSound(audio, clock, self._lag, live=source.live)
        )
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
        self._missing: set[Sense] = set()
        self._catches_up = catches_up
        self._began_ns: int | None = None  # when a stream that catches up began to come
        self._near_ns: int | None = None  # when it was `NEAR_NS` behind
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
            if self._is_catching_up(now_ns):
                return (self._cut(), 0) if self._has_come() else (None, _LOOK_NS)
            wait_ns = self._patience.wait_ns(now_ns, self._end_slot)
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
        if self._pictures is None or not self._dated or self._timeline.epoch_ns is None:
            return ()
        return self._pictures.take(self._end_slot, END_SLOT, self._level.grid_stride, limit)

    def _is_catching_up(self, now_ns: int) -> bool:
        """Whether the next clip is of the past with which a stream began."""
        if not self._catches_up or self._timeline.epoch_ns is None:
            return False
        if self._began_ns is None:
            self._began_ns = now_ns
        behind_ns = now_ns - self._timeline.time_ns(self._end_slot * SLOT_NS)
        is_late = now_ns - self._began_ns >= CATCH_UP_NS
        if behind_ns <= NEAR_NS:  # and nearer it never gets, if a sense does not come at all
            self._near_ns = now_ns if self._near_ns is None else self._near_ns
            is_late = is_late or now_ns - self._near_ns >= SOON_NS
        self._catches_up = behind_ns > MAX_BACKLOG_NS and not is_late
        return self._catches_up

    def _has_come(self) -> bool:
        """Whether a clip of the past is whole, or one sense is so far ahead that no other comes."""
        is_whole, is_passed = self._patience.is_whole, self._patience.is_passed
        return is_whole(self._end_slot) or is_passed(self._end_slot + CLIP_SLOTS)

    def _is_worth_deciding(self, end_t_ns: int) -> bool:
        if not self._catches_up or self._began_ns is None:
            return True
        return self._timeline.time_ns(end_t_ns) > self._began_ns - RETOLD_NS

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
        is_hop = (end_slot - CLIP_SLOTS) % self._hop_slots == 0
        end_t_ns = end_slot * SLOT_NS
        end_ns = self._timeline.time_ns(end_t_ns)
        new_frames: tuple[GridFrame, ...] = ()
        slots, frame_error_ns = NO_PICTURE, 0.0
        if self._pictures is not None:
            stride = self._level.grid_stride
            new_frames = self._pictures.take(end_slot, end_slot - 1, stride)
            slots, frame_error_ns = self._pictures.show(end_slot, stride)
        heard = NOTHING if self._sound is None else self._sound.hear(end_ns, is_first=index == 0)
        waveform = heard.waveform
        has_picture = sum(slot >= 0 for slot in slots) >= MIN_SHOWN_SLOTS
        if not has_picture:
            slots = NO_PICTURE
        there = {Sense.PICTURE: has_picture, Sense.SOUND: waveform is not None}
        self._missing = {sense for sense in Sense if not there[sense]}  # at once: others read it
        newest_ns = end_ns
        if waveform is None and has_picture and self._pictures is not None:
            newest_ns = min(end_ns, self._pictures.newest_ns(end_slot))
        skew_ms = None
        if has_picture and waveform is not None:
            skew_ms = (frame_error_ns - heard.error_ns) / NS_PER_MS
        self._end_slot += self._step_slots
        self._index += 1
        self._stats.count("clips")
        self._release()
        return Clip(
            index=index,
            end_t_ns=end_t_ns,
            decide=is_hop and self._is_worth_deciding(end_t_ns),
            waveform=waveform,
            slots=slots,
            new_frames=new_frames,
            newest_ns=newest_ns,
            av_skew_ms=skew_ms,
            gap_samples=heard.n_lost,
            is_past=self._catches_up,
        )

    def _release(self, before_slot: int = 0) -> None:
        """Let the rings forget what no clip shows or hears any more."""
        if self._pictures is not None:
            self._pictures.release(before_slot)
        if self._sound is not None:
            self._sound.release(self._timeline.time_ns(self._end_slot * SLOT_NS))

    def _skip_backlog(self, now_ns: int) -> bool:
        """Move on to the newest hop whose second is over if the backlog is too long; say whether.

        What is left of the backlog is less than a hop, so that this happens once.
        """
        hop_ns = self._hop_slots * SLOT_NS
        behind_ns = now_ns - self._lag.ns - self._timeline.time_ns(self._end_slot * SLOT_NS)
        if behind_ns <= max(MAX_BACKLOG_NS, hop_ns + self._patience.ns):
            return False
        # Land on the hop grid, late enough that its second has just passed.
        first = self._end_slot + (-(self._end_slot - CLIP_SLOTS)) % self._hop_slots
        n_hops = (behind_ns - (first - self._end_slot) * SLOT_NS) // hop_ns
        target = first + max(0, n_hops) * self._hop_slots
        n_skipped = (target - self._end_slot) // self._step_slots
        self._end_slot = target
        self._index += n_skipped
        self._release(target - CLIP_SLOTS)
        self._stats.count("skipped_clips", n_skipped)
        return True

    def _state(self, sense: Sense, ring: FrameRing | AudioRing | None) -> SenseState:
        if ring is None:
            return SenseState.ABSENT
        if ring.ended:
            return SenseState.ENDED
        if self._index == 0:
            return SenseState.WAITING
        return SenseState.STALE if sense in self._missing else SenseState.OK
