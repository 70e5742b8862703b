"""A stream that plays by itself: RTSP, MJPEG, MPEG-TS or HLS over HTTP, UDP.

One connection serves both senses; it is live, so the newest wins and nothing can block for ever.
A library read of a dead socket blocks for seconds and cannot be interrupted, so a helper thread
does the reading and decoding and hands over through a bounded mailbox; `step` stays short. The
helper reads from the opening on, so that nothing piles up in the socket, and hands over from the
first step on. A recording on a server is no stream: `realtime.sources.media` reads it.

Time: the sender's time stamps say how far apart two samples are, their arrival says when. Arrival
is late by a varying amount, never early, so the sender's clock is laid at the least delay seen
lately. A JPEG stream bears no time: its frames are dated when they arrive.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from realtime.clock import NS_PER_S
from realtime.errors import SourceError
from realtime.mailbox import Mailbox, Policy
from realtime.passing_thread import PassingThread
from realtime.redaction import redacted_location
from realtime.sources.base import SourceSenses
from realtime.sources.container import (
    DecodedPicture,
    DecodedSound,
    MediaContainer,
    nothing_decoded,
)
from realtime.sources.inquiry import still_picture
from realtime.sources.nature import Nature, nature_of
from realtime.worker import Worker

if TYPE_CHECKING:
    from realtime.config import SourceConfig
    from realtime.sources.audio_intake import AudioIntake
    from realtime.sources.base import Inlet
    from realtime.sources.video_intake import VideoIntake

logger = logging.getLogger(__name__)

_CAPACITY = 256  # decoded frames and blocks between the two threads: a few seconds
_GET_S = 0.25
_JOIN_S = 0.5
_RESTART_NS = 3 * NS_PER_S  # time stamps that jump this far have a new origin
_BUCKET_NS = NS_PER_S
_SHIFT_NS = NS_PER_S // 2  # later than laid by this much, for all of
_N_SHIFTED = 3  # buckets, the running one among them: the sender's clock was set back
_N_BUCKETS = 30  # the least delay of half a minute: outlives a busy spell, follows drift


class _Arrival(NamedTuple):
    item: DecodedPicture | DecodedSound
    arrived_ns: int


class NetworkReader:
    """Reads a URL; see `realtime.sources.base.Reader`.

    Args:
        url: What PyAV opens; user name and password may be in it and are never shown.
        inlet: Where frames and sound go.
        picture: Whether the picture is wanted.
        sound: Whether the sound is wanted.
        config: Of the source: how RTSP sends, and how long a sender may be silent.
        endless: Whether it is lost, rather than over, when its server hangs up.
        container: The open stream, where it was opened to find out what it is.
    """

    def __init__(
        self,
        url: str,
        inlet: Inlet,
        *,
        picture: bool,
        sound: bool,
        config: SourceConfig,
        endless: bool = False,
        container: MediaContainer | None = None,
    ) -> None:
        self.name = "capture-media" if sound else "capture-video"
        self.senses = SourceSenses(picture=picture, sound=sound)
        self._url = url
        self._inlet = inlet
        self._endless = endless
        self._config = config
        self._container = container
        self._begun = threading.Event()
        self._stop = threading.Event()
        self._arrivals: Mailbox[_Arrival] = Mailbox(_CAPACITY, Policy.DROP_OLDEST)
        self._socket: Worker | None = None
        self._has_decoded = False
        self._description = redacted_location(url)
        self._sender: SenderClock | None = None
        self._video: VideoIntake | None = None
        self._audio: AudioIntake | None = None
        self._n_dropped = 0

    def open(self) -> None:
        """Connect; takes up to `container.OPEN_TIMEOUT_S`."""
        container = self._container or self._connect()
        self.senses = container.senses
        self._description = container.describe()
        if container.has_own_time:
            self._sender = SenderClock()
        if self.senses.picture:
            self._video = self._inlet.video_intake()

        def ended(_: Exception | None) -> None:  # which the worker keeps
            container.close()
            self._arrivals.close()

        self._socket = Worker("capture-socket", lambda: self._pump(container), self._stop, ended)
        self._socket.start()

    def step(self) -> bool:
        """Hand on what has arrived."""
        self._begun.set()
        arrival = self._arrivals.get(_GET_S)
        if arrival is not None:
            self._deliver(arrival)
            self._count_drops()
            return not self._stop.is_set()
        if not self._arrivals.closed:
            return not self._stop.is_set()
        if self._socket is not None and self._socket.error is not None:
            raise self._socket.error
        if self._endless and not self._stop.is_set():
            raise SourceError(f"{self._description}: ended by its server")
        if not self._has_decoded and not self._stop.is_set():
            raise nothing_decoded(self._url)
        self._end()
        return False

    def close(self) -> None:
        """Hang up. A read that hangs ends by its own time-out, in a daemon thread."""
        self._stop.set()
        self._arrivals.close()
        if self._socket is not None and not self._socket.join(_JOIN_S):
            logger.info("%s: the socket's thread ends by its time-out", self._description)
        self._audio = None

    def describe(self) -> str:
        """Return address, codec and rate."""
        return self._description

    def _connect(self) -> MediaContainer:
        """Open the URL in a thread: Python hears no signal while a library is connecting."""
        return PassingThread("capture-connect").run(self._open_live)

    def _open_live(self) -> MediaContainer:
        container = MediaContainer(
            self._url,
            picture=self.senses.picture,
            sound=self.senses.sound,
            stats=self._inlet.stats,
            live=True,
            transport=self._config.transport,
            read_timeout_s=self._config.read_timeout_s,
        )
        nature = Nature.UNTOLD
        try:
            nature = nature_of(container.facts)
            if nature in (Nature.LIVE, Nature.UNTOLD) or self._config.nature == "live":
                return container
            if nature is Nature.STILL:
                raise still_picture(self._url, container.form)
            raise SourceError(
                f"{self._description} has ended: what its server gives now is a recording; "
                "give it as --source by itself to have it read"
            )
        except SourceError:
            container.close()
            raise

    def _pump(self, container: MediaContainer) -> bool:
        """Read and decode one packet, in the helper thread; return False at the end."""
        decoded = container.read()
        if decoded is None:
            return False
        self._has_decoded = container.has_decoded
        if self._begun.is_set():
            arrived_ns = self._inlet.clock.now_ns()
            for item in decoded:
                self._put(_Arrival(item, arrived_ns))
        return True

    def _put(self, arrival: _Arrival) -> None:
        while not self._arrivals.put(arrival, _GET_S) and not self._stop.is_set():
            pass

    def _deliver(self, arrival: _Arrival) -> None:
        item, arrived_ns = arrival
        time_ns = arrived_ns
        if self._sender is not None:
            end_ns = item.end_ns if isinstance(item, DecodedSound) else item.media_ns
            self._sender.observe(end_ns, arrived_ns)
            time_ns = self._sender.time_ns(item.media_ns)
        if isinstance(item, DecodedPicture):
            if self._video is not None:
                self._video.append_lazy(time_ns, item.render)
            return
        n_channels = item.samples.shape[1]
        if self._audio is None:
            self._audio = self._inlet.audio_intake(item.sample_rate, n_channels)
        self._audio.retune(item.sample_rate, n_channels)
        self._audio.append(item.samples, time_ns)

    def _count_drops(self) -> None:
        n_dropped = self._arrivals.n_dropped
        if n_dropped > self._n_dropped:
            self._inlet.stats.count("dropped_packets", n_dropped - self._n_dropped)
            self._n_dropped = n_dropped

    def _end(self) -> None:
        if self._video is not None:
            self._video.end()
        if self._audio is not None:
            self._audio.end()
        elif self.senses.sound:
            self._inlet.sounds.end()


class SenderClock:
    """Lays a sender's time stamps on the run's clock at the least delay seen lately."""

    def __init__(self) -> None:
        self._buckets: deque[tuple[int, int]] = deque(maxlen=_N_BUCKETS)
        self._offset_ns: int | None = None

    def observe(self, media_ns: int, arrived_ns: int) -> None:
        """Say that what was captured at `media_ns`, sender's time, arrived at `arrived_ns`."""
        offset_ns = arrived_ns - media_ns
        if self._offset_ns is not None and abs(offset_ns - self._offset_ns) > _RESTART_NS:
            self._buckets.clear()
        bucket = arrived_ns // _BUCKET_NS
        if self._buckets and self._buckets[-1][0] == bucket:
            offset_ns = min(offset_ns, self._buckets.pop()[1])
        self._buckets.append((bucket, offset_ns))
        self._offset_ns = min(offset for _, offset in self._buckets)
        newest = list(self._buckets)[-_N_SHIFTED:]
        if min(offset for _, offset in newest) - self._offset_ns > _SHIFT_NS:
            self._buckets = deque(newest, maxlen=_N_BUCKETS)
            self._offset_ns = min(offset for _, offset in newest)

    def time_ns(self, media_ns: int) -> int:
        """Return sender's time `media_ns` on the run's clock."""
        if self._offset_ns is None:
            raise ValueError("nothing has arrived yet")
        return media_ns + self._offset_ns
