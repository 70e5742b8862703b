"""One recording: from the ring to an MP4 with exact ends, and what its sidecar says of it.

Time. The sound's samples are the ruler. A frame lies where the sample lies that the fitted audio
clock dates like it, so that sound and picture stay together however long the recording and however
wrong the microphone's crystal is. Without sound the run's clock is the ruler. Frames keep their
own times (variable frame rate); the frame that was shown at the start begins there, and the last
one lasts to the end. It does not choose what is recorded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from realtime.clock import NS_PER_S
from realtime.outputs.recording.codec import AAC_SAMPLES, FrameCodec, Mp4Writer, Sink
from realtime.packets import SAMPLE_RATE, Sense

if TYPE_CHECKING:
    from collections.abc import Callable

    from realtime.outputs.recording.ring import PreRollRing, StoredFrame

MAX_SHOWN_NS = NS_PER_S  # a frame older than this was not what was seen at the start
N_FRAMES_A_TURN = 4  # then whoever else waits for this thread has its turn
N_LOOKED_AT = 16
SPARSE_NS = NS_PER_S // 10  # between frames while memory is short: a backlog is worked off faster


@dataclass(slots=True, kw_only=True)
class Ruler:
    """Where a moment lies in a recording, in sixteen-thousandths of a second from its start.

    Attributes:
        start_ns: The start, on the run's clock.
        index_at: Sample index of a time, where there is sound.
        base_index: The start's.
    """

    start_ns: int
    index_at: Callable[[int], int] | None
    base_index: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        """Fix the start."""
        if self.index_at is not None:
            self.base_index = self.index_at(self.start_ns)

    def pts(self, time_ns: int) -> int:
        """Return the place of `time_ns`; negative before the start."""
        if self.index_at is not None:
            return self.index_at(time_ns) - self.base_index
        return (time_ns - self.start_ns) * SAMPLE_RATE // NS_PER_S


class Recording:
    """Writes what lies in the ring from `ruler.start_ns` on; one thread.

    Args:
        ring: The stream's last seconds; what is not yet written must stay in it.
        ruler: Where the recording starts; with sound if it has an `index_at`.
        size: Of the picture; None for sound alone.
        codec: The ring's.
        sink: Takes the file's bytes. Its errors are raised as they are.
        may_thin: Leave frames out, counted as lost, before memory runs over and a stretch is lost.

    Attributes:
        n_frames: Frames written.
        n_missing: Samples that were not there and are written as silence.
        longest_ns: The longest time for which one picture is shown.
    """

    def __init__(
        self,
        ring: PreRollRing,
        ruler: Ruler,
        size: tuple[int, int] | None,
        codec: FrameCodec,
        sink: Sink,
        *,
        may_thin: bool = False,
    ) -> None:
        self._ring = ring
        self._may_thin = may_thin
        self._ruler = ruler
        self.size = size
        self.has_sound = ruler.index_at is not None
        self._writer = Mp4Writer(sink, size, sound=self.has_sound, codec=codec)
        self._pending: tuple[StoredFrame, int] | None = None  # waits to learn how long it is shown
        self._frames_from_ns = ruler.start_ns - 1  # frames after this one are still to come
        self._written = 0  # samples
        self.n_frames = 0
        self.n_missing = 0
        self.longest_ns = 0
        shown = ring.frame_shown_at(ruler.start_ns) if size is not None else None
        if shown is not None and ruler.start_ns - shown.time_ns <= MAX_SHOWN_NS:
            self._pending = shown, 0
            self._frames_from_ns = max(self._frames_from_ns, shown.time_ns)

    @property
    def start_ns(self) -> int:
        """Where it starts, on the run's clock."""
        return self._ruler.start_ns

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing in it but silence that was made up."""
        return not self.n_frames and self.n_missing >= self._written

    @property
    def reached_ns(self) -> int:
        """How far its pictures are written, or its sound where it has none, on the run's clock."""
        if self.size is not None:
            return self._frames_from_ns
        return self.start_ns + self._written * NS_PER_S // SAMPLE_RATE

    def n_lost(self, end_ns: int) -> dict[str, int]:
        """Return how many frames and blocks of its time were lost before they could be written."""
        first, end = self._ruler.base_index, self._ruler.base_index + self._ruler.pts(end_ns)
        blocks = self._ring.n_lost(Sense.SOUND, first, end) if self.has_sound else 0
        return {"frames": self._ring.n_lost(Sense.PICTURE, self.start_ns, end_ns), "blocks": blocks}

    @property
    def unwritten_ns(self) -> int | None:
        """Frames from here on must stay in the ring; None where none is recorded."""
        return None if self.size is None else self._frames_from_ns + 1

    @property
    def unwritten_index(self) -> int | None:
        """Sound from here on must stay in the ring; None where none is recorded."""
        return self._ruler.base_index + self._written if self.has_sound else None

    def advance(self, until_ns: int, given_up_ns: int) -> bool:
        """Write what is there and lies before `until_ns`; return whether it was all.

        Not all is written where much is there at once; call it again.

        Args:
            until_ns: Exclusive end, on the run's clock.
            given_up_ns: Sound before this that has not come is lost: the file goes on in silence.
        """
        done = True
        if self.size is not None:
            done = self._write_frames(until_ns)
        if self.has_sound:
            until, given_up = self._ruler.pts(until_ns), self._ruler.pts(given_up_ns)
            end_index = self._ring.end_index
            there = 0 if end_index is None else end_index - self._ruler.base_index
            self._write_sound(min(until, max(there, given_up)), whole=True)
        return done

    def covers(self, time_ns: int) -> bool:
        """Return whether all of its senses have come as far as `time_ns`."""
        newest, end_index = self._ring.newest_frame, self._ring.end_index
        picture = self.size is None or (newest is not None and newest.time_ns >= time_ns)
        wanted = self._ruler.base_index + self._ruler.pts(time_ns)
        sound = not self.has_sound or (end_index is not None and end_index >= wanted)
        return picture and sound

    def finish(self, end_ns: int) -> None:
        """Write up to exactly `end_ns` and end the file: the last frame lasts until there."""
        while not self.advance(end_ns, self.start_ns):
            pass
        end = max(1, self._ruler.pts(end_ns))
        if self._pending is not None:
            frame, pts = self._pending
            self._pending = None
            self._write(frame, pts, max(1, end - pts))
        if self.has_sound:
            self._write_sound(end, whole=False)
        self._writer.close()

    def abandon(self) -> None:
        """Let go after an error; what was written stays."""
        self._writer.abandon()

    def _write_frames(self, until_ns: int) -> bool:
        """Write a few frames; return whether those were all."""
        n_before = self.n_frames
        frames = self._ring.frames(self._frames_from_ns, until_ns, N_LOOKED_AT)
        for n_taken, frame in enumerate(frames, 1):
            self._take(frame)
            if self.n_frames - n_before == N_FRAMES_A_TURN:
                return n_taken == len(frames) < N_LOOKED_AT
        return len(frames) < N_LOOKED_AT

    def _take(self, frame: StoredFrame) -> None:
        self._frames_from_ns = frame.time_ns
        pts = max(0, self._ruler.pts(frame.time_ns))
        if self._pending is not None:
            before, before_pts = self._pending
            if pts <= before_pts:  # the fitted clock moved by more than a frame
                self._ring.note_lost(Sense.PICTURE, frame.time_ns, 1)
                return
            is_near = frame.time_ns - before.time_ns < SPARSE_NS
            if is_near and self._may_thin and self._ring.is_short:
                self._ring.note_lost(Sense.PICTURE, frame.time_ns, 1)
                return
            self._write(before, before_pts, pts - before_pts)
        self._pending = frame, pts

    def _write(self, frame: StoredFrame, pts: int, duration: int) -> None:
        self._writer.write_frame(frame, pts, duration)
        self.n_frames += 1
        self.longest_ns = max(self.longest_ns, duration * NS_PER_S // SAMPLE_RATE)

    def _write_sound(self, until: int, *, whole: bool) -> None:
        """Write sound up to `until`; `whole` leaves what does not fill a frame."""
        while self._written < until:
            n_samples = min(AAC_SAMPLES, until - self._written)
            if whole and n_samples < AAC_SAMPLES:
                return
            first = self._ruler.base_index + self._written
            samples, n_missing = self._ring.sound(first, first + n_samples)
            self._writer.write_sound(samples, self._written)
            self._written += n_samples
            self.n_missing += n_missing
