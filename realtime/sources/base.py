"""What the pipeline asks of every source: a reader with a step, and the rings that it fills.

A reader is an ordinary object that one `Worker` thread drives: `open`, `step` until False, `close`.
It ends the rings of its senses when its stream is over. It does not reopen, watch for silence or
decide what a missing sense means; and when a step raises, ending the rings is up to its owner.
Who opens a live source again is `realtime.sources.reconnecting`, a reader around such a reader.

A stream begins at its readers' first step, not when they open: models load for seconds in between.
What a device or a server delivered meanwhile is thrown away, uncounted, for nobody waited for it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from realtime.buffers.lag import Lag
from realtime.packets import Sense
from realtime.sources.audio_intake import AudioIntake
from realtime.sources.video_intake import VideoIntake

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    import numpy as np
    from numpy.typing import NDArray

    from realtime.buffers.audio_ring import AudioRing
    from realtime.buffers.frame_ring import FrameRing
    from realtime.clock import Clock, Timeline
    from realtime.stats import Stats


logger = logging.getLogger(__name__)


class Reader(Protocol):
    """One capture thread's work. `open` may run in any thread, `step` and `close` in its own."""

    @property
    def name(self) -> str:
        """The thread's: `capture-` and what it reads."""
        ...

    def open(self) -> None:
        """Open what is read; may take seconds.

        Raises:
            SourceError: It cannot be opened; `LibraryMissing` when software is absent.
        """
        ...

    def step(self) -> bool:
        """Read a little, for half a second at most; return False at the end of the stream.

        The first call is where the stream begins: a live source forgets what came before it.
        A file's reader waits longer while its ring is full; closing the ring frees it.

        Raises:
            SourceError: The source was lost.
        """
        ...

    def close(self) -> None:
        """Let go of everything. May be called again, and without `open`."""
        ...

    def describe(self) -> str:
        """Return what is read, for a status line: `/dev/video0, 640x480 at 30 fps`."""
        ...


@runtime_checkable
class Hangable(Protocol):
    """A reader that has given drivers up: their threads may outlive it."""

    def survivors(self) -> list[str]:
        """Return the names of threads that hang in a driver; after `close`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSenses:
    """Which senses a stream will have at all; nobody waits for one that it has not."""

    picture: bool
    sound: bool

    @classmethod
    def of(cls, senses: Iterable[Sense]) -> SourceSenses:
        """Return these senses."""
        there = set(senses)
        return cls(picture=Sense.PICTURE in there, sound=Sense.SOUND in there)

    def there(self) -> list[Sense]:
        """Return those that there are, the picture first."""
        pairs = zip(Sense, (self.picture, self.sound), strict=True)
        return [sense for sense, is_there in pairs if is_there]


@runtime_checkable
class HasSenses(Protocol):
    """A reader that knows what it feeds, of a source with several or until it has opened.

    Any other feeds all that its source has.
    """

    @property
    def senses(self) -> SourceSenses:
        """What it feeds; all that is wanted until it has opened."""
        ...


def thread_name(senses: Collection[Sense]) -> str:
    """Return how the thread is called that reads these senses."""
    if len(senses) > 1:
        return "capture-media"
    return "capture-video" if Sense.PICTURE in senses else "capture-audio"


def fed_senses(reader: Reader, senses: SourceSenses) -> list[Sense]:
    """Return which of a source's senses a reader feeds."""
    return reader.senses.there() if isinstance(reader, HasSenses) else senses.there()


class Tap(Protocol):
    """Takes a copy of all that is captured, before the grid and the rings choose; for a recorder.

    Each method is called in its sense's capture thread. Where frames may be dropped it does not
    wait; for a file it may, as the rings do.
    """

    def take_frame(
        self, time_ns: int, render: Callable[[], NDArray[np.uint8]]
    ) -> Callable[[], NDArray[np.uint8]]:
        """Take a frame; return what hands out the same one without making it twice."""
        ...

    def take_sound(self, first_index: int, samples: NDArray[np.float32]) -> None:
        """Take mono 16 kHz samples that begin at `first_index` of the ring."""
        ...


@dataclass(slots=True, kw_only=True)
class Lateness:
    """How much later than the other each sense of a device pair is dated, ns; `--calibrate`.

    Set before the first step of a reader; one of the two is 0.
    """

    picture_ns: int = 0
    sound_ns: int = 0

    def set(self, offset_ns: int) -> None:
        """Take over by how much the picture is dated later than the sound; below 0, earlier."""
        self.picture_ns, self.sound_ns = max(0, offset_ns), max(0, -offset_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inlet:
    """Everything that a reader of one stream writes to.

    Attributes:
        prepare: Makes the trunk's uint8 `(size, size, 3)` of an RGB uint8 `(H, W, 3)`.
        live: Whether the rings may drop rather than wait.
        tap: Takes a copy of all that comes; None for nobody.
        lateness: What a calibration found.
        lag: By how much the stream lags behind a source that delivers in lumps.
        name: The stream's.
        said: What was said of it already.
    """

    timeline: Timeline
    frames: FrameRing
    sounds: AudioRing
    prepare: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
    live: bool
    clock: Clock
    stats: Stats
    tap: Tap | None = None
    lateness: Lateness = field(default_factory=Lateness)
    lag: Lag = field(default_factory=Lag)
    name: str = "source"
    said: set[str] = field(default_factory=set)

    def say_once(self, sentence: str) -> None:
        """Warn of something, once in the stream's life however often its source comes back."""
        if sentence not in self.said:
            self.said.add(sentence)
            logger.warning("%s: %s", self.name, sentence)

    def note_life(self, now_ns: int) -> None:
        """Say that the source lives, though nothing of it can be shown or heard yet."""

    def video_intake(self) -> VideoIntake:
        """Return what takes the stream's frames."""
        tap = None if self.tap is None else self.tap.take_frame
        return VideoIntake(
            self.timeline,
            self.frames,
            self.prepare,
            self.live,
            self.stats,
            tap,
            self.picture_date,
        )

    def audio_intake(self, sample_rate: int, n_channels: int) -> AudioIntake:
        """Return what takes the stream's sound at the rate at which it comes."""
        tap = None if self.tap is None else self.tap.take_sound
        return AudioIntake(
            self.timeline,
            self.sounds,
            sample_rate,
            n_channels,
            self.live,
            self.stats,
            tap,
            self.sound_date,
            self.say_once,
        )

    @property
    def picture_date(self) -> Callable[[int], int] | None:
        """From what a live device says to when a frame was taken; None for a file: the same."""
        return self._date_picture if self.live else None

    @property
    def sound_date(self) -> Callable[[int], int] | None:
        """Likewise for sound."""
        return self._date_sound if self.live else None

    def _date_picture(self, time_ns: int) -> int:
        """Return when a live frame was taken: never later than now, whatever its device says."""
        return min(time_ns, self.clock.now_ns()) - self.lateness.picture_ns

    def _date_sound(self, time_ns: int) -> int:
        return time_ns - self.lateness.sound_ns
