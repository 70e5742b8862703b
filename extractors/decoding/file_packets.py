"""The packets of one sense of a file, in order, on one clock with the other sense's.

Files are read once for each sense, but where a part begins only both senses together tell: their
stamps go through `extractors.decoding.one_clock`, and packets are handed out with the stamps moved.

A transport stream's second half may have other PIDs, or another codec under the same one (two
recordings joined, a channel that was tuned anew). A stream of the same container that follows one
that fell silent is gone on with (`extractors.decoding.rivals`); what the container cannot give is
opened as a file of its own (`extractors.decoding.successors`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from extractors.decoding.one_clock import OneClock
from extractors.decoding.packet_times import (
    CHANGING,
    NS_PER_S,
    base_of,
    correct_delay,
    is_reordered,
    move,
)
from extractors.decoding.part_breaks import PartBreaks
from extractors.decoding.rivals import Rival, Rivals
from extractors.decoding.stamped import Stamped
from extractors.decoding.successors import Reopen, Rest, Successors
from extractors.decoding.tracks import KINDS, Streams

_SEQUENTIAL: Final = (*CHANGING, "matroska,webm", "flv", "ogg")  # read from front to back


@dataclass(slots=True)
class _Read:
    sense: str
    packet: Any
    after_hole: bool = False
    part: int = 0


class FilePackets:
    """Hands out packets; one thread calls it. It is `extractors.decoding.packets.Packets`.

    Args:
        container: The open file, PyAV's.
        streams: Those of both senses, as far as there are: the other one's stamps tell joins.
        wanted: The senses whose packets are handed out.
        reopen: Opens the file from a byte on; None where that cannot be done.
        on_fault: Told the sense of each stamp that cannot be meant.
        ahead: Packets that were read before.

    Attributes:
        container: The one that is read now.
        streams: Those that are read now.
        wanted: As given.
        part: Number of the part of which the newest packet is; each join begins another.
        after_hole: Whether bytes of the file lie before the newest packet that were in none.
    """

    is_live = False

    def __init__(
        self,
        container: Any,
        streams: Streams,
        wanted: Iterable[str],
        *,
        reopen: Reopen | None = None,
        on_fault: Callable[[str], None] = lambda _: None,
        ahead: Iterable[Any] = (),
    ) -> None:
        self.container = container
        self.streams = dict(streams)
        self.wanted = frozenset(wanted)
        self._clock: OneClock[_Read] = OneClock(
            is_joinable=self._can_change(),
            on_fault=on_fault,
            origin_ns=None if container.start_time is None else container.start_time * 1000,
        )
        self._successors = Successors(self.wanted, reopen, self._clock.place())
        self._ahead = deque(ahead)
        self._ready: deque[_Read] = deque()
        self._shift_ns = self._n_parts = 0
        self.part, self.after_hole = 0, False
        self._draining: list[tuple[str, Any]] = []
        self._next: Rest | None = None
        self._is_over = False
        self._demux = self._begin()

    def read(self) -> tuple[str, Any] | None:
        """Return the sense and the packet that come next; None at the end.

        The container is another one after the end of its own: `container` and `streams` say which.
        What an empty packet gives is what the decoder still holds.

        Raises:
            av.FFmpegError, OSError, ValueError: A packet cannot be read; the next call goes on.
        """
        while not self._ready:
            if self._next is not None:
                self._go_on_with(self._next)
            elif self._is_over:
                return None
            else:
                self._read()
        read = self._ready.popleft()
        self.part, self.after_hole = read.part, read.after_hole
        return read.sense, read.packet

    def gave_something(self) -> None:
        """Say that the newest packet could be decoded."""
        self._successors.gave_something()

    def gave_nothing(self) -> None:
        """Say that the newest packet could not be decoded: another codec may have begun."""
        if self._successors.gave_nothing() and self._next is None:
            self._leave_for(self._successor())

    def end_ns(self, sense: str | None = None) -> int | None:
        """Return where the packets of a sense, or of both, end so far, whether decodable or not."""
        return self._clock.end_ns(sense)

    def close(self) -> None:
        """Close what is open. May be called again."""
        self._is_over, self._demux = True, iter(())
        self._ready.clear()
        self.container.close()
        if self._next is not None:
            self._next.container.close()
            self._next = None

    def _begin(self) -> Any:
        self._rivals, self._breaks = Rivals(), PartBreaks()
        self._order_ns: dict[str, int] = {}  # of a sense's newest packet, by the file's own stamps
        self._successors.begin(self.streams)
        return iter(self.container.demux())

    def _read(self) -> None:
        try:
            packet = self._ahead.popleft() if self._ahead else next(self._demux)
        except (StopIteration, EOFError, IndexError):  # PyAV flushes streams that it has not
            self._end_container()
            return
        except Exception:
            self._demux = iter(self.container.demux())
            raise
        sense = self._sense_of(packet)
        if sense is None:
            rival = self._rivals.take(packet, self.streams)
            if rival is not None:
                self._follow(rival)
        correct_delay(packet, self._can_change())
        if not packet.size and packet.dts is None and packet.pts is None:
            if sense is not None:
                self._draining.append((sense, packet))
            return
        if self._breaks.is_at(packet, self.streams) and self._leave_for(self._part_at(packet.pos)):
            return
        if sense is None:
            return
        self._rivals.note(sense, packet)
        self._hand_on(sense, packet)

    def _hand_on(self, sense: str, packet: Any) -> None:
        if sense in self.wanted:
            self._successors.note_place(packet.pos, self._clock.place)
        behind_hole = self._breaks.behind_hole
        after_hole = sense in behind_hole and self.container.format.name in _SEQUENTIAL
        behind_hole.discard(sense)
        stamped = _stamped(_Read(sense, packet, after_hole), self._order_ns.get(sense))
        if stamped.order_ns is not None:
            self._order_ns[sense] = stamped.order_ns
        self._take(self._clock.put(stamped))

    def _sense_of(self, packet: Any) -> str | None:
        for sense, stream in self.streams.items():
            if stream.index == packet.stream.index:
                # A stream may become another kind's on the way; PyAV's decoder does not.
                return sense if packet.stream.type == KINDS[sense] else None
        return None

    def _follow(self, rival: Rival) -> None:
        """Read another stream of this container in the place of one that fell silent."""
        old, sense = self.streams[rival.sense], rival.sense
        self._take(self._clock.flush())
        self.streams[sense] = rival.stream
        if sense in self.wanted:
            drain = type(rival.packets[0])()
            drain.stream = old
            self._ready.append(_Read(sense, drain, part=self._n_parts))
            self._successors.note_read(rival.stream)
        rival.stream.codec_context.flush_buffers()  # it may have been read before
        self._rivals.forget(sense)
        for packet in rival.packets:
            self._hand_on(sense, packet)

    def _take(self, settled: Iterable[tuple[_Read, int]]) -> None:
        for read, shift_ns in settled:
            if read.sense not in self.wanted:
                continue
            move(read.packet, shift_ns)
            if shift_ns != self._shift_ns:
                self._shift_ns = shift_ns
                self._n_parts += 1
            read.part = self._n_parts
            self._ready.append(read)

    def _end_container(self) -> None:
        for rival in self._rivals.last_parts():
            self._follow(rival)
        self._take(self._clock.flush())
        for sense, packet in self._draining:
            if sense in self.wanted:
                self._ready.append(_Read(sense, packet, part=self._n_parts))
        self._draining.clear()
        self._next = self._successor()
        self._is_over = self._next is None

    def _successor(self) -> Rest | None:
        if not self._can_follow():
            return None
        beside = self._breaks.beside_one_another(self.container, self.streams)
        return self._successors.of(self.container, beside)

    def _part_at(self, pos: int) -> Rest | None:
        """Open the part that begins at a byte, or before it with streams that PyAV has not."""
        if self._breaks.has_left_out:
            return self._successor()
        return self._successors.at(pos, self.streams) if self._can_follow() else None

    def _can_change(self) -> bool:
        return self.container.format.name in CHANGING

    def _can_follow(self) -> bool:
        return self._can_change() and len(self.wanted) == 1

    def _leave_for(self, following: Rest | None) -> bool:
        """Leave the rest of this container for another one; return whether there is one."""
        if following is None:
            return False
        self._take(self._clock.flush())
        self._next = following
        return True

    def _go_on_with(self, rest: Rest) -> None:
        self.container.close()
        self.container, self.streams, self._next = rest.container, rest.streams, None
        if rest.place is not None:
            self._clock.go_back(rest.place)
        self._demux = self._begin()


def _stamped(read: _Read, newest_ns: int | None) -> Stamped[_Read]:
    """Return a packet with its stamps.

    Args:
        read: The packet.
        newest_ns: Where the one before it comes in order. Matroska does not tell that of the first
            pictures where they are reordered; when they show says nothing of it.
    """
    packet, base = read.packet, base_of(read.packet)

    def in_ns(ticks: int | None) -> int | None:
        return None if ticks is None else round(ticks * base * NS_PER_S)

    dts_ns, pts_ns = in_ns(packet.dts), in_ns(packet.pts)
    if dts_ns is None and pts_ns is not None and is_reordered(packet):
        dts_ns = pts_ns if newest_ns is None else min(pts_ns, newest_ns)
    return Stamped(
        track=read.sense,
        payload=read,
        dts_ns=dts_ns,
        pts_ns=pts_ns,
        length_ns=max(0, in_ns(packet.duration) or 0),
        after_hole=read.after_hole,
    )
