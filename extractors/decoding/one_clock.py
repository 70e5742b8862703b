"""One clock for both senses of a file, where its time stamps begin anew or cannot be meant.

Recordings that are joined (`cat a.ts b.ts`) start their time stamps afresh in the middle, and the
senses of a part do not start or end together. So a join moves both senses by the same: the next
part's first sample comes where the longer sense of the last one ended, and nothing overlaps. A
sense whose stamps leap while the other's go on is at fault by itself, and goes on where it was.
The stamp with which a sense begins may be torn as any other; what follows tells.

To tell the two apart some packets are held back. Pure: stamps in, shifts out; who reads packets is
`extractors.decoding.file_packets`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import Final, Generic

from extractors.decoding.stamped import JOIN_LEAP_NS, MAX_LEAP_NS, Payload, Place, Stamped, Track

_S: Final = 1_000_000_000
_MAX_FALL_NS: Final = _S  # no two parts of a file overlap by so much: a new origin of time
_MIN_PART_NS: Final = _S // 10  # stamps that fall to where the part began; less is jitter
_STAYED_NS: Final = _S  # the other sense went on by so much: it has not begun anew
_LOOK_AHEAD_NS: Final = 3 * _S  # who has not come by then has ended
_LOOK_AHEAD: Final = 512  # packets
_LATE_NS: Final = 60 * _S  # all else comes so long after the first: its stamp is torn
_STEADY: Final = 10  # a leap that is so many times the next step is none of a slow picture
_WITNESSES: Final = 3  # packets after a sense's first that say whether its stamp was meant


class _Break(Enum):
    SURE = "cannot follow"
    MAYBE = "may be a picture that stands"


class OneClock(Generic[Payload]):
    """Says by how much each packet's stamps are to be moved; one thread calls it.

    Args:
        is_joinable: Whether the format's stamps may be discontinuous, as MPEG-TS's: then a leap of
            seconds in both senses is a join too.
        origin_ns: Where the file begins, as far as that is told; a first stamp is near it.
        on_fault: Told the track of each stamp, or run of stamps, that cannot be taken as it is.
    """

    def __init__(
        self,
        *,
        is_joinable: bool,
        on_fault: Callable[[str], None],
        origin_ns: int | None = None,
    ) -> None:
        self._is_joinable = is_joinable
        self._origin_ns = origin_ns
        self._on_fault = on_fault
        self._shift_ns = 0
        self._tracks: dict[str, Track] = {}
        self._held: deque[Stamped[Payload]] = deque()

    def put(self, item: Stamped[Payload]) -> list[tuple[Payload, int]]:
        """Take a packet, in the file's order; return what is settled, with its shift in ns."""
        self._held.append(item)
        return self._settle(is_last=False)

    def flush(self) -> list[tuple[Payload, int]]:
        """Return what was held back: no packet follows."""
        return self._settle(is_last=True)

    def place(self) -> Place:
        """Return what `go_back` needs to have what follows now put again."""
        tracks = tuple((name, replace(track)) for name, track in self._tracks.items())
        return Place(self._shift_ns, self._origin_ns, tracks)

    def go_back(self, place: Place) -> None:
        """Forget what came since `place`: it is put again. What was held back is gone."""
        self._shift_ns, self._origin_ns = place.shift_ns, place.origin_ns
        self._tracks = {name: replace(track) for name, track in place.tracks}
        self._held.clear()

    def end_ns(self, track: str | None = None) -> int | None:
        """Return where the packets of a track, or all, end so far; None before the first."""
        ends = [t.end_ns for name, t in self._tracks.items() if track in (None, name)]
        return max(ends, default=None)

    def _settle(self, *, is_last: bool) -> list[tuple[Payload, int]]:
        settled: list[tuple[Payload, int]] = []
        while self._held:
            first = self._held[0]
            fault = self._break_of(first)
            if fault is None:
                settled.append(self._accept(self._held.popleft()))
                continue
            if not (is_last or self._has_seen_enough(first)):
                break
            alone = self._is_alone(first)
            states = [self._state_of(name) for name in self._tracks if name != first.track]
            is_sure = fault is _Break.SURE or self._follows_torn(first)
            both_broke = "broke" in states and self._breaks_too(first)
            if both_broke or (is_sure and "stayed" not in states and not alone):
                settled += self._join()
            elif fault is _Break.MAYBE and not alone and not self._is_far_from_others(first):
                settled.append(self._accept(self._held.popleft()))  # a picture stood, or came late
            else:
                settled.append(self._accept(self._held.popleft(), mends=True, keeps=not alone))
        return settled

    def _after(self) -> list[Stamped[Payload]]:
        return list(self._held)[1:]

    def _break_of(self, item: Stamped[Payload]) -> _Break | None:
        stamp_ns = item.order_ns
        expected_ns = self._expected_ns(item.track)
        if stamp_ns is None or expected_ns is None:
            return None
        track = self._tracks.get(item.track)
        moved_ns = self._moved_ns(item)
        if abs(moved_ns - expected_ns) > MAX_LEAP_NS:
            return _Break.SURE
        if track is None:
            return _Break.MAYBE if abs(moved_ns - expected_ns) > JOIN_LEAP_NS else None
        ahead_ns = moved_ns - track.newest_ns
        to_start = stamp_ns <= track.start_ns + _MIN_PART_NS and ahead_ns <= -_MIN_PART_NS
        if ahead_ns < -_MAX_FALL_NS or to_start:
            return _Break.SURE
        if track.told_ns is not None:
            is_long = moved_ns - track.told_ns > JOIN_LEAP_NS
        else:
            is_long = self._is_joinable and ahead_ns > JOIN_LEAP_NS
        return _Break.MAYBE if is_long and not item.after_hole else None

    def _is_alone(self, first: Stamped[Payload]) -> bool:
        """Whether a packet breaks and its sense goes on as if it had not been.

        A sense's first stamps may be torn; any packet that fits what else is known tells.
        """
        mine = [i for i in self._after() if i.track == first.track and i.order_ns is not None]
        if first.track in self._tracks:
            mine = mine[:1]
        return any(self._fits(item) for item in mine)

    def _follows_torn(self, first: Stamped[Payload]) -> bool:
        """Whether a packet comes long after its track's only one, and the next soon after it."""
        track = self._tracks.get(first.track)
        following = next((i for i in self._after() if i.track == first.track), None)
        if track is None or track.told_ns is None or following is None:
            return False
        leap_ns = self._moved_ns(first) - track.told_ns
        step_ns = self._moved_ns(following) - self._moved_ns(first)
        return self._breaks_too(first) and 0 <= _STEADY * step_ns <= leap_ns

    def _fits(self, item: Stamped[Payload]) -> bool:
        """Whether a packet goes on as if the one before it had not been."""
        track = self._tracks.get(item.track)
        is_later = track is None or self._moved_ns(item) >= track.newest_ns
        return is_later and self._break_of(item) is None

    def _is_far_from_others(self, item: Stamped[Payload]) -> bool:
        """Whether a sense that goes on beside it in the file is at quite another time.

        Only where stamps may be discontinuous; elsewhere senses may lie apart in the file.
        """
        if not self._is_joinable:
            return False
        others = [
            track.newest_ns
            for name, track in self._tracks.items()
            if name != item.track and self._state_of(name) == "stayed"
        ]
        return any(self._moved_ns(item) - newest_ns > JOIN_LEAP_NS for newest_ns in others)

    def _breaks_too(self, item: Stamped[Payload]) -> bool:
        """Whether a packet breaks, or falls by less, which is enough where the other sense does.

        Where stamps are not discontinuous a leap must be longer: a picture may stand.
        """
        fault, expected_ns = self._break_of(item), self._expected_ns(item.track)
        if item.order_ns is None or expected_ns is None:
            return False
        leap_ns = self._moved_ns(item) - expected_ns
        if fault is _Break.MAYBE:
            return self._is_joinable or abs(leap_ns) > _LATE_NS
        track = self._tracks.get(item.track)
        has_fallen = track is not None and self._moved_ns(item) - track.newest_ns <= -_MIN_PART_NS
        return fault is _Break.SURE or has_fallen

    def _has_seen_enough(self, first: Stamped[Payload]) -> bool:
        if len(self._held) >= _LOOK_AHEAD:
            return True
        mine = [i.order_ns for i in self._after() if i.track == first.track]
        stamps = [abs(s - (first.order_ns or 0)) for s in mine if s is not None]
        if any(span_ns > _LOOK_AHEAD_NS for span_ns in stamps[1:]):
            return True
        states = [self._state_of(name) for name in self._tracks if name != first.track]
        n_needed = 1 if first.track in self._tracks else _WITNESSES
        return len(mine) >= n_needed and "unknown" not in states

    def _state_of(self, name: str) -> str:
        """Whether another track has broken too, stayed as it was, or has not shown it yet."""
        items = [i for i in self._held if i.track == name]
        if any(self._breaks_too(item) for item in items):
            return "broke"
        went_on = items and self._moved_ns(items[-1]) - self._tracks[name].newest_ns >= _STAYED_NS
        return "stayed" if went_on else "unknown"

    def _join(self) -> list[tuple[Payload, int]]:
        """Begin a new part with what has broken; what has not is the last part's rest."""
        settled, new, begun = [], [], set()
        for item in self._held:
            if item.track in begun or self._breaks_too(item):
                if item.track not in begun:
                    self._on_fault(item.track)
                begun.add(item.track)
                new.append(item)
            else:
                settled.append(self._accept(item))
        end_ns = self.end_ns()
        first_ns = new[0].shown_ns
        known = [item.shown_ns for item in new if item.order_ns is not None]
        starts = [s for s in known if abs(s - first_ns) <= JOIN_LEAP_NS]  # others are at fault
        begin_ns = self._origin_ns or 0 if end_ns is None else end_ns
        self._shift_ns = begin_ns - min(starts)
        self._tracks.clear()
        self._held = deque(new)
        settled.append(self._accept(self._held.popleft()))
        return settled

    def _expected_ns(self, name: str) -> int | None:
        track = self._tracks.get(name)
        if track is not None:
            return track.newest_ns + track.step_ns
        return self._origin_ns if not self._tracks else self.end_ns()

    def _moved_ns(self, item: Stamped[Payload]) -> int:
        track = self._tracks.get(item.track)
        own_ns = 0 if track is None else track.own_ns
        return (item.order_ns or 0) + self._shift_ns + own_ns

    def _accept(
        self, item: Stamped[Payload], *, mends: bool = False, keeps: bool = False
    ) -> tuple[Payload, int]:
        """Let a packet go.

        Args:
            item: The packet.
            mends: Whether it is put where it was expected.
            keeps: Whether those after it are moved likewise.
        """
        stamp_ns, track = item.order_ns, self._tracks.get(item.track)
        if stamp_ns is None:
            return item.payload, 0
        shift_ns = self._moved_ns(item) - stamp_ns
        expected_ns = self._expected_ns(item.track)
        if mends and expected_ns is not None:
            self._on_fault(item.track)
            shift_ns = expected_ns - stamp_ns
        moved_ns, shown_ns = stamp_ns + shift_ns, item.shown_ns + shift_ns
        self._origin_ns = None  # of the first stamp alone
        if track is None:
            start_ns = moved_ns - self._shift_ns if mends else stamp_ns
            track = Track(start_ns, moved_ns, 0, shown_ns, shown_ns)
            track.told_ns = shown_ns + item.length_ns
            self._tracks[item.track] = track
        else:
            track.told_ns = None
        if keeps:
            track.own_ns, track.start_ns = shift_ns - self._shift_ns, stamp_ns
        between_ns = moved_ns - track.newest_ns
        track.step_ns = between_ns if 0 < between_ns <= _S else min(item.length_ns, _S)
        track.newest_ns = moved_ns
        if shown_ns >= track.shown_ns:
            length_ns = item.length_ns if item.length_ns <= _S else track.step_ns
            track.shown_ns, track.end_ns = shown_ns, shown_ns + length_ns
        return item.payload, shift_ns
