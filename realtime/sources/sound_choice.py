"""Which sound track of a live stream is heard: the usual one, or another while that is silent.

Of a file the whole track is known before (`extractors.decoding.track_choice`); of a live stream
only what came. So the others are decoded too until the usual one has said something, mostly in its
first packet. While it has been silent for seconds and another has not, that one is heard; once the
usual one says something it is taken again, and the others are left alone for good.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from extractors.decoding.track_choice import says_something
from extractors.decoding.tracks import describe_track, usable_tracks
from realtime.clock import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterable

logger = logging.getLogger(__name__)

SILENT_NS = 5 * NS_PER_S  # of the usual track, before another is heard


class SoundChoice:
    """Chooses by what is decoded; the thread that decodes calls it.

    Args:
        container: PyAV's.
        usual: The track that is heard first.
        where: What the stream is called.

    Attributes:
        streams: All sound tracks, as long as it is open which is heard; then none.
        chosen: The one that is heard.
    """

    def __init__(self, container: Any, usual: Any, where: str) -> None:
        self.streams: list[Any] = usable_tracks(container, "audio")
        self.chosen = usual
        self._names = {s.index: describe_track(container, s) for s in self.streams}
        self._usual = usual
        self._where = where
        self._silent_ns = 0  # of the usual one, so far
        if len(self.streams) < 2:
            self.streams = []

    def has(self, packet: Any) -> bool:
        """Whether a packet is of a track that may be heard."""
        return any(stream.index == packet.stream.index for stream in self.streams)

    def hear(self, stream: Any, frames: Iterable[Any]) -> None:
        """Take what was decoded of one of the tracks; `chosen` may be another then.

        Raises:
            ValueError, MemoryError: It cannot be looked at.
        """
        is_usual = stream.index == self._usual.index
        for frame in frames:
            speaks = says_something(frame)
            if is_usual and speaks:
                self._take_usual()
                return
            if is_usual:
                self._silent_ns += frame.samples * NS_PER_S // max(1, frame.sample_rate)
            elif speaks and self.chosen is self._usual and self._silent_ns >= SILENT_NS:
                self.chosen = next(s for s in self.streams if s.index == stream.index)
                logger.warning(
                    "%s: sound track %s is silent so far; track %s is not and is taken",
                    self._where,
                    self._names[self._usual.index],
                    self._names[stream.index],
                )

    def _take_usual(self) -> None:
        if self.chosen is not self._usual:
            self.chosen = self._usual
            name = self._names[self._usual.index]
            logger.warning("%s: sound track %s is heard now and is taken again", self._where, name)
        self.streams = []
