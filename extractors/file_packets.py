"""The packets of one sense of a file, in order, on one clock with the other sense's.

Files are read once for each sense, but where a part begins only both senses together tell: their
stamps go through `extractors.one_clock`, and packets are handed out with the stamps moved.

A transport stream's second half may have other PIDs, or another codec under the same one (two
recordings joined, a channel that was tuned anew). Where a sense's stream falls silent and another
of its kind begins, that one is gone on with. PyAV hands out nothing of a stream that was not there
when it looked (at the first 5 MB), or feeds it to the wrong decoder. So where a sense ends before
its file does, the rest is opened as a file of its own, from the last packet that could be decoded:
what is read twice gets the same time. A stream that gave nothing is not opened again before
something could be decoded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Final

from extractors.one_clock import JOIN_LEAP_NS, MAX_LEAP_NS, OneClock, Place, Stamped

PICTURE: Final = "picture"
SOUND: Final = "sound"
_S: Final = 1_000_000_000
_TYPES: Final = {PICTURE: "video", SOUND: "audio"}
_CHANGING: Final = ("mpegts", "mpeg")  # formats in which streams come and go
_LEAST_LEFT_OUT: Final = 1 << 14  # bytes between two packets; what a muxer adds is less
_SEQUENTIAL: Final = (*_CHANGING, "matroska,webm", "flv", "ogg")  # read from front to back
_LEAST_REST: Final = 2048  # bytes after a sense's last packet; less can be no recording
_N_TRIED: Final = 8  # places of packets: decoders fail some packets late
_MANY_FRUITLESS: Final = 16  # packets in a row that cannot be decoded
_PARALLEL: Final = 4  # packets, or a fourth of the other's: a stream that is there beside it
_SILENT_S: Final = 0.5  # a stream that gives nothing while another of its kind goes on so far
_SILENT_STEPS: Final = 3  # or for so many of its packets
_MAX_STEP_S: Final = 10.0
_MOST_LOOKS: Final = 32  # at places where time breaks off; stamps may all be broken
_MOST_RETURNS: Final = 256  # looks at places of packets that were read; a join needs a few
_MOST_HELD: Final = 512  # packets
_LARGE: Final = 4
_HOLE_S: Final = 0.3
_BREAK_S: Final = 1.0
_FALL_S: Final = 0.1

Streams = dict[str, Any]  # av.Stream by sense
Reopen = Callable[[int], Any]  # a container that begins at a byte of the file
Kind = tuple[int, str, str]  # of a stream: number, type, codec


@dataclass(slots=True)
class _Read:
    sense: str
    packet: Any
    after_hole: bool = False
    part: int = 0


@dataclass(frozen=True, slots=True)
class _Rest:
    """A container that is gone on with."""

    container: Any
    streams: Streams
    place: Place | None = None  # of the clock, where packets come again


@dataclass(slots=True)
class _Rival:
    """A stream of a kind of which another is read: beside it, or after it."""

    sense: str
    stream: Any
    packets: list[Any] = field(default_factory=list)
    n_beside: int = 0  # packets of the one that is read since this one began
    is_parallel: bool = False

    def span_s(self) -> float:
        stamps = [p.pts if p.dts is None else p.dts for p in self.packets]
        known = [s for s in stamps if s is not None]
        return float((known[-1] - known[0]) * _base(self.packets[0])) if known else 0.0


class FilePackets:
    """Hands out a sense's packets; one thread calls it.

    Args:
        container: The open file, PyAV's.
        streams: The streams of both senses, as far as there are.
        wanted: The senses whose packets are handed out.
        reopen: Opens the file from a byte on; None where that cannot be done.
        on_fault: Told the sense of each stamp that cannot be meant.
        ahead: Packets that were read before.

    Attributes:
        container: The one that is read now.
        streams: Those that are read now.
        part: Number of the part of which the newest packet is; each join begins another.
        after_hole: Whether bytes of the file lie before the newest packet that were in none.
    """

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
        self._wanted = frozenset(wanted)
        self._reopen = reopen
        self._clock: OneClock[_Read] = OneClock(
            is_joinable=container.format.name in _CHANGING,
            on_fault=on_fault,
            origin_ns=None if container.start_time is None else container.start_time * 1000,
        )
        self._ahead = deque(ahead)
        self._ready: deque[_Read] = deque()
        self._shift_ns = self._n_parts = 0
        self.part, self.after_hole = 0, False
        self._draining: list[tuple[str, Any]] = []
        self._next: _Rest | None = None
        self._is_over = False
        # Bytes, and places of the clock, of packets up to the newest good one, and of those after.
        self._places: deque[tuple[int, Place]] = deque([(0, self._clock.place())], maxlen=_N_TRIED)
        self._bad_places: list[tuple[int, Place]] = []
        self._n_fruitless = 0
        self._has_given = False  # this container could be decoded
        self._barren: set[Kind] = set()  # streams that gave nothing since something gave
        self._n_returns = 0
        self._begins_at = 0  # byte of the file
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
        self._places.extend(self._bad_places)
        self._bad_places.clear()
        self._barren.clear()
        self._n_fruitless = 0
        self._has_given = True

    def gave_nothing(self) -> None:
        """Say that the newest packet could not be decoded: another codec may have begun."""
        self._n_fruitless += 1
        if self._n_fruitless == _MANY_FRUITLESS and self._next is None:
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
        self._newest_end = self._n_left_out = self._largest = 0  # bytes
        self._behind_hole: set[str] = set()  # senses whose next packet follows a hole
        self._n_looks = _MOST_LOOKS
        self._newest_s: dict[int, float] = {}
        self._counts: dict[int, int] = {}  # packets by stream
        self._rivals: dict[int, _Rival] = {}  # streams of the same kind that are not read
        self._kinds_read = {_kind(self.streams[sense]) for sense in self._wanted}
        self._steps_s: dict[str, float] = {}  # between two packets
        self._read_s: dict[str, float] = {}  # stamp of the newest
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
        sense = self._sense_of(packet) or self._go_on_in(packet)
        _correct_delay(packet, self.container.format.name in _CHANGING)
        if not packet.size and packet.dts is None and packet.pts is None:
            if sense is not None:
                self._draining.append((sense, packet))
            return
        if self._has_broken_off(packet) and self._leave_for(self._other_part(packet.pos)):
            return
        if sense is None:
            return
        self._note(sense, packet)
        self._hand_on(sense, packet)

    def _hand_on(self, sense: str, packet: Any) -> None:
        is_placed = sense in self._wanted and packet.pos is not None and packet.pos >= 0
        if is_placed and len(self._bad_places) < _N_TRIED:
            self._bad_places.append((packet.pos, self._clock.place()))
        after_hole = sense in self._behind_hole and self.container.format.name in _SEQUENTIAL
        self._behind_hole.discard(sense)
        self._take(self._clock.put(_stamped(_Read(sense, packet, after_hole))))

    def _sense_of(self, packet: Any) -> str | None:
        for sense, stream in self.streams.items():
            if stream.index == packet.stream.index:
                # A stream may become another kind's on the way; PyAV's decoder does not.
                return sense if packet.stream.type == _TYPES[sense] else None
        return None

    def _go_on_in(self, packet: Any) -> str | None:
        """Take a packet of a stream that is not read; return its sense if it is read from now on.

        It is, once it has gone on for a while in which the stream that is read gave nothing.
        """
        stream = packet.stream
        sense = next((s for s, kind in _TYPES.items() if kind == stream.type), None)
        if sense not in self.streams or not packet.size or not _is_usable(stream):
            return None
        rival = self._rivals.setdefault(stream.index, _Rival(sense, stream))
        if rival.is_parallel:
            return None
        rival.packets.append(packet)
        span_s = rival.span_s()
        if span_s < 0:  # the first was the rest of a part before
            rival.packets = [packet]
        if span_s < max(_SILENT_S, _SILENT_STEPS * self._steps_s.get(sense, 0.0)):
            rival.is_parallel = len(rival.packets) > _MOST_HELD
            return None
        self._follow(rival)
        return None

    def _follow(self, rival: _Rival) -> None:
        """Read another stream of this container in the place of one that fell silent."""
        old, sense = self.streams[rival.sense], rival.sense
        self._take(self._clock.flush())
        drain = type(rival.packets[0])()
        drain.stream = old
        if sense in self._wanted:
            self._ready.append(_Read(sense, drain, part=self._n_parts))
        self.streams[sense] = rival.stream
        if sense in self._wanted:
            self._kinds_read.add(_kind(rival.stream))
        rival.stream.codec_context.flush_buffers()  # it may have been read before
        self._rivals = {i: r for i, r in self._rivals.items() if r.sense != sense}
        for packet in rival.packets:
            self._hand_on(sense, packet)

    def _note(self, sense: str, packet: Any) -> None:
        """Note that a stream that is read goes on: who began beside it is no successor."""
        for rival in self._rivals.values():
            if rival.sense == sense:
                rival.n_beside += 1
                rival.is_parallel = rival.is_parallel or rival.n_beside >= _PARALLEL
                if rival.is_parallel:
                    rival.packets.clear()
        stamp = packet.pts if packet.dts is None else packet.dts
        if stamp is not None:
            stamp_s = float(stamp * _base(packet))
            step_s = stamp_s - self._read_s.get(sense, stamp_s)
            if 0 < step_s <= _MAX_STEP_S:
                self._steps_s[sense] = step_s
            self._read_s[sense] = stamp_s

    def _has_broken_off(self, packet: Any) -> bool:
        """Whether time breaks off at a packet: a part begins here, or began before it."""
        index, pos = packet.stream.index, packet.pos
        self._counts[index] = self._counts.get(index, 0) + 1
        stamp = packet.pts if packet.dts is None else packet.dts
        newest_s = self._newest_s.get(index)
        step_s = 0.0
        if stamp is not None:
            stamp_s = float(stamp * _base(packet))
            step_s = 0.0 if newest_s is None else stamp_s - newest_s
            self._newest_s[index] = stamp_s
        if pos is None or pos < 0:
            return False
        # A large picture's packet comes after others that lie behind its beginning.
        self._n_left_out = pos - self._newest_end - _LARGE * self._largest
        self._newest_end = max(pos + packet.size, self._newest_end)
        self._largest = max(packet.size, self._largest)
        if self._n_left_out > _LEAST_LEFT_OUT and step_s > _HOLE_S:
            self._behind_hole = set(self.streams)
        return not -_FALL_S < step_s < _BREAK_S

    def _take(self, settled: Iterable[tuple[_Read, int]]) -> None:
        for read, shift_ns in settled:
            packet = read.packet
            if read.sense not in self._wanted:
                continue
            ticks = round(Fraction(shift_ns, _S) / _base(packet)) if shift_ns else 0
            if ticks and packet.pts is not None:
                packet.pts += ticks
            if ticks and packet.dts is not None:
                packet.dts += ticks
            if shift_ns != self._shift_ns:
                self._shift_ns = shift_ns
                self._n_parts += 1
            read.part = self._n_parts
            self._ready.append(read)

    def _end_container(self) -> None:
        for rival in list(self._rivals.values()):
            if len(rival.packets) >= _PARALLEL and self._rivals.get(rival.stream.index) is rival:
                self._follow(rival)  # a last part, shorter than what shows a silence
        self._take(self._clock.flush())
        for sense, packet in self._draining:
            if sense in self._wanted:
                self._ready.append(_Read(sense, packet, part=self._n_parts))
        self._draining.clear()
        self._next = self._successor()
        self._is_over = self._next is None

    def _other_part(self, pos: int) -> _Rest | None:
        """Open the part that begins at a byte if it cannot be read with the decoders in use."""
        if self._n_left_out > _LEAST_LEFT_OUT:  # it began before, with streams that PyAV has not
            return self._successor()
        if not self._can_follow() or not self._n_looks:
            return None
        self._n_looks -= 1
        rest = self._rest(pos)
        if rest is None:
            return None
        streams = streams_of(rest)
        there = {_kind(stream) for stream in rest.streams}
        mine = {_kind(self.streams[sense]) for sense in self._wanted}
        if mine <= there or not self._wanted <= streams.keys():
            rest.close()
            return None
        self._begins_at = pos
        return _Rest(rest, streams)

    def _rest(self, pos: int) -> Any:
        """Open what lies after a byte; None where it is what is read already."""
        if self._reopen is None or pos <= self._begins_at:  # each part begins after the last one
            return None
        return self._reopen(pos)

    def _can_follow(self) -> bool:
        return self.container.format.name in _CHANGING and len(self._wanted) == 1

    def _leave_for(self, following: _Rest | None) -> bool:
        """Leave the rest of this container for another one; return whether there is one."""
        if following is None:
            return False
        self._take(self._clock.flush())
        self._next = following
        return True

    def _successor(self) -> _Rest | None:
        """Open the rest of the file if it has a stream of the wanted kind that is new."""
        container = self.container
        if not self._can_follow():
            return None
        if not self._has_given:
            self._barren |= self._kinds_read
        seen = self._kinds_here() | self._barren
        # Packets that gave nothing may be those of another codec: it begins somewhere before them.
        places = [*self._places, *self._bad_places] if self._bad_places else [self._places[-1]]
        for pos, place in places:
            if container.size - pos < _LEAST_REST or self._n_returns >= _MOST_RETURNS:
                return None
            rest = self._rest(pos)
            if rest is None:
                continue
            self._n_returns += 1
            streams = streams_of(rest, lambda stream: _kind(stream) not in seen)
            if self._wanted <= streams.keys():
                self._begins_at = pos
                return _Rest(rest, {**streams_of(rest), **streams}, place)
            rest.close()
        return None

    def _kinds_here(self) -> set[Kind]:
        """Return the streams that came beside one another in this container."""
        most = max((self._counts.get(s.index, 0) for s in self.streams.values()), default=0)
        return {
            _kind(stream)
            for stream in self.container.streams
            if stream in self.streams.values()
            or _PARALLEL * self._counts.get(stream.index, 0) >= most
        }

    def _go_on_with(self, rest: _Rest) -> None:
        self.container.close()
        self.container, self.streams, self._next = rest.container, rest.streams, None
        if rest.place is not None:
            self._clock.go_back(rest.place)
        self._bad_places.clear()
        self._n_fruitless = 0
        self._has_given = False
        self._demux = self._begin()


def streams_of(container: Any, fits: Callable[[Any], bool] = lambda _: True) -> Streams:
    """Returns the usual stream of each sense that can be decoded, as far as any fit."""
    found: Streams = {}
    for sense, kind in _TYPES.items():
        usable = [s for s in container.streams if s.type == kind and _is_usable(s) and fits(s)]
        best = container.streams.best(kind) if sense == SOUND else None
        if usable:
            found[sense] = best if best in usable else usable[0]
    return found


def _is_usable(stream: Any) -> bool:
    attached = stream.disposition & type(stream.disposition).attached_pic
    codec = stream.codec_context  # of the kind that it was when the file was opened
    return codec is not None and codec.codec.type == stream.type and not attached


def _correct_delay(packet: Any, is_made_up: bool) -> None:
    """Undo a decoding time that FFmpeg made up from the part before, or a torn presentation time.

    A picture that stands delays the next by as much.
    """
    if packet.pts is None or packet.dts is None:
        return
    delay_ns = (packet.pts - packet.dts) * _base(packet) * _S
    if is_made_up and not 0 <= delay_ns <= JOIN_LEAP_NS:
        packet.dts = packet.pts
    elif abs(delay_ns) > MAX_LEAP_NS:
        packet.pts = packet.dts


def _stamped(read: _Read) -> Stamped[_Read]:
    packet, base = read.packet, _base(read.packet)

    def in_ns(ticks: int | None) -> int | None:
        return None if ticks is None else round(ticks * base * _S)

    return Stamped(
        track=read.sense,
        payload=read,
        dts_ns=in_ns(packet.dts),
        pts_ns=in_ns(packet.pts),
        length_ns=max(0, in_ns(packet.duration) or 0),
        after_hole=read.after_hole,
    )


def _base(packet: Any) -> Fraction:
    return Fraction(packet.time_base or packet.stream.time_base or Fraction(1, 1000))


def _kind(stream: Any) -> Kind:
    codec = stream.codec_context
    return stream.id, stream.type, "" if codec is None else codec.name
