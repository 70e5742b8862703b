"""A file with sound, picture or both, read to its end without a loss.

One reader a sense, each with its own opened file and its own thread. A container may hold its
sound seconds away from its pictures; with one demuxer for both, a ring that is full of the one
would keep the other from coming, and the clip assembler, which needs both, would wait for ever.
With two, each ring fills at its own pace and no interleaving needs memory. Reading a file twice
costs a few percent of decoding it.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from extractors.decoding.tracks import USUAL, Tracks
from realtime.packets import Sense
from realtime.redaction import redacted_location
from realtime.sources.base import SourceSenses, thread_name
from realtime.sources.container import MediaContainer
from realtime.sources.decoded import DecodedPicture, DecodedSound
from realtime.sources.decoded_intake import DecodedIntake

if TYPE_CHECKING:
    from realtime.sources.base import Inlet
    from realtime.sources.playback import Playback


class MediaReader:
    """Reads one sense of a file; see `realtime.sources.base.Reader`.

    Args:
        location: The file's path.
        sense: Which of its senses.
        playback: Shared with the reader of the other sense.
        inlet: Where frames or sound go.
        tracks: Which of several.
    """

    def __init__(
        self,
        location: str,
        sense: Sense,
        playback: Playback,
        inlet: Inlet,
        tracks: Tracks = USUAL,
    ) -> None:
        self.name = thread_name([sense])
        self.senses = SourceSenses.of([sense])
        self._location = location
        self._sense = sense
        self._playback = playback
        self._inlet = inlet
        self._tracks = tracks
        self._stop = threading.Event()
        self._container: MediaContainer | None = None
        self._intake = DecodedIntake(inlet)
        self._decoded: deque[DecodedPicture | DecodedSound] = deque()

    def open(self) -> None:
        """Open the file and decode up to the first frame or block, which says where it begins."""
        picture = self._sense is Sense.PICTURE
        self._container = MediaContainer(
            self._location,
            picture=picture,
            sound=not picture,
            stats=self._inlet.stats,
            tracks=self._tracks,
        )
        while not self._decoded:
            decoded = self._container.read()
            if decoded is None:
                break
            self._decoded.extend(decoded)
        if self._decoded:
            self._playback.announce(self._decoded[0].media_ns)

    @property
    def has_begun(self) -> bool:
        """Whether anything of its sense could be decoded; after `open`."""
        return bool(self._decoded)

    def step(self) -> bool:
        """Read, wait for the right moment and hand on one packet's worth."""
        if self._container is None:
            raise ValueError("open the reader first")
        self._playback.start()
        if not self._decoded:
            decoded = self._container.read()
            if decoded is None:
                self._intake.end(self.senses)
                return False
            self._decoded.extend(decoded)
        while self._decoded and not self._stop.is_set():
            item = self._decoded[0]
            due_ns = item.media_ns if isinstance(item, DecodedPicture) else item.end_ns
            if not self._playback.wait_until(due_ns, self._stop):
                break
            self._decoded.popleft()
            self._intake.take(item, self._playback.time_ns(item.media_ns))
        return not self._stop.is_set()

    def close(self) -> None:
        """Close the file; wakes a step that waits for its moment."""
        self._stop.set()
        if self._container is not None:
            self._container.close()

    def describe(self) -> str:
        """Return file, codec and rate."""
        return (
            redacted_location(self._location)
            if self._container is None
            else self._container.describe()
        )
