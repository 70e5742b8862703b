"""What an edge has captured, in the order of its time, ready to be sent; the newest wins.

Sound and pictures leave the rings as messages. Those that could not be sent for half a second are
passed over; pictures are numbered and samples counted whether they are sent or not, so that the
pool counts every loss. The messages of the last seconds are kept, sent or not: a recognizer that
takes the stream over from another gets them first, and has its window whole. For one thread.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

import numpy as np

from realtime.clock import NS_PER_S
from realtime.cluster.wire.pictures import encode
from realtime.cluster.wire.protocol import FULL_SCALE, PictureSent, SoundSent, Start
from realtime.packets import SAMPLE_RATE, GridFrame
from realtime.rings import Rings

logger = logging.getLogger(__name__)

BLOCK = SAMPLE_RATE // 25  # 40 ms: what a decision waits for its last sound at most
MAX_BEHIND_NS = NS_PER_S // 2
HELD_NS = 5 * NS_PER_S // 2  # while nobody takes it
WINDOW_NS = 13 * NS_PER_S  # for the next recognizer: ten clips, and three seconds for the move
MAX_KEPT_BYTES = 7 << 20  # less than a hub lets in at once; three seconds of raw pictures
CATCH_UP_NS = 4 * NS_PER_S  # for so long more than `MAX_BEHIND_NS` may wait, once some can go
_FAR_SLOT = 1 << 61

Send = Callable[[bytes], None]
Room = Callable[[], bool]


@dataclass(slots=True, kw_only=True, eq=False)
class _Kept:
    time_ns: int
    message: bytes
    n_pictures: int = 0
    n_samples: int = 0
    is_sent: bool = False

    @property
    def sense(self) -> str:
        return "picture" if self.n_pictures else "sound"


class Outlet:
    """Sends what is new.

    Args:
        rings: The edge's.
        coding: Of pictures, `realtime.cluster.wire.protocol.RAW` or `JPEG`.
        quality: Of JPEG, 1 to 95.

    Attributes:
        n_bytes: That were sent.
    """

    def __init__(self, rings: Rings, coding: int, quality: int) -> None:
        self.n_bytes = 0
        self._rings = rings
        self._coding = coding
        self._quality = quality
        self._has_started = False
        self._next_slot = 0
        self._number = 0
        self._next_index: int | None = None
        self._frame: GridFrame | None = None  # the next that is not kept yet
        self._kept: deque[_Kept] = deque()
        self._n_kept_bytes = 0
        self._n_due = 0  # of what is kept, the newest so many are to be sent
        self._keep_ns = HELD_NS
        self._behind_ns = MAX_BEHIND_NS
        self._catch_up_until_ns: int | None = None  # by the newest message's time
        self._newest_ns = {"picture": 0, "sound": 0}
        self._n_gone_pictures = self._n_gone_samples = 0  # that nobody keeps, and nobody was sent

    @property
    def n_lost_pictures(self) -> int:
        """How many pictures were captured and not sent."""
        return self._n_gone_pictures + sum(k.n_pictures for k in self._passed_over())

    @property
    def n_lost_samples(self) -> int:
        """Likewise."""
        return self._n_gone_samples + sum(k.n_samples for k in self._passed_over())

    @property
    def is_behind(self) -> bool:
        """Whether something waits to be sent."""
        return self._n_due > 0

    @property
    def is_over(self) -> bool:
        """Whether both senses have ended and all of them was sent or passed over."""
        frames, sounds = self._rings.frames, self._rings.sounds
        if not (frames.ended and sounds.ended) or self._n_due or self._frame is not None:
            return False
        is_heard = self._next_index is None or self._next_index >= sounds.end_index
        return is_heard and not frames.read(self._next_slot, _FAR_SLOT, limit=1)

    def keep(self, keep_ns: int) -> None:
        """Keep so much of the past for `replay`, as far as it fits `MAX_KEPT_BYTES`."""
        self._keep_ns = keep_ns

    def replay(self) -> None:
        """Send again what is kept: another recognizer has the stream."""
        self._n_due = len(self._kept)
        self._wait(self._keep_ns)

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
        self._collect()
        if self._catch_up_until_ns is None and has_room():
            self._catch_up_until_ns = max(self._newest_ns.values()) + CATCH_UP_NS
        while self._n_due and has_room():
            kept = self._kept[len(self._kept) - self._n_due]
            send(kept.message)
            kept.is_sent = True
            self.n_bytes += len(kept.message)
            self._n_due -= 1
        if not self._n_due:
            self._behind_ns = MAX_BEHIND_NS

    def hold(self) -> None:
        """Keep the newest two seconds and a half: nobody wants them now, but perhaps soon."""
        self._wait(HELD_NS)
        self._collect()

    def _wait(self, behind_ns: int) -> None:
        """Let so much wait until all of it was sent, or `CATCH_UP_NS` have gone by."""
        self._behind_ns = max(self._behind_ns, behind_ns)
        self._catch_up_until_ns = None

    def _passed_over(self) -> list[_Kept]:
        n_done = len(self._kept) - self._n_due
        return [kept for kept in islice(self._kept, n_done) if not kept.is_sent]

    def _collect(self) -> None:
        """Take what is new out of the rings, in the order of its time; forget what is old."""
        while True:
            time_ns = self._sound_ns()
            if self._frame is None:
                frames = self._rings.frames.read(self._next_slot, _FAR_SLOT, limit=1)
                self._frame = frames[0] if frames else None
            if self._frame is not None and (time_ns is None or self._frame.time_ns < time_ns):
                self._keep_picture(self._frame)
                self._frame = None
            elif time_ns is not None:
                self._keep_sound(time_ns)
            else:
                break
        self._forget()

    def _forget(self) -> None:
        newest_ns = max(self._newest_ns.values())
        if self._catch_up_until_ns is not None and newest_ns >= self._catch_up_until_ns:
            self._behind_ns = MAX_BEHIND_NS
        while self._n_due:
            oldest = self._kept[-self._n_due]  # of its own sense: one may be dated after the other
            if self._newest_ns[oldest.sense] - oldest.time_ns <= self._behind_ns:
                break
            self._n_due -= 1
        keep_ns = max(self._keep_ns, self._behind_ns)
        while self._kept:
            is_old = newest_ns - self._kept[0].time_ns > keep_ns
            if not is_old and self._n_kept_bytes <= MAX_KEPT_BYTES:
                break
            kept = self._kept.popleft()
            self._n_kept_bytes -= len(kept.message)
            self._n_due = min(self._n_due, len(self._kept))
            if not kept.is_sent:
                self._n_gone_pictures += kept.n_pictures
                self._n_gone_samples += kept.n_samples

    def _append(self, kept: _Kept) -> None:
        self._kept.append(kept)
        self._newest_ns[kept.sense] = kept.time_ns
        self._n_kept_bytes += len(kept.message)
        self._n_due += 1

    def _sound_ns(self) -> int | None:
        """Return when the next block of sound begins; None where it is not whole yet."""
        ring = self._rings.sounds
        if not ring.clock.ready:
            return None
        first_index = ring.first_index
        if self._next_index is None:
            self._next_index = first_index
        if self._next_index < first_index:  # a gap may be longer than the ring
            self._n_gone_samples += first_index - self._next_index
            self._next_index = first_index
        n = ring.end_index - self._next_index
        is_there = n >= BLOCK or (n > 0 and ring.ended)
        return ring.clock.time_at(self._next_index) if is_there else None

    def _keep_sound(self, time_ns: int) -> None:
        ring, index = self._rings.sounds, self._next_index or 0
        n = min(BLOCK, ring.end_index - index)
        span = ring.read(index, index + n)
        if span.n_gap or span.n_missing:  # the pool finds it missing, and hears no silence
            self._n_gone_samples += n
        else:
            scaled = np.clip(np.rint(span.samples * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1.0)
            body = scaled.astype("<i2").tobytes()
            message = SoundSent(index=index, time_ns=time_ns, body=body).pack()
            self._append(_Kept(time_ns=time_ns, message=message, n_samples=n))
        self._next_index = index + n
        ring.release(self._next_index)

    def _keep_picture(self, frame: GridFrame) -> None:
        body = encode(frame.image, self._coding, self._quality)
        message = PictureSent(
            number=self._number, time_ns=frame.time_ns, coding=self._coding, body=body
        ).pack()
        self._append(_Kept(time_ns=frame.time_ns, message=message, n_pictures=1))
        self._number += 1
        self._next_slot = frame.slot + 1
        self._rings.frames.release(self._next_slot)
