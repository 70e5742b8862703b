"""From the feed to the ring: the work of the `keep` thread, which nothing holds up for long.

It takes out of the feed's small mailboxes what capture put there, compresses the pictures and
keeps all of it in the ring. It writes nothing and waits for no disk: whatever the `record` thread
is busy with (a backlog to encode, a slow disk, a finished file to copy), the stream's pictures are
in memory meanwhile. Messages are handed on once what they speak of is in the ring.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from realtime.outputs.recording.feed import N_BLOCKS, N_FRAMES, N_MESSAGES, RecordFeed, worth_of
from realtime.packets import Sense
from realtime.threads.mailbox import Mailbox, Policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from realtime.buffers.audio_clock import AudioClock
    from realtime.clock import Timeline
    from realtime.outputs.recording.codec import FrameCodec
    from realtime.outputs.recording.ring import PreRollRing
    from realtime.outputs.wire import Message


class RecordIntake:
    """Takes a stream in; `step` is the `keep` thread's, or the `record` thread's of a file.

    Args:
        feed: Frames, sound and messages.
        ring: Keeps them.
        codec: Compresses frames.
        timeline: The stream's time.
        audio_clock: Returns the clock of the stream's sound.
        until_t_ns: Nothing from here on is kept; None for no such end.

    Attributes:
        messages: Those of the feed, in order; closed after the feed's last.
    """

    def __init__(
        self,
        feed: RecordFeed,
        ring: PreRollRing,
        codec: FrameCodec,
        timeline: Timeline,
        audio_clock: Callable[[], AudioClock],
        until_t_ns: int | None,
    ) -> None:
        self._feed = feed
        self._ring = ring
        self._codec = codec
        self._timeline = timeline
        self._audio_clock = audio_clock
        self._until_t_ns = until_t_ns
        self._n_frames = self._n_blocks = 0  # numbers of the last ones
        # Of a file, what is put here is taken out in the same step: nobody ever waits.
        policy = Policy.DROP_OLDEST if feed.live else Policy.WAIT
        self.messages: Mailbox[Message] = Mailbox(2 * N_MESSAGES, policy, worth_of)

    @property
    def n_lost_messages(self) -> int:
        """How many messages were lost on the way to the recorder."""
        return self._feed.messages.n_dropped + self.messages.n_dropped

    def step(self, wait_s: float) -> bool:
        """Take in what has come, or wait for it; return False once the feed is at its end."""
        self._feed.wait(wait_s)
        is_last = self._feed.exhausted
        messages: list[Message] = []  # first: then what they speak of is in the other mailboxes
        while len(messages) < N_MESSAGES:
            message = self._feed.messages.get(0.0)
            if message is None:
                break
            messages.append(message)
        for _ in range(N_BLOCKS):
            if not self._take_block():
                break
        for _ in range(N_FRAMES):
            if not self._take_frame():
                break
        for message in messages:
            self.messages.put(message)
        if is_last:
            self.messages.close()
        return not is_last

    def _take_block(self) -> bool:
        block = self._feed.sounds.get(0.0)
        if block is None:
            return False
        n_lost, self._n_blocks = block.number - self._n_blocks - 1, block.number
        if n_lost:
            self._ring.note_lost(Sense.SOUND, block.first_index, n_lost)
        samples = block.samples
        if self._until_t_ns is not None and self._timeline.epoch_ns is not None:
            end = self._audio_clock().index_at(self._timeline.time_ns(self._until_t_ns))
            samples = samples[: max(0, end - block.first_index)]
        self._ring.add_sound(block.first_index, samples)
        return True

    def _take_frame(self) -> bool:
        frame = self._feed.frames.get(0.0)
        if frame is None:
            return False
        n_lost, self._n_frames = frame.number - self._n_frames - 1, frame.number
        if n_lost:
            self._ring.note_lost(Sense.PICTURE, frame.time_ns, n_lost)
        if self._until_t_ns is None or self._timeline.t_ns(frame.time_ns) < self._until_t_ns:
            self._ring.add_frame(self._codec.compress(frame.time_ns, frame.image))
        return True
