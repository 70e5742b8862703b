"""Plans to files: one recording at a time, as far as is sure, and what is done when it cannot be.

It is the `record` thread's. The recorder beside it takes in what came and knows the plans.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, BinaryIO

from realtime.clock import NS_PER_S, Clock, Timeline
from realtime.errors import OutputError
from realtime.outputs.recording.fault import reason_of
from realtime.outputs.recording.file import RecordFile, open_exclusive
from realtime.outputs.recording.recording import MAX_SHOWN_NS, Ruler

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from realtime.buffers.audio_clock import AudioClock
    from realtime.config import RecordConfig
    from realtime.outputs.recording.codec import FrameCodec
    from realtime.outputs.recording.plan import RecordPlan
    from realtime.outputs.recording.queue import RecordQueue
    from realtime.outputs.recording.ring import PreRollRing
    from realtime.outputs.recording.store import RecordStore
    from realtime.outputs.recording.trouble import RecordTrouble
    from realtime.stats import Stats

LATE_NS = NS_PER_S  # a sense that has not come this long after a recording's end is not waited for
LAST_NS = 800_000_000  # of encoding, when the program ends: Ctrl-C ends within 2 s
MAX_UNTOLD = 100
STREAM_BEGAN, STREAM_ENDED = "the stream began", "the stream ended"
NOT_KEPT, GREW_LONG = "not in memory", "it grew too long and goes on in the next"


class PlanWriter:
    """Writes what the queue's plans want of what the ring holds; one thread, but for `hurry`.

    Args:
        live: Whether a turn must end soon, and pictures may be left out for want of memory.
        config: What to record and where.
        store: The folder, open.
        queue: The plans.
        ring: The stream's last seconds.
        codec: The ring's.
        timeline: The stream's time.
        audio_clock: Returns the clock of the stream's sound.
        clock: The run's clock.
        stats: Counts `recordings`, `broken_recordings`, `lost_recordings`, `record_dropped_frames`
            and `record_dropped_blocks`.
        trouble: What is said and done when the disk is at fault.
        open_sink: Opens a new file for writing.

    Attributes:
        has_backlog: Whether more could be written at once.
        file: What is being written, or None.
    """

    def __init__(
        self,
        *,
        live: bool,
        config: RecordConfig,
        store: RecordStore,
        queue: RecordQueue,
        ring: PreRollRing,
        codec: FrameCodec,
        timeline: Timeline,
        audio_clock: Callable[[], AudioClock],
        clock: Clock,
        stats: Stats,
        trouble: RecordTrouble,
        open_sink: Callable[[Path], BinaryIO] = open_exclusive,
    ) -> None:
        self._live = live
        self._config = config
        self._store = store
        self._queue = queue
        self._ring = ring
        self._codec = codec
        self._timeline = timeline
        self._audio_clock = audio_clock
        self._clock = clock
        self._stats = stats
        self._trouble = trouble
        self._open_sink = open_sink
        self.has_backlog = False
        self.file: RecordFile | None = None
        self._untold: deque[RecordFile] = deque(maxlen=MAX_UNTOLD)  # their sidecars: `recording`
        self._number = 0
        self._end_by_ns: int | None = None

    def hurry(self) -> None:
        """Say that the program ends and will not wait for long; any thread."""
        if self._end_by_ns is None:
            self._end_by_ns = self._clock.now_ns() + LAST_NS

    def write(self, *, final: bool) -> None:
        """Bring the recordings as far as is sure; `final` says that nothing comes any more.

        Raises:
            OutputError: There is no encoder.
        """
        self.has_backlog = False
        while self._queue.plans:
            try:
                more = self._write_plan(self._queue.plans[0], final=final)
            except (OSError, OutputError) as error:
                self._fail(error)
                more = final
                if final:
                    self._give_up_plan()
            if not more:
                return

    def let_go(self) -> None:
        """Have the ring forget what no recording wants any more."""
        recording = None if self.file is None else self.file.recording
        self._ring.forget(
            None if recording is None else recording.unwritten_ns,
            None if recording is None else recording.unwritten_index,
        )

    def _write_plan(self, plan: RecordPlan, *, final: bool) -> bool:
        """Write a turn of one plan; return whether the next can be looked at."""
        if final:
            plan.end_all(self._queue.progress_t_ns)
        end_t_ns = plan.end_t_ns
        sure_ns = self._timeline.time_ns(plan.sure_t_ns(self._queue.progress_t_ns))
        if self.file is None and not (self._may_write() and self._begin(plan)):
            if final or (end_t_ns is not None and self._is_late(end_t_ns)):
                self._give_up_plan()
                return True
            return False
        file = self.file
        if file is None:
            return False
        recording = file.recording
        full_ns = recording.start_ns + round(self._config.max_length_s * NS_PER_S)
        stop_ns = min(sure_ns, full_ns)
        is_end = stop_ns == full_ns or end_t_ns is not None
        # What recognition has gone past without is lost; what lies ahead of it may still come.
        given_up_ns = self._timeline.time_ns(self._queue.progress_t_ns) - LATE_NS
        is_all = recording.advance(stop_ns, given_up_ns)
        while not is_all and not self._must_stop(final=final):
            is_all = recording.advance(stop_ns, given_up_ns)
        if file.n_bytes:  # not before: a disk may have room for a name and no more
            self._trouble.go_on()
        if not is_end and not self._has_room():
            stop_ns, is_end = min(stop_ns, self._newest_ns(stop_ns)), True
            self._trouble.stop(None)
        elif final and not is_all:
            stop_ns = min(stop_ns, recording.reached_ns)
        elif not is_all:
            self.has_backlog = True
            return False
        elif is_end and not (
            final or recording.covers(stop_ns) or self._is_late(self._timeline.t_ns(stop_ns))
        ):
            return False
        if not is_end:
            return False
        self._end(file, plan, stop_ns, final=final)
        return True

    def _begin(self, plan: RecordPlan) -> bool:
        """Open a recording where the plan wants it, or where memory begins; say if there is one."""
        ring, clock = self._ring, self._audio_clock()
        wanted_ns = self._timeline.time_ns(plan.start_t_ns)
        firsts = [] if ring.first_frame_ns is None else [ring.first_frame_ns]
        if ring.first_index is not None and clock.ready:
            firsts.append(clock.time_at(ring.first_index))
        if not firsts:
            return False
        start_ns = max(wanted_ns, self._timeline.time_ns(0), min(firsts))
        newest, end_index = ring.newest_frame, ring.end_index
        size = None
        if newest is not None and newest.time_ns >= start_ns - MAX_SHOWN_NS:
            size = newest.width, newest.height
        has_sound = end_index is not None and clock.index_at(start_ns) < end_index
        if size is None and not has_sound:
            return False
        cut = None
        if start_ns > wanted_ns:
            cut = STREAM_BEGAN if plan.start_t_ns < 0 else NOT_KEPT
        self._prune()
        self._number += 1
        age = self._store.age
        self.file = RecordFile(
            store=self._store,
            config=self._config,
            timeline=self._timeline,
            plan=plan,
            number=self._number,
            ring=ring,
            ruler=Ruler(start_ns=start_ns, index_at=clock.index_at if has_sound else None),
            size=size,
            codec=self._codec,
            may_thin=self._live,
            open_sink=self._open_sink,
            pre_roll_cut=cut,
            folder=age.next_place(),
        )
        age.keep()
        return True

    def _end(self, file: RecordFile, plan: RecordPlan, stop_ns: int, *, final: bool) -> None:
        """End the recording at `stop_ns`, or where its senses end if nothing comes any more."""
        end_ns = stop_ns
        if final:
            end_ns = max(file.recording.start_ns, min(stop_ns, self._newest_ns(stop_ns)))
        wanted_t_ns, end_t_ns = plan.end_t_ns, self._timeline.t_ns(end_ns)
        cut = None
        if wanted_t_ns is None or end_t_ns < wanted_t_ns:
            cut = STREAM_ENDED if final else (self._trouble.stopped or GREW_LONG)
        is_there = file.finish(end_ns, post_roll_cut=cut, is_hurried=self._end_by_ns is not None)
        self.file = None
        if not self._trouble.is_waiting():
            self._trouble.go_on()
        self._count_lost(file, end_ns)
        self._stats.count("recordings" if is_there else "lost_recordings")
        self._queue.end_first(None if final else end_t_ns)

    def _count_lost(self, file: RecordFile, end_ns: int) -> None:
        """Count what a recording lacks, as its sidecar says it."""
        for name, n in file.recording.n_lost(end_ns).items():
            if n:
                self._stats.count(f"record_dropped_{name}", n)

    def _newest_ns(self, otherwise_ns: int) -> int:
        """Return the end of what has come: the later of the last frame and the last sample."""
        newest, end_index = self._ring.newest_frame, self._ring.end_index
        ends = [] if newest is None else [newest.time_ns]
        clock = self._audio_clock()
        if end_index is not None and clock.ready:
            ends.append(clock.time_at(end_index))
        return max(ends, default=otherwise_ns)

    def _is_late(self, end_t_ns: int) -> bool:
        return self._queue.progress_t_ns >= end_t_ns + LATE_NS

    def _must_stop(self, *, final: bool) -> bool:
        """Return whether writing has lasted long enough for now."""
        return self._is_out_of_time() or (self._live and not final)

    def _is_out_of_time(self) -> bool:
        end_by_ns = self._end_by_ns
        return end_by_ns is not None and self._clock.now_ns() >= end_by_ns

    def _may_write(self) -> bool:
        """Return whether to try; after a fault only now and then, and when there is room."""
        if self._trouble.is_waiting():
            return False
        self._store.restore()
        if not self._has_room():
            self._trouble.stop(None)
            return False
        self.tell_again()
        return True

    def _has_room(self) -> bool:
        """Return whether the disk has its reserve, once what is kept too long or too much went."""
        if self._store.has_room():
            return True
        self._prune()
        return self._store.has_room()

    def _prune(self) -> None:
        writing = None if self.file is None else self.file.paths
        self._store.prune(self.tell_time(), writing)

    def tell_time(self) -> datetime:
        """Tell the folder what time it is; return the earliest UTC that it may be."""
        now_ns = self._clock.now_ns()
        earliest, latest = self._timeline.utc_within(now_ns)
        self._store.age.tell(now_ns, earliest, latest)
        return earliest

    def _fail(self, error: OSError | OutputError) -> None:
        """Stop for a while: say so once, keep what was written, try again later."""
        self.abandon(reason_of(error))
        self._trouble.stop(error)

    def abandon(self, why: str) -> None:
        """Leave what is being written as it is, and have its sidecar say why."""
        file, self.file = self.file, None
        if file is None:
            return
        file.abandon(why)
        if self._trouble.stopped and file.discard():
            return  # one of many tries
        self._stats.count("broken_recordings")
        self._count_lost(file, file.recording.reached_ns)
        self._untold.append(file)
        self.tell_again()

    def tell_again(self) -> None:
        """Have the sidecars of broken recordings say so, as far as the disk takes it now."""
        self._untold = deque((f for f in self._untold if not f.tell()), MAX_UNTOLD)

    def _give_up_plan(self) -> None:
        self._queue.end_first()
        self._stats.count("lost_recordings")
