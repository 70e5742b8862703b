"""A stream that plays by itself: RTSP, MJPEG, MPEG-TS or HLS over HTTP, UDP.

One connection serves both senses; it is live, so the newest wins and nothing can block for ever.
A library read of a dead socket blocks for seconds and cannot be interrupted, so a helper thread
reads. It reads from the opening on, so that nothing piles up in the socket; `step` decodes what is
due (`realtime.sources.playout`) and hands it over, from its first call on or from when it is known
how the source delivers. All before is decoded too, for later pictures are made of it: a camera
with 15 s between key frames shows its first picture at once. A recording on a server is no stream:
`realtime.sources.media` reads it.

Time: the sender's time stamps, laid on the run's clock (`realtime.sources.sender_clock`). A JPEG
stream bears no time: its frames are dated by arrival (`realtime.sources.arrival_dates`).
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.errors import SourceError
from realtime.redaction import redacted_location
from realtime.sources.base import SourceSenses
from realtime.sources.container import MediaContainer, asked_tracks
from realtime.sources.decoded import DecodedPicture, DecodedSound
from realtime.sources.decoded_intake import DecodedIntake
from realtime.sources.delivery import Delivery
from realtime.sources.nature import Nature, nature_of
from realtime.sources.opening import PLAYLISTS
from realtime.sources.playout import Arrived, Playout
from realtime.sources.refusals import nothing_decoded, still_picture
from realtime.threads.one_off import OneOffThread
from realtime.threads.worker import Worker

if TYPE_CHECKING:
    from realtime.config import SourceConfig
    from realtime.sources.base import Inlet

logger = logging.getLogger(__name__)

_LOOK_NS = NS_PER_S // 4
_JOIN_S = 0.5
_BEFORE_NS = 100 * NS_PER_MS  # what was on its way when the stream began belongs to it


class NetworkReader:
    """Reads a URL; see `realtime.sources.base.Reader`.

    Args:
        url: What PyAV opens; user name and password may be in it and are never shown.
        inlet: Where frames and sound go.
        picture: Whether the picture is wanted.
        sound: Whether the sound is wanted.
        config: Of the source: how RTSP sends, how long a sender may be silent or late.
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
        self._stop = threading.Event()
        self._socket: Worker | None = None
        self._description = redacted_location(url)
        delivery = Delivery(round(config.patience_s * NS_PER_S), inlet.lag.ns)
        self._playout: Playout[Any] = Playout(delivery, inlet.lag)
        self._decoding = threading.Lock()  # two threads decode, the helper until the first step
        self._has_begun = False
        self._begin_ns: int | None = None  # what was due before this is not handed on
        self._seen_ns: int | None = None  # the newest arrival that was told
        self._told_lag_ns = inlet.lag.ns
        self._intake = DecodedIntake(inlet)
        self._n_dropped = 0

    def open(self) -> None:
        """Connect; takes up to `opening.OPEN_TIMEOUT_S`."""
        container = self._container or self._connect()
        self._container = container
        self.senses = container.senses
        self._description = container.describe()
        if self.senses.picture:
            self._intake.begin_pictures()
        self._socket = Worker(
            "capture-socket", lambda: self._pump(container), self._stop, self._pump_ended
        )
        self._socket.start()

    def step(self) -> bool:
        """Hand on what is due."""
        now_ns = self._inlet.clock.now_ns()
        if not self._has_begun:
            with self._decoding:
                self._has_begun = True
            self._playout.begin(now_ns)
        n_news = self._playout.news.count
        is_over = self._socket is None or not self._socket.alive
        self._note_life(now_ns)
        if self._begin_ns is None and (is_over or self._playout.is_settled(now_ns)):
            self._begin_ns = now_ns
        if self._begin_ns is not None and self._play(now_ns):
            return not self._stop.is_set()
        due_ns = self._playout.wait_ns(now_ns)
        if is_over and due_ns is None:
            return self._finish()
        wait_ns = _LOOK_NS if due_ns is None else min(max(due_ns, NS_PER_MS), _LOOK_NS)
        self._playout.news.wait(n_news, wait_ns / NS_PER_S)
        return not self._stop.is_set()

    def close(self) -> None:
        """Hang up. A read that hangs ends by its own time-out, in a daemon thread."""
        self._stop.set()
        self._playout.news.notify()
        if self._socket is not None and not self._socket.join(_JOIN_S):
            logger.info("%s: the socket's thread ends by its time-out", self._description)
        elif self._container is not None:
            self._container.close()

    def describe(self) -> str:
        """Return address, codec and rate."""
        return self._description

    def _connect(self) -> MediaContainer:
        """Open the URL in a thread: Python hears no signal while a library is connecting."""
        return OneOffThread("capture-connect").run(self._open_live)

    def _open_live(self) -> MediaContainer:
        container = MediaContainer(
            self._url,
            picture=self.senses.picture,
            sound=self.senses.sound,
            stats=self._inlet.stats,
            live=True,
            transport=self._config.transport,
            read_timeout_s=self._config.read_timeout_s,
            tracks=asked_tracks(self._config),
        )
        nature = nature_of(container.facts)
        if nature in (Nature.LIVE, Nature.UNTOLD) or self._config.nature == "live":
            return container
        container.close()
        if nature is Nature.STILL:
            raise still_picture(self._url, container.form)
        raise SourceError(
            f"{self._description} gives a recording, as a broadcast that has ended does, and no "
            "stream; to have it read, give it as --source"
        )

    # The helper thread's.

    def _pump(self, container: MediaContainer) -> bool:
        """Read one packet; return False at the end."""
        packet = container.read_packet()
        if packet is None or self._stop.is_set():  # another session reads the same source by now
            return False
        now_ns = self._inlet.clock.now_ns()
        self._playout.put(packet, packet.size, container.stamps_of(packet), now_ns)
        if not self._has_begun and self._playout.is_settled(now_ns):
            with self._decoding:
                while not self._has_begun and (arrived := self._playout.take(now_ns)) is not None:
                    container.decode(arrived.item)  # forgotten: nobody has begun to watch
        return True

    def _pump_ended(self, _: Exception | None) -> None:  # which the worker keeps
        if self._stop.is_set() and self._container is not None:
            self._container.close()
        self._playout.news.notify()

    # The stepping thread's.

    def _play(self, now_ns: int) -> bool:
        """Decode and hand on one packet that is due; return whether there was one."""
        arrived = self._playout.take(now_ns)
        if arrived is None or self._container is None:
            return False
        with self._decoding:
            decoded = self._container.decode(arrived.item)
        for item in decoded:
            self._deliver(item, arrived)
        return True

    def _deliver(self, item: DecodedPicture | DecodedSound, arrived: Arrived[Any]) -> None:
        time_ns = self._playout.time_ns(item.media_ns, arrived)
        if time_ns + self._inlet.lag.ns < (self._begin_ns or 0) - _BEFORE_NS:
            return  # the backlog of the opening
        self._intake.take(item, time_ns)

    def _note_life(self, now_ns: int) -> None:
        """Tell the watch that the sender lives though nothing can be shown yet; count, say."""
        newest_ns = self._playout.newest_ns
        awaits_part = (
            self._begin_ns is None
            and self._container is not None
            and self._container.form in PLAYLISTS
        )
        if newest_ns != self._seen_ns or awaits_part:
            self._seen_ns = newest_ns
            self._inlet.note_life(now_ns)
        n_dropped = self._playout.n_dropped
        if n_dropped > self._n_dropped:
            self._inlet.stats.count("dropped_packets", n_dropped - self._n_dropped)
            self._n_dropped = n_dropped
        lag_ns = self._inlet.lag.ns
        if lag_ns > 1.25 * self._told_lag_ns:
            self._told_lag_ns = lag_ns
            logger.info(
                "%s: what it sends comes up to %.1f s late, in lumps; decisions lag by that much",
                self._description,
                lag_ns / NS_PER_S,
            )

    def _finish(self) -> bool:
        """End, or say why it ended; all that came has been played."""
        if self._stop.is_set():
            return False
        if self._socket is not None and self._socket.error is not None:
            raise self._socket.error
        if self._endless:
            raise SourceError(f"{self._description}: ended by its server")
        if self._container is not None and not self._container.has_decoded:
            raise nothing_decoded(self._url, self._container.form)
        self._intake.end(self.senses)
        return False
