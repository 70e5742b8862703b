"""How much of what is read is broken, and how much time is missing for it.

A packet that gives nothing may be another codec's, and one that looks damaged near a join may be
whole: what is not sure yet is counted once it is.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final, Protocol

from extractors.decoding.packet_times import NS_PER_S

TROUBLE_FRAMES: Final = 64  # a hole is damage's if it comes so soon after a broken packet
_HOLE_S: Final = Fraction(3, 10)  # bytes between packets that cost less time are somebody else's
_SUSPECT_PACKETS: Final = 4  # so near to a join a damaged packet may be whole
_MAX_HOLE_S: Final = 1800  # a leap that is longer is a torn stamp
_NS_PER_MS: Final = 1_000_000


class Counts(Protocol):
    """What counts: `broken_packets`, `broken_time_stamps`, `missing_{picture,sound}_ms`."""

    def count(self, name: str, n: int = 1) -> None:
        """Add to a count."""
        ...


class DamageAccount:
    """One reader's account of what it reads; the thread that decodes calls it.

    Args:
        counts: Where it goes.
        is_live: Whether nothing follows that could explain a packet: it counts at once.
    """

    def __init__(self, counts: Counts, *, is_live: bool) -> None:
        self._counts = counts
        self._is_live = is_live
        self._n_unexplained = 0  # packets that gave nothing: damage, unless another codec follows
        self._n_trouble_frames = 0  # so many more may be missing for a broken packet
        self._n_hole_frames = 0  # likewise for bytes that were passed over
        self._part = 0  # of a joined file
        self._suspects: list[int] = []  # packets that may be damaged; counted after so many more

    def count_broken(self, n_packets: int = 1) -> None:
        """Count what could not be read or decoded."""
        if n_packets:
            self._counts.count("broken_packets", n_packets)
            self._n_trouble_frames = TROUBLE_FRAMES

    def gave_nothing(self) -> None:
        """Take note of a packet that could not be decoded."""
        self._n_unexplained += 1
        if self._is_live:
            self.explain()

    def explain(self) -> None:
        """Count what gave nothing so far as damage: the same decoder goes on, or nothing does."""
        self.count_broken(self._n_unexplained)
        self._n_unexplained = 0

    def begin_part(self) -> None:
        """Take what gave nothing so far for the packets of the codec that begins."""
        self._n_unexplained = 0

    def note_packet(self, *, is_suspect: bool, part: int, after_hole: bool) -> None:
        """Take note of a packet that was decoded.

        Args:
            is_suspect: Parts of it were lost on the way, as a transport stream's numbers tell. At a
                join they begin anew, and one of the last packets before it looks like that.
            part: Of a joined file.
            after_hole: Whether bytes before it were in no packet.
        """
        if after_hole:
            self._n_hole_frames = TROUBLE_FRAMES
        if self._is_live:
            self.count_broken(int(is_suspect))
            return
        if part != self._part:
            self._part = part
            self._suspects.clear()
        self._suspects = [n_left - 1 for n_left in self._suspects]
        self.count_broken(sum(n_left == 0 for n_left in self._suspects))
        self._suspects = [n_left for n_left in self._suspects if n_left]
        if is_suspect:
            self._suspects.append(_SUSPECT_PACKETS)

    def note_frame(self, sense: str, hole_s: Fraction, length_s: Fraction) -> None:
        """Take note of a frame or block, and of the time between its predecessor's end and it."""
        if self._n_hole_frames and hole_s > _HOLE_S:
            self.count_broken()  # bytes and time are gone, whoever passed over them
        if self._n_trouble_frames and length_s / 2 < hole_s <= _MAX_HOLE_S:
            self.count_missing(sense, hole_s)
        self._n_trouble_frames = max(0, self._n_trouble_frames - 1)
        self._n_hole_frames = max(0, self._n_hole_frames - 1)

    def conclude(self) -> bool:
        """Count what nothing explained; return whether the end may be missing for damage."""
        self.explain()
        self.count_broken(len(self._suspects))
        return self._n_trouble_frames > 0

    def count_missing(self, sense: str, missing_s: Fraction) -> None:
        """Count time that is missing of a sense."""
        missing_ns = round(missing_s * NS_PER_S)
        if missing_ns >= _NS_PER_MS:
            self._counts.count(f"missing_{sense}_ms", missing_ns // _NS_PER_MS)
