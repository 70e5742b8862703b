"""Events as MP4 files: the work of the `record` thread, its plans, and what it does when it cannot.

Frames, sound and messages come in through an intake (`record_intake`), live in a thread of its own;
the last seconds lie compressed in a ring (`record_ring`); plans say which stretch is wanted
(`record_plan`); one recording at a time is written (`recording`). A full disk or a folder that went
is a status, a warning and a counter: recognition goes on, and so does recording once there is room.
It never waits for recognition, nor recognition, live, for it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, BinaryIO

from realtime.clock import NS_PER_S, Clock, Timeline
from realtime.errors import OutputError
from realtime.outputs.recording.by_hand import MARK
from realtime.outputs.recording.codec import FrameCodec
from realtime.outputs.recording.fault import reason_of
from realtime.outputs.recording.file import open_exclusive
from realtime.outputs.recording.intake import RecordIntake
from realtime.outputs.recording.mend import mend
from realtime.outputs.recording.queue import RecordQueue
from realtime.outputs.recording.ring import PreRollRing
from realtime.outputs.recording.trouble import RecordTrouble
from realtime.outputs.recording.writer import PlanWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from realtime.buffers.audio_clock import AudioClock
    from realtime.config import RecordConfig
    from realtime.outputs.recording.feed import RecordFeed
    from realtime.outputs.recording.store import RecordStore
    from realtime.outputs.wire import Message
    from realtime.stats import Stats

logger = logging.getLogger(__name__)

WAIT_S = 0.1
SLACK_S = 6.0  # recognition lies behind capture by a ring (4 s) and a clip (1 s), at most


class Recorder:
    """Records the events of one stream.

    Of a live stream `take_in` is the `keep` thread's, `write` and `finish` are the `record`
    thread's, so that nothing which takes long keeps pictures waiting uncompressed. Of a file
    `step` does both in one thread, so that the file waits.

    Args:
        config: What to record and where.
        source: The stream's name, for the log.
        store: The folder, open.
        feed: Frames, sound and messages.
        timeline: The stream's time.
        audio_clock: Returns the clock of the stream's sound.
        clock: The run's clock.
        stats: Counts `recordings`, `broken_recordings`, `lost_recordings`, `record_failures`,
            `event_log_failures`, `record_dropped_frames` and `record_dropped_blocks`.
        lookback_s: How far an onset, or an offset, may lie behind what was recognized last.
        update_s: A running event is told of this often, at least.
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
        update_s: float = 1.0,
        until_t_ns: int | None = None,
        remark: Callable[[str], None] = lambda sentence: None,
        open_sink: Callable[[Path], BinaryIO] = open_exclusive,
    ) -> None:
        self.live = feed.live
        self._config = config
        self._store = store
        self._stats = stats
        self._queue = RecordQueue(config, round(lookback_s * NS_PER_S), round(update_s * NS_PER_S))
        hold_s = config.pre_roll_s + lookback_s + SLACK_S
        self._ring = PreRollRing(round(hold_s * NS_PER_S), config.memory_mib << 20)
        self._codec = FrameCodec(config.max_height)
        self._intake = RecordIntake(
            feed, self._ring, self._codec, timeline, audio_clock, until_t_ns
        )
        self._trouble = RecordTrouble(source, config.directory, clock, stats, remark)
        self._writer = PlanWriter(
            live=feed.live,
            config=config,
            store=store,
            queue=self._queue,
            ring=self._ring,
            codec=self._codec,
            timeline=timeline,
            audio_clock=audio_clock,
            clock=clock,
            stats=stats,
            trouble=self._trouble,
            open_sink=open_sink,
        )
        self._n_lost_messages = 0
        self._is_mended = False

    @property
    def state(self) -> str:
        """What it is doing, for a screen: a label, a fault, or nothing. Any thread."""
        file, fault = self._writer.file, self._trouble.fault
        return fault or ("" if file is None else f"recording {file.paths.final.name}")

    def step(self) -> bool:
        """Take in and write; return False once the feed is at its end. Raises like both."""
        self.take_in(0.0 if self._writer.has_backlog else WAIT_S)
        return self.write(0.0)

    def take_in(self, wait_s: float = WAIT_S) -> bool:
        """Take in what has come; return False once the feed is at its end.

        Raises:
            OutputError: There is no encoder.
        """
        return self._intake.step(wait_s)

    def end_intake(self) -> None:
        """Say that nothing is taken in any more, whatever the reason; any thread."""
        self._intake.messages.close()

    def hurry(self) -> None:
        """Say that the program ends and will not wait for long; any thread."""
        self._writer.hurry()

    def write(self, wait_s: float = WAIT_S) -> bool:
        """Write what is sure, a few frames at a time; return False once all is written.

        Raises:
            OutputError: There is no encoder.
        """
        if not self._is_mended:
            self._mend()
        messages = self._intake.messages
        message = messages.get(0.0 if self._writer.has_backlog else wait_s)
        while message is not None:
            self._take_message(message)
            message = messages.get(0.0)
        if self._trouble.may_log_again():
            self._log(None)
        is_last = messages.closed
        self._end_what_is_silent()
        self._writer.tell_time()
        self._store.age.keep_now_and_then()
        self._writer.write(final=is_last)
        self._writer.let_go()
        return not is_last

    def finish(self) -> None:
        """Close what an error elsewhere left open; tell what could not be told. May be repeated."""
        self._writer.abandon("the program stopped")
        self._writer.tell_again()
        self._store.close()
        self._trouble.forget()

    def _mend(self) -> None:
        """Put in order what an earlier run left; before the first recording of this one."""
        self._is_mended = True
        self._writer.tell_time()
        try:
            mend(self._store)
        except OSError as error:
            logger.warning("%s cannot be looked at: %s", self._config.directory, reason_of(error))

    def _take_message(self, message: Message) -> None:
        self._queue.take(message)
        if message.body["type"] == "event" and not message.body.get(MARK):
            self._log(message)

    def _log(self, message: Message | None) -> None:
        """Log an event, None for what could not be logged before; a fault stops no recording."""
        try:
            self._store.log_event(message)
        except (OSError, OutputError) as error:
            self._trouble.cannot_log(error)
        else:
            self._trouble.logs()

    def _end_what_is_silent(self) -> None:
        """End events whose offset was among messages that were lost: nothing else would."""
        n_lost = self._intake.n_lost_messages
        if n_lost > self._n_lost_messages:
            self._stats.count("dropped_messages", n_lost - self._n_lost_messages)
            self._n_lost_messages = n_lost
        if n_lost:
            self._queue.end_what_is_silent()
