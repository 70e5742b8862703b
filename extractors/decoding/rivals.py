"""Streams of a kind of which another is read, in one container: beside it, or after it.

A transport stream's second half may have other PIDs. Where a sense's stream falls silent and
another of its kind goes on for a while, that one is to be followed. One that goes on beside the one
that is read is a second track and no successor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from extractors.decoding.packet_times import order_s
from extractors.decoding.tracks import NAMES, Streams, is_usable

_PARALLEL: Final = 4  # packets of the other: a stream that is there beside it
_SILENT_S: Final = 0.5  # a stream that gives nothing while another of its kind goes on so far
_SILENT_STEPS: Final = 3  # or for so many of its packets
_MAX_STEP_S: Final = 10.0
_MOST_HELD: Final = 512  # packets


@dataclass(slots=True)
class Rival:
    """A stream that is not read.

    Attributes:
        packets: What came of it, to be read if it is followed.
    """

    sense: str
    stream: Any
    packets: list[Any] = field(default_factory=list)
    n_beside: int = 0  # packets of the one that is read since this one began
    is_parallel: bool = False

    def span_s(self) -> float:
        """Returns for how long it has gone on."""
        known = [s for s in map(order_s, self.packets) if s is not None]
        return known[-1] - known[0] if known else 0.0


class Rivals:
    """Watches one container's streams; one thread calls it."""

    def __init__(self) -> None:
        self._rivals: dict[int, Rival] = {}
        self._steps_s: dict[str, float] = {}  # between two packets of what is read
        self._read_s: dict[str, float] = {}  # stamp of the newest

    def note(self, sense: str, packet: Any) -> None:
        """Note that a stream that is read goes on: who began beside it is no successor."""
        for rival in self._rivals.values():
            if rival.sense == sense:
                rival.n_beside += 1
                rival.is_parallel = rival.is_parallel or rival.n_beside >= _PARALLEL
                if rival.is_parallel:
                    rival.packets.clear()
        stamp_s = order_s(packet)
        if stamp_s is not None:
            step_s = stamp_s - self._read_s.get(sense, stamp_s)
            if 0 < step_s <= _MAX_STEP_S:
                self._steps_s[sense] = step_s
            self._read_s[sense] = stamp_s

    def take(self, packet: Any, read: Streams) -> Rival | None:
        """Take a packet of a stream that is not read; return that stream if it is to be followed.

        It is, once it has gone on for a while in which the stream that is read gave nothing.
        """
        stream = packet.stream
        sense = NAMES.get(stream.type)
        if sense is None or sense not in read or not packet.size:
            return None
        if not is_usable(stream, stream.type):
            return None
        rival = self._rivals.setdefault(stream.index, Rival(sense, stream))
        if rival.is_parallel:
            return None
        rival.packets.append(packet)
        span_s = rival.span_s()
        if span_s < 0:  # the first was the rest of a part before
            rival.packets = [packet]
        if span_s < max(_SILENT_S, _SILENT_STEPS * self._steps_s.get(sense, 0.0)):
            rival.is_parallel = len(rival.packets) > _MOST_HELD
            return None
        return rival

    def forget(self, sense: str) -> None:
        """Forget all of a sense: another stream of it is read now."""
        self._rivals = {i: r for i, r in self._rivals.items() if r.sense != sense}

    def last_parts(self) -> list[Rival]:
        """Return, at the container's end, those that are a last part too short to show a silence.

        Of each sense one at most: the first.
        """
        found: dict[str, Rival] = {}
        for rival in self._rivals.values():
            if len(rival.packets) >= _PARALLEL:
                found.setdefault(rival.sense, rival)
        return list(found.values())
