"""Events as MP4 files: the work of the `record` thread, its plans, and what it does when it cannot.

Frames and sound come in from capture, messages from the recognizer (`record_feed`); the last
seconds lie compressed in a ring (`record_ring`); plans say which stretch is wanted (`record_plan`);
one recording at a time is written (`recording`). A full disk or a folder that went is a status, a
warning and a counter: recognition goes on, and so does recording once there is room. It never
waits for recognition, nor recognition, live, for it.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any, BinaryIO

from realtime.clock import NS_PER_S, Clock, Timeline
from realtime.errors import OutputError
from realtime.outputs.base import RECORDING_STOPPED
from realtime.outputs.record_codec import FrameCodec
from realtime.outputs.record_fault import advice_on, reason_of
from realtime.outputs.record_feed import N_BLOCKS, N_FRAMES, N_MESSAGES, RecordFeed
from realtime.outputs.record_file import RecordFile, open_exclusive
from realtime.outputs.record_plan import RecordPlan, t_ns
from realtime.outputs.record_ring import PreRollRing
from realtime.outputs.recording import MAX_SHOWN_NS, Ruler

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from realtime.buffers.audio_clock import AudioClock
    from realtime.config import RecordConfig
    from realtime.outputs.record_store import RecordStore
    from realtime.outputs.wire import Message
    from realtime.stats import Stats

logger = logging.getLogger(__name__)

WAIT_S = 0.1
SLACK_S = 6.0  # recognition lies behind capture by a ring (4 s) and a clip (1 s), at most
LATE_NS = NS_PER_S  # a sense that has not come this long after a recording's end is not waited for
RETRY_NS = 5 * NS_PER_S  # between tries to record again
MAX_UNTOLD = 100
STREAM_BEGAN, STREAM_ENDED = "the stream began", "the stream ended"
NOT_KEPT, GREW_LONG = "not in memory", "it grew too long and goes on in the next"


class Recorder:
    """Records the events of one stream; `step` and `finish` are the `record` thread's.

    Args:
        config: What to record and where.
        source: The stream's name, for the log.
        store: The folder, open.
        feed: Frames, sound and messages.
        timeline: The stream's time.
        audio_clock: Returns the clock of the stream's sound.
        clock: The run's clock.
        stats: Counts `recordings`, `broken_recordings`, `lost_recordings`, `record_failures`,
            `record_dropped_frames` and `record_dropped_blocks`.
        lookback_s: How far an onset, or an offset, may lie behind what was recognized last.
        until_t_ns: Nothing from here on is recorded; None for no such end.
        remark: Called with one sentence when recording stops, and with "" when it goes on.
        open_sink: Opens a new file for writing.
    """

    def __init__(
        self,
        *,
        config: RecordConfig,
        source: str,
        store: RecordStore,
        feed: RecordFeed,
        timeline: Timeline,
        audio_clock: Callable[[], AudioClock],
        clock: Clock,
        stats: Stats,
        lookback_s: float,
        until_t_ns: int | None = None,
        remark: Callable[[str], None] = lambda sentence: None,
        open_sink: Callable[[Path], BinaryIO] = open_exclusive,
    ) -> None:
        self._config = config
        self._source = source
        self._store = store
        self._feed = feed
        self._timeline = timeline
        self._audio_clock = audio_clock
        self._clock = clock
        self._stats = stats
        self._until_t_ns = until_t_ns
        self._remark = remark
        self._open_sink = open_sink
        self._settle_ns = round(lookback_s * NS_PER_S)
        hold_s = config.pre_roll_s + lookback_s + SLACK_S
        self._ring = PreRollRing(round(hold_s * NS_PER_S), config.memory_mib << 20)
        self._codec = FrameCodec(config.max_height)
        self._plans: deque[RecordPlan] = deque()
        self._progress_t_ns = 0
        self._file: RecordFile | None = None
        self._untold: deque[RecordFile] = deque(maxlen=MAX_UNTOLD)  # their sidecars: `recording`
        self._number = 0
        self._lost_before = (0, 0)
        self._fault = ""
        self._retry_ns = 0
        self._n_told = [0, 0, 0]

    @property
    def state(self) -> str:
        """What it is doing, for a screen: a label, a fault, or nothing. Any thread."""
        file, fault = self._file, self._fault
        return fault or ("" if file is None else f"recording {file.paths.final.name}")

    def step(self) -> bool:
        """Take in what has come and write what is sure; return False once the feed is at its end.

        Raises:
            OutputError: There is no encoder.
        """
        self._feed.wait(WAIT_S)
        exhausted = self._feed.exhausted
        for _ in range(N_MESSAGES):  # first: then what the messages speak of is in the mailboxes
            message = self._feed.messages.get(0.0)
            if message is None:
                break
            self._take_message(message)
        for _ in range(N_BLOCKS):
            block = self._feed.sounds.get(0.0)
            if block is None:
                break
            self._take_sound(block.first_index, block.samples)
        for _ in range(N_FRAMES):
            frame = self._feed.frames.get(0.0)
            if frame is None:
                break
            if not self._is_past_the_end(frame.time_ns):
                self._ring.add_frame(self._codec.compress(frame.time_ns, frame.image))
        self._count_losses()
        self._write(final=exhausted)
        recording = None if self._file is None else self._file.recording
        self._ring.forget(
            None if recording is None else recording.unwritten_ns,
            None if recording is None else recording.unwritten_index,
        )
        return not exhausted

    def finish(self) -> None:
        """Close what an error elsewhere left open; tell of sidecars that could not be written."""
        self._abandon("the program stopped")
        self._tell_again()
        self._fault = ""  # nothing is to be recorded any more

    def _take_message(self, message: Message) -> None:
        body: dict[str, Any] = message.body
        if body["type"] == "prediction":
            self._progress_t_ns = max(self._progress_t_ns, t_ns(body["end"]))
            return
        try:
            self._store.log_event(message)
        except OSError as error:
            self._fail(error)
        if self._config.labels and body["label"] not in self._config.labels:
            return
        if body["phase"] == "onset":
            if not (self._plans and self._plans[-1].joins(t_ns(body["onset"]))):
                config = self._config
                self._plans.append(
                    RecordPlan(
                        round(config.pre_roll_s * NS_PER_S),
                        round(config.post_roll_s * NS_PER_S),
                        self._settle_ns,
                    )
                )
            self._plans[-1].take(message)
            return
        for plan in self._plans:
            plan.take(message)

    def _take_sound(self, first_index: int, samples: Any) -> None:
        if self._until_t_ns is not None and self._timeline.epoch_ns is not None:
            end = self._audio_clock().index_at(self._timeline.time_ns(self._until_t_ns))
            samples = samples[: max(0, end - first_index)]
        self._ring.add_sound(first_index, samples)

    def _is_past_the_end(self, time_ns: int) -> bool:
        return self._until_t_ns is not None and self._timeline.t_ns(time_ns) >= self._until_t_ns

    def _write(self, *, final: bool) -> None:
        """Bring the recordings as far as is sure; `final` says that nothing comes any more."""
        while self._plans:
            try:
                more = self._write_plan(self._plans[0], final=final)
            except (OSError, OutputError) as error:
                self._fail(error)
                more = final
                if final:
                    self._give_up_plan()
            if not more:
                return

    def _write_plan(self, plan: RecordPlan, *, final: bool) -> bool:
        """Write one plan; return whether the next can be looked at."""
        if final:
            plan.end_all(self._progress_t_ns)
        end_t_ns = plan.end_t_ns
        sure_ns = self._timeline.time_ns(plan.sure_t_ns(self._progress_t_ns))
        if self._file is None and not (self._may_write() and self._begin(plan)):
            if final or (end_t_ns is not None and self._is_late(end_t_ns)):
                self._give_up_plan()
                return True
            return False
        file = self._file
        if file is None:
            return False
        recording = file.recording
        full_ns = recording.start_ns + round(self._config.max_length_s * NS_PER_S)
        stop_ns = min(sure_ns, full_ns)
        is_end = stop_ns == full_ns or end_t_ns is not None
        # What recognition has gone past without is lost; what lies ahead of it may still come.
        given_up_ns = self._timeline.time_ns(self._progress_t_ns) - LATE_NS
        while not recording.advance(stop_ns, given_up_ns):
            pass
        if not is_end and not self._has_room():
            stop_ns, is_end = min(stop_ns, self._newest_ns(stop_ns)), True
            self._fail(None)
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
        newest = ring.newest_frame
        size = None
        if newest is not None and newest.time_ns >= start_ns - MAX_SHOWN_NS:
            size = newest.width, newest.height
        has_sound = ring.end_index is not None and clock.index_at(start_ns) < ring.end_index
        if size is None and not has_sound:
            return False
        cut = None
        if start_ns > wanted_ns:
            cut = STREAM_BEGAN if plan.start_t_ns < 0 else NOT_KEPT
        self._prune()
        self._number += 1
        self._lost_before = self._losses()
        self._file = RecordFile(
            store=self._store,
            config=self._config,
            timeline=self._timeline,
            plan=plan,
            number=self._number,
            ring=ring,
            ruler=Ruler(start_ns=start_ns, index_at=clock.index_at if has_sound else None),
            size=size,
            codec=self._codec,
            open_sink=self._open_sink,
            pre_roll_cut=cut,
        )
        return True

    def _end(self, file: RecordFile, plan: RecordPlan, stop_ns: int, *, final: bool) -> None:
        """End the recording at `stop_ns`, or where its senses end if nothing comes any more."""
        end_ns = stop_ns
        if final:
            end_ns = max(file.recording.start_ns, min(stop_ns, self._newest_ns(stop_ns)))
        wanted_t_ns, end_t_ns = plan.end_t_ns, self._timeline.t_ns(end_ns)
        cut = None
        if wanted_t_ns is None or end_t_ns < wanted_t_ns:
            cut = STREAM_ENDED if final else (self._fault or GREW_LONG)
        frames, blocks = (now - n for now, n in zip(self._losses(), self._lost_before, strict=True))
        file.finish(end_ns, post_roll_cut=cut, dropped={"frames": frames, "blocks": blocks})
        self._file = None
        self._stats.count("recordings")
        rest = None if final else plan.rest_after(end_t_ns)
        self._plans.popleft()
        if rest is not None:
            self._plans.appendleft(rest)

    def _newest_ns(self, otherwise_ns: int) -> int:
        """Return the end of what has come: the later of the last frame and the last sample."""
        ends = [] if self._ring.newest_frame is None else [self._ring.newest_frame.time_ns]
        clock, end_index = self._audio_clock(), self._ring.end_index
        if end_index is not None and clock.ready:
            ends.append(clock.time_at(end_index))
        return max(ends, default=otherwise_ns)

    def _is_late(self, end_t_ns: int) -> bool:
        return self._progress_t_ns >= end_t_ns + LATE_NS

    def _may_write(self) -> bool:
        """Return whether to try; after a fault only now and then, and when there is room."""
        if self._fault and self._clock.now_ns() < self._retry_ns:
            return False
        self._store.restore()
        if not self._has_room():
            self._fail(None)
            return False
        self._tell_again()
        if self._fault:
            self._fault = ""
            logger.info("%s: there is room again: recording goes on", self._source)
            self._remark("")
        return True

    def _has_room(self) -> bool:
        """Return whether the disk has its reserve, once what is kept too long or too much went."""
        if self._store.has_room():
            return True
        self._prune()
        return self._store.has_room()

    def _prune(self) -> None:
        now_utc = self._timeline.utc(self._progress_t_ns)
        self._store.prune(now_utc, None if self._file is None else self._file.paths)

    def _fail(self, error: OSError | OutputError | None) -> None:
        """Stop for a while: say so once, keep what was written, try again later."""
        if error is not None:
            self._stats.count("record_failures")
            self._abandon(reason_of(error))
        self._retry_ns = self._clock.now_ns() + RETRY_NS
        if self._fault:
            return
        why = "the disk is almost full" if error is None else reason_of(error)
        self._fault = f"{RECORDING_STOPPED}: {why}"
        advice = advice_on(error, self._config.directory, RETRY_NS // NS_PER_S)
        logger.warning("%s: %s; %s", self._source, self._fault, advice)
        self._remark(self._fault)

    def _abandon(self, why: str) -> None:
        file, self._file = self._file, None
        if file is None:
            return
        self._stats.count("broken_recordings")
        file.abandon(why)
        self._untold.append(file)
        self._tell_again()

    def _tell_again(self) -> None:
        """Have the sidecars of broken recordings say so, as far as the disk takes it now."""
        self._untold = deque((f for f in self._untold if not f.tell()), MAX_UNTOLD)

    def _give_up_plan(self) -> None:
        self._plans.popleft()
        self._stats.count("lost_recordings")

    def _losses(self) -> tuple[int, int]:
        return self._feed.frames.n_dropped + self._ring.n_lost, self._feed.sounds.n_dropped

    def _count_losses(self) -> None:
        dropped = [*self._losses(), self._feed.messages.n_dropped]
        names = ("record_dropped_frames", "record_dropped_blocks", "dropped_messages")
        for name, before, now in zip(names, self._n_told, dropped, strict=True):
            if now > before:
                self._stats.count(name, now - before)
        self._n_told = dropped
