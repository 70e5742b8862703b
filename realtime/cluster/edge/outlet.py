"""What an edge has captured and not sent yet: its rings, read from the newest end.

The rings are the queue. What could not be sent for half a second is passed over, for the newest
wins; pictures are numbered and samples counted whether they are sent or not, so that the pool
counts every loss. For one thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np

from realtime.cluster.wire.pictures import encode
from realtime.cluster.wire.protocol import FULL_SCALE, PictureSent, SoundSent, Start
from realtime.packets import SAMPLE_RATE
from realtime.rings import Rings

logger = logging.getLogger(__name__)

BLOCK = SAMPLE_RATE // 25  # 40 ms: what a decision waits for its last sound at most
MAX_BEHIND_SLOTS = 8
MAX_BEHIND = SAMPLE_RATE // 2
HELD = 5  # times as much is held while nobody takes it: two and a half seconds, of the rings' four
_AT_ONCE = 4  # pictures that are copied out together
_FAR_SLOT = 1 << 61

Send = Callable[[bytes], None]
Room = Callable[[], bool]


class Outlet:
    """Sends what is new.

    Args:
        rings: The edge's.
        coding: Of pictures, `realtime.cluster.wire.protocol.RAW` or `JPEG`.
        quality: Of JPEG, 1 to 95.

    Attributes:
        n_lost_pictures: That were captured and not sent.
        n_lost_samples: Likewise.
        n_bytes: That were sent.
    """

    def __init__(self, rings: Rings, coding: int, quality: int) -> None:
        self.n_lost_pictures = 0
        self.n_lost_samples = 0
        self.n_bytes = 0
        self._rings = rings
        self._coding = coding
        self._quality = quality
        self._has_started = False
        self._next_slot = 0
        self._number = 0
        self._next_index: int | None = None
        self._n_held = 1  # how many times as far behind it may be

    @property
    def is_over(self) -> bool:
        """Whether both senses have ended and all of them was sent or passed over."""
        frames, sounds = self._rings.frames, self._rings.sounds
        if not (frames.ended and sounds.ended):
            return False
        is_heard = self._next_index is None or self._next_index >= sounds.end_index
        return is_heard and not frames.read(self._next_slot, _FAR_SLOT, limit=1)

    def send(self, send: Send, has_room: Room) -> None:
        """Send what there is as long as there is room; pass over what waited too long."""
        epoch_ns = self._rings.timeline.epoch_ns
        if epoch_ns is None:
            return
        if not self._has_started:
            if not has_room():
                return
            logger.debug("the stream began at %d ns of this machine's clock", epoch_ns)
            send(Start(epoch_ns=epoch_ns).pack())
            self._has_started = True
        self._send_sound(send, has_room)
        self._send_pictures(send, has_room)
        if has_room():
            self._n_held = 1

    def hold(self) -> None:
        """Keep the newest two seconds and a half: nobody wants them now, but perhaps soon."""
        self._n_held = HELD
        self._lose_old()

    def _lose_old(self) -> None:
        newest = self._rings.frames.newest_at(_FAR_SLOT)
        if newest is not None:
            self._lose_pictures(newest[0] - self._n_held * MAX_BEHIND_SLOTS)
        end = self._rings.sounds.end_index - self._n_held * MAX_BEHIND
        if self._next_index is not None and end > self._next_index:
            self._lose_sound(end)

    def _send_sound(self, send: Send, has_room: Room) -> None:
        ring = self._rings.sounds
        if not ring.clock.ready:
            return
        end = ring.end_index
        if self._next_index is None:
            self._next_index = ring.first_index
        self._lose_old()
        while has_room():
            n = min(BLOCK, end - self._next_index)
            if n <= 0 or (n < BLOCK and not ring.ended):
                return
            index = self._next_index
            span = ring.read(index, index + n)
            if span.n_gap or span.n_missing:  # the pool finds it missing, and hears no silence
                self._lose_sound(index + n)
                continue
            scaled = np.clip(np.rint(span.samples * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1.0)
            body = scaled.astype("<i2").tobytes()
            message = SoundSent(index=index, time_ns=ring.clock.time_at(index), body=body).pack()
            send(message)
            self.n_bytes += len(message)
            self._next_index = index + n
            ring.release(self._next_index)

    def _send_pictures(self, send: Send, has_room: Room) -> None:
        ring = self._rings.frames
        self._lose_old()
        while has_room():
            frames = ring.read(self._next_slot, _FAR_SLOT, limit=1)
            if not frames:
                return
            frame = frames[0]
            body = encode(frame.image, self._coding, self._quality)
            message = PictureSent(
                number=self._number, time_ns=frame.time_ns, coding=self._coding, body=body
            ).pack()
            send(message)
            self.n_bytes += len(message)
            self._number += 1
            self._next_slot = frame.slot + 1
            ring.release(self._next_slot)

    def _lose_pictures(self, before_slot: int) -> None:
        """Pass over the pictures before a slot."""
        while True:
            frames = self._rings.frames.read(self._next_slot, before_slot - 1, limit=_AT_ONCE)
            if not frames:
                return
            self.n_lost_pictures += len(frames)
            self._number += len(frames)
            self._next_slot = frames[-1].slot + 1
            self._rings.frames.release(self._next_slot)

    def _lose_sound(self, until: int) -> None:
        if self._next_index is not None:
            self.n_lost_samples += until - self._next_index
        self._next_index = until
        self._rings.sounds.release(until)
