"""A stream whose pictures and sound an edge sends: `edge://NAME`, a live source as any other.

Place in the flow: the link's queue → here, in the stream's capture thread → the rings. Times are
moved from the edge's clock to the pool's, bounded by when they came: what an edge says of its clock
may be a lie. Behind `realtime.sources.reconnecting` a stream whose edge is cut off is lost, is
looked for every second, and goes on with its name and its numbers when the edge is back.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.cluster.ingest.hub import Hub
from realtime.cluster.ingest.link import SILENT_NS, Arrived
from realtime.cluster.wire.endpoint import edge_name
from realtime.cluster.wire.pictures import decode
from realtime.cluster.wire.protocol import FULL_SCALE, Bye, PictureSent, SoundSent, Start
from realtime.errors import SourceError
from realtime.packets import SAMPLE_RATE
from realtime.sources.base import SourceSenses, thread_name
from realtime.sources.registry import SourceKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from realtime.config import SourceConfig
    from realtime.sources.audio_intake import AudioIntake
    from realtime.sources.base import Inlet
    from realtime.sources.video_intake import VideoIntake

RETRY_S = (1.0,)  # asking costs nothing
MAX_AGE_NS = 3 * NS_PER_S  # older samples fit no ring any more
WINDOW_AGE_NS = 16 * NS_PER_S  # but for a window of a stream that another recognizer had
MAX_AHEAD_PICTURES, MAX_AHEAD_SAMPLES = 48, 6 * SAMPLE_RATE  # in rings of 64 and 8 s
MAX_REPLAY_NS = 5 * NS_PER_S
_ROOM_S = 0.005
MAX_EARLY_NS = 100 * NS_PER_MS  # beyond what the exchange of times may err
_WAIT_S = 0.25
_MAX_GAP = 10 * SAMPLE_RATE  # a longer one is no gap but another stretch


def edge_kind(
    hub: Hub, retry_s: tuple[float, ...] = RETRY_S, *, takes_window: bool = False
) -> SourceKind:
    """Return what reads `edge://NAME` from a hub.

    Args:
        hub: Where edges come in.
        retry_s: How often one that is not there is looked for.
        takes_window: Whether a stream may begin with its last window, sent at once.
    """

    def make(config: SourceConfig, inlet: Inlet) -> EdgeReader:
        return EdgeReader(config, inlet, hub, takes_window=takes_window)

    return SourceKind(make=make, retry_s=retry_s)


class EdgeReader:
    """Reads one edge; see `realtime.sources.base.Reader`.

    It counts `edge_lost_pictures` and `edge_lost_samples` (that the edge had and that did not come,
    whoever lost them), `edge_late_messages`, `edge_bad_messages` and `edge_false_times`.

    Args:
        config: Of the source; `media` is the URL.
        inlet: Where pictures and sound go.
        hub: Where edges come in.
        takes_window: Whether the first samples may be a window old, and come at once.
    """

    def __init__(
        self, config: SourceConfig, inlet: Inlet, hub: Hub, *, takes_window: bool = False
    ) -> None:
        self._name = edge_name(config.media or "")
        self._hub = hub
        self._link = hub.link(self._name)
        self._inlet = inlet
        self.senses = SourceSenses(picture=True, sound=True)
        self._video: VideoIntake | None = None
        self._audio: AudioIntake | None = None
        self._session: int | None = None
        self._has_begun = False
        self._takes_window = takes_window and inlet.timeline.epoch_ns is None
        self._replay_until_ns: int | None = None  # from its first sample on
        self._n_passed_over = 0  # samples since the last that were handed on

    @property
    def name(self) -> str:
        """Of its thread."""
        return thread_name(self.senses.there())

    def open(self) -> None:
        """Look whether the edge is there; never waits.

        Raises:
            SourceError: It is not.
        """
        hello = self._link.hello
        if hello is None or not self._link.is_heard(self._hub.now_ns()):
            raise SourceError(
                f"no edge called {self._name} is connected; start it with python -m realtime.edge "
                f"--to {self._hub.endpoint} --name {self._name}"
            )
        self._session = hello.session
        self.senses = SourceSenses(picture=hello.picture, sound=hello.sound)
        # The edge resized: what comes is what the trunk reads.
        whole = replace(self._inlet, prepare=_as_it_is)
        if hello.picture:
            self._video = whole.video_intake()
        if hello.sound:
            self._audio = whole.audio_intake(SAMPLE_RATE, 1)

    def step(self) -> bool:
        """Hand on one message, or wait for it a quarter of a second.

        Raises:
            SourceError: The edge has gone, or was started anew.
        """
        if not self._has_begun:
            self._has_begun = True
            self._link.attach(self, lambda: self._inlet.timeline.epoch_ns)
        if self._takes_window and not self._has_room():
            time.sleep(_ROOM_S)
            return True
        seen = self._link.news.count
        arrived = self._link.take(self)
        if arrived is None:
            self._look_after()
            self._link.news.wait(seen, _WAIT_S)
            return True
        n_dropped = self._link.take_dropped()
        if n_dropped:
            self._inlet.stats.count("edge_late_messages", n_dropped)
        self._hand_on(arrived)
        return True

    def close(self) -> None:
        """Want no more of it. May be called again."""
        self._link.detach(self)

    def describe(self) -> str:
        """Return what is read."""
        kinds = {"pictures": self.senses.picture, "sound": self.senses.sound}
        there = " and ".join(kind for kind, is_there in kinds.items() if is_there)
        return f"edge {self._name}, {there}"

    def _look_after(self) -> None:
        now_ns = self._hub.now_ns()
        if self._hub.error is not None:
            raise self._hub.error
        if not self._link.is_heard(now_ns):
            raise SourceError(f"edge {self._name} has not been heard for {SILENT_NS // NS_PER_S} s")
        hello = self._link.hello
        if hello is not None and hello.session != self._session:
            raise SourceError(f"edge {self._name} was started anew")
        self._inlet.note_life(now_ns)

    def _hand_on(self, arrived: Arrived) -> None:
        message = arrived.message
        if isinstance(message, Bye):
            raise SourceError(f"edge {self._name} has ended")
        if isinstance(message, Start):
            self._begin(message, arrived.arrived_ns)
        elif isinstance(message, PictureSent):
            self._take_picture(message, arrived.arrived_ns)
        elif isinstance(message, SoundSent):
            self._take_sound(message, arrived.arrived_ns)

    def _begin(self, start: Start, arrived_ns: int) -> None:
        """Begin the stream where the edge's began, if both begin just now."""
        time_ns = self._link.clock.to_pool(start.epoch_ns)
        if abs(arrived_ns - time_ns) <= MAX_AGE_NS and self._inlet.timeline.epoch_ns is None:
            self._inlet.timeline.start(min(time_ns, arrived_ns))

    def _take_picture(self, picture: PictureSent, arrived_ns: int) -> None:
        progress = self._link.progress
        if self._video is None:
            self._inlet.stats.count("edge_bad_messages")
            return
        if progress.next_number is not None:
            n_lost = picture.number - progress.next_number
            if n_lost < 0:  # it came before: its recognizer was another one meanwhile
                return
            self._inlet.stats.count("edge_lost_pictures", n_lost)
        progress.next_number = picture.number + 1
        time_ns = self._dated(picture.time_ns, arrived_ns)
        if time_ns is None:
            return
        try:
            image = decode(picture.body, picture.coding, self._hub.size)
        except ValueError:
            self._inlet.stats.count("edge_bad_messages")
            return
        self._video.append(time_ns, image)

    def _take_sound(self, block: SoundSent, arrived_ns: int) -> None:
        progress = self._link.progress
        n_lost = 0 if progress.next_index is None else block.index - progress.next_index
        if self._audio is None:
            self._inlet.stats.count("edge_bad_messages")
            return
        if n_lost < 0:  # it came before
            return
        progress.next_index = block.index + block.n_samples
        if n_lost:
            self._inlet.stats.count("edge_lost_samples", n_lost)
        n_before = self._n_passed_over + n_lost
        time_ns = self._dated(block.time_ns, arrived_ns)
        if time_ns is None:
            self._n_passed_over = n_before + block.n_samples
            return
        self._n_passed_over = 0
        if n_before and self._audio.has_begun:
            if n_before > _MAX_GAP:
                raise SourceError(f"edge {self._name} left out {n_before // SAMPLE_RATE} s")
            self._audio.skip(n_before, time_ns)
        samples = np.frombuffer(block.body, "<i2").astype(np.float32) / np.float32(FULL_SCALE)
        self._audio.append(samples, time_ns)

    def _dated(self, edge_ns: int, arrived_ns: int) -> int | None:
        """Return a time on the pool's clock; None, and counted, for what cannot be or is too old.

        What lies in the future by less than the exchange may err was taken just now.
        """
        time_ns = self._link.clock.to_pool(edge_ns)
        if time_ns > arrived_ns + MAX_EARLY_NS:
            self._inlet.stats.count("edge_false_times")
            return None
        if time_ns < arrived_ns - (WINDOW_AGE_NS if self._takes_window else MAX_AGE_NS):
            self._inlet.stats.count("edge_late_messages")
            return None
        if self._takes_window and self._replay_until_ns is None:
            self._replay_until_ns = self._hub.now_ns() + MAX_REPLAY_NS
        if self._takes_window and time_ns > self._hub.now_ns() - NS_PER_S:
            self._takes_window = False  # from here on it is live
        return min(time_ns, arrived_ns)

    def _has_room(self) -> bool:
        """Whether the rings have room: a window comes at once, and faster than it is recognized.

        A clip needs a second of both senses, and one of them may come a second after the other.
        """
        if self._replay_until_ns is None:
            return True
        if self._hub.now_ns() >= self._replay_until_ns:
            self._takes_window = False
            return True
        frames, sounds = self._inlet.frames, self._inlet.sounds
        n_samples = sounds.end_index - sounds.first_index
        return len(frames) < MAX_AHEAD_PICTURES and n_samples < MAX_AHEAD_SAMPLES


def _as_it_is(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return image
