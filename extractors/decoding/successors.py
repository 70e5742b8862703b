"""What of a file is to be opened as a file of its own, where its container cannot give the rest.

PyAV hands out nothing of a stream that was not there when it looked (at the first 5 MB), or feeds
it to the wrong decoder. So the rest is opened from the last packet that could be decoded: what is
read twice gets the same time. A stream that gave nothing is not opened again before something could
be decoded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

from extractors.decoding.stamped import Place
from extractors.decoding.tracks import Streams, usual_tracks

_LEAST_REST: Final = 2048  # bytes after a sense's last packet; less can be no recording
_N_TRIED: Final = 8  # places of packets: decoders fail some packets late
_MANY_FRUITLESS: Final = 16  # packets in a row that cannot be decoded
_MOST_LOOKS: Final = 32  # at places where time breaks off; stamps may all be broken
_MOST_RETURNS: Final = 256  # looks at places of packets that were read; a join needs a few

Reopen = Callable[[int], Any]  # a container that begins at a byte of the file
StreamKind = tuple[int, str, str]  # of a stream: number, type, codec


@dataclass(frozen=True, slots=True)
class Rest:
    """A container that is gone on with.

    Attributes:
        place: Of the clock, where packets come again.
    """

    container: Any
    streams: Streams
    place: Place | None = None


class Successors:
    """Remembers what of a file was read, and opens what is left; one thread calls it.

    Args:
        wanted: The senses that are read.
        reopen: Opens the file from a byte on; None where that cannot be done.
        place: Of the clock, at the file's beginning.
    """

    def __init__(self, wanted: Collection[str], reopen: Reopen | None, place: Place) -> None:
        self._wanted = frozenset(wanted)
        self._reopen = reopen
        # Bytes, and places of the clock, of packets up to the newest good one, and of those after.
        self._places: deque[tuple[int, Place]] = deque([(0, place)], maxlen=_N_TRIED)
        self._bad_places: list[tuple[int, Place]] = []
        self._n_fruitless = 0
        self._has_given = False  # this container could be decoded
        self._barren: set[StreamKind] = set()  # streams that gave nothing since something gave
        self._kinds_read: set[StreamKind] = set()
        self._n_returns = 0
        self._n_looks = _MOST_LOOKS
        self._begins_at = 0  # byte of the file

    def begin(self, streams: Streams) -> None:
        """Begin with another container."""
        self._bad_places.clear()
        self._n_fruitless = 0
        self._has_given = False
        self._n_looks = _MOST_LOOKS
        self._kinds_read = {kind_of_stream(streams[sense]) for sense in self._wanted}

    def note_read(self, stream: Any) -> None:
        """Note that another stream of the container is read."""
        self._kinds_read.add(kind_of_stream(stream))

    def note_place(self, pos: int | None, place: Callable[[], Place]) -> None:
        """Note where a packet of a wanted sense lies."""
        if pos is not None and pos >= 0 and len(self._bad_places) < _N_TRIED:
            self._bad_places.append((pos, place()))

    def gave_something(self) -> None:
        """Note that the newest packet could be decoded."""
        self._places.extend(self._bad_places)
        self._bad_places.clear()
        self._barren.clear()
        self._n_fruitless = 0
        self._has_given = True

    def gave_nothing(self) -> bool:
        """Note that it could not; return whether that is one too many."""
        self._n_fruitless += 1
        return self._n_fruitless == _MANY_FRUITLESS

    def of(self, container: Any, beside: Collection[Any]) -> Rest | None:
        """Open the rest of the file if it has a stream of the wanted kind that is new.

        Args:
            container: The one that is read.
            beside: Its streams that came beside one another.
        """
        if not self._has_given:
            self._barren |= self._kinds_read
        seen = {kind_of_stream(stream) for stream in beside} | self._barren
        # Packets that gave nothing may be those of another codec: it begins somewhere before them.
        places = [*self._places, *self._bad_places] if self._bad_places else [self._places[-1]]
        for pos, place in places:
            if container.size - pos < _LEAST_REST or self._n_returns >= _MOST_RETURNS:
                return None
            rest = self._open(pos)
            if rest is None:
                continue
            self._n_returns += 1
            streams = usual_tracks(rest, lambda stream: kind_of_stream(stream) not in seen)
            if self._wanted <= streams.keys():
                self._begins_at = pos
                return Rest(rest, {**usual_tracks(rest), **streams}, place)
            rest.close()
        return None

    def at(self, pos: int, read: Streams) -> Rest | None:
        """Open the part that begins at a byte if it cannot be read with the decoders in use."""
        if not self._n_looks:
            return None
        self._n_looks -= 1
        rest = self._open(pos)
        if rest is None:
            return None
        streams = usual_tracks(rest)
        there = {kind_of_stream(stream) for stream in rest.streams}
        mine = {kind_of_stream(read[sense]) for sense in self._wanted}
        if mine <= there or not self._wanted <= streams.keys():
            rest.close()
            return None
        self._begins_at = pos
        return Rest(rest, streams)

    def _open(self, pos: int) -> Any:
        """Open what lies after a byte; None where it is what is read already."""
        if self._reopen is None or pos <= self._begins_at:  # each part begins after the last one
            return None
        return self._reopen(pos)


def kind_of_stream(stream: Any) -> StreamKind:
    """Returns what tells one stream from another that took its number."""
    codec = stream.codec_context
    return stream.id, stream.type, "" if codec is None else codec.name
