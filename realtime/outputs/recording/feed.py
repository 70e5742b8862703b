"""From the capture threads and the recognizer to the `record` thread: three bounded mailboxes.

Capture hands on what it has anyway: a frame that is rendered once for both its users, and the
16 kHz samples as they go into the ring. Live, the oldest is dropped and counted when recording is
slow, so that nobody waits for it; a file waits. It compresses and decides nothing.

Frames and blocks are numbered before anything can be lost, so that whoever takes them out sees
where something is missing. Of the predictions, which only say how far recognition is, the newest
waits; no onset and no offset is ever lost for one, nor for the updates between them.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from realtime.clock import NS_PER_S
from realtime.threads.mailbox import Mailbox, Policy, Worth

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from realtime.outputs.wire import Message

N_FRAMES = 8  # uncompressed: 50 MB at 1080p, while the recorder is kept from the processor
N_BLOCKS = 500  # ten seconds of a microphone's 20 ms blocks
N_MESSAGES = 1000
_PUT_S = 0.1
_SURPLUS = 0.9  # of the shortest interval: a camera's rate may be so much above what it says
_UNEVEN_NS = NS_PER_S // 2  # so much may frames come before their time: the rate counts, not gaps

T = TypeVar("T")


class RawFrame(NamedTuple):
    """A frame as it was captured: RGB uint8 `(H, W, 3)`, `time_ns` on the run's clock."""

    number: int
    time_ns: int
    image: NDArray[np.uint8]


class RawSound(NamedTuple):
    """Mono float32 at 16 kHz; `first_index` is the first sample's in the audio ring."""

    number: int
    first_index: int
    samples: NDArray[np.float32]


def worth_of(message: Message) -> Worth:
    """Return what a message is worth to a recorder."""
    if message.body["type"] == "prediction":
        return Worth.NEWS
    return Worth.REPORT if message.body.get("phase") == "update" else Worth.KEPT


class RecordFeed:
    """Takes frames, sound and messages in from one thread each; the `record` thread takes them out.

    Closed, it refuses in silence, and what is in it can still be taken out.

    Args:
        live: Drop the oldest rather than wait.
        max_fps: Of more frames a second, only so many are recorded; that is no loss.
        paused: Whether pictures are black and sound is silent now, whatever comes.

    Attributes:
        live: As above.
    """

    def __init__(
        self, *, live: bool, max_fps: float, paused: Callable[[], bool] = lambda: False
    ) -> None:
        self.live = live
        self._paused = paused
        policy = Policy.DROP_OLDEST if live else Policy.WAIT
        self.frames: Mailbox[RawFrame] = Mailbox(N_FRAMES, policy)
        self.sounds: Mailbox[RawSound] = Mailbox(N_BLOCKS, policy)
        self.messages: Mailbox[Message] = Mailbox(N_MESSAGES, policy, worth_of)
        self._interval_ns = round(_SURPLUS * NS_PER_S / max_fps)
        self._last_ns: int | None = None
        self._next_ns = 0  # when the next frame would be taken if all were even
        self._n_frames = self._n_blocks = 0
        self._closed = threading.Event()
        self._news = threading.Event()
        for mailbox in (self.frames, self.sounds, self.messages):
            mailbox.wake_with(self._news.set)

    def take_frame(
        self, time_ns: int, render: Callable[[], NDArray[np.uint8]]
    ) -> Callable[[], NDArray[np.uint8]]:
        """Take a frame in, unless too many came just before.

        Args:
            time_ns: When it was taken, on the run's clock.
            render: Makes it, RGB uint8 `(H, W, 3)`; called at most once.

        Returns:
            What hands out the same frame without making it again.
        """
        if self._closed.is_set() or not self._is_within_rate(time_ns):
            return render
        image = render()
        self._n_frames += 1
        kept = image * 0 if self._paused() else image
        self._put(self.frames, RawFrame(self._n_frames, time_ns, kept))
        return lambda: image

    def _is_within_rate(self, time_ns: int) -> bool:
        """Say whether a frame keeps to the rate, and count it (GCRA, ITU-T I.371, annex A)."""
        if self._last_ns is None or time_ns < self._last_ns:  # the first, or another clock
            self._next_ns = time_ns
        self._last_ns = time_ns
        if time_ns < self._next_ns - _UNEVEN_NS:
            return False
        self._next_ns = max(time_ns, self._next_ns) + self._interval_ns
        return True

    def take_sound(self, first_index: int, samples: NDArray[np.float32]) -> None:
        """Take samples in, mono float32 `(n,)` at 16 kHz, which nobody writes to any more."""
        self._n_blocks += 1
        kept = samples * 0 if self._paused() else samples
        self._put(self.sounds, RawSound(self._n_blocks, first_index, kept))

    def take_message(self, message: Message) -> None:
        """Take a message in; those that say neither an event nor how far the stream is are not."""
        if message.body["type"] in ("event", "prediction"):
            self._put(self.messages, message)

    def wait(self, timeout_s: float) -> None:
        """Wait until something came, or the feed was closed."""
        self._news.wait(timeout_s)
        self._news.clear()

    def close(self) -> None:
        """Take nothing more in and free whoever waits. May be called again."""
        self._closed.set()
        for mailbox in (self.frames, self.sounds, self.messages):
            mailbox.close()

    @property
    def exhausted(self) -> bool:
        """Whether it is closed and everything was taken out."""
        return self.frames.closed and self.sounds.closed and self.messages.closed

    def _put(self, mailbox: Mailbox[T], item: T) -> None:
        while not mailbox.put(item, _PUT_S):
            if self._closed.is_set():
                return
