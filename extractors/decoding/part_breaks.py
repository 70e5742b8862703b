"""Where time breaks off in a container, or bytes of it lie in no packet: a part may begin there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from extractors.decoding.packet_times import order_s
from extractors.decoding.tracks import Streams

_LEAST_LEFT_OUT: Final = 1 << 14  # bytes between two packets; what a muxer adds is less
_PARALLEL: Final = 4  # a stream with a fourth of the other's packets is there beside it
_LARGE: Final = 4
_HOLE_S: Final = 0.3
_BREAK_S: Final = 1.0
_FALL_S: Final = 0.1


class PartBreaks:
    """Watches one container's packets as they come; one thread calls it.

    Attributes:
        behind_hole: Senses whose next packet follows a hole.
    """

    def __init__(self) -> None:
        self.behind_hole: set[str] = set()
        self._newest_end = self._n_left_out = self._largest = 0  # bytes
        self._newest_s: dict[int, float] = {}
        self._counts: dict[int, int] = {}  # packets by stream

    @property
    def has_left_out(self) -> bool:
        """Whether many bytes lie before the newest packet that were in none."""
        return self._n_left_out > _LEAST_LEFT_OUT

    def is_at(self, packet: Any, senses: Iterable[str]) -> bool:
        """Whether time breaks off at a packet: a part begins here, or began before it."""
        index, pos = packet.stream.index, packet.pos
        self._counts[index] = self._counts.get(index, 0) + 1
        stamp_s, newest_s = order_s(packet), self._newest_s.get(index)
        step_s = 0.0
        if stamp_s is not None:
            step_s = 0.0 if newest_s is None else stamp_s - newest_s
            self._newest_s[index] = stamp_s
        if pos is None or pos < 0:
            return False
        # A large picture's packet comes after others that lie behind its beginning.
        self._n_left_out = pos - self._newest_end - _LARGE * self._largest
        self._newest_end = max(pos + packet.size, self._newest_end)
        self._largest = max(packet.size, self._largest)
        if self.has_left_out and step_s > _HOLE_S:
            self.behind_hole = set(senses)
        return not -_FALL_S < step_s < _BREAK_S

    def beside_one_another(self, container: Any, read: Streams) -> list[Any]:
        """Return the container's streams that came beside those that are read, and those."""
        most = max((self._counts.get(s.index, 0) for s in read.values()), default=0)
        return [
            stream
            for stream in container.streams
            if stream in read.values() or _PARALLEL * self._counts.get(stream.index, 0) >= most
        ]
