"""A packet's stamps, and what a clock knows of a sense; see `extractors.decoding.one_clock`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, TypeVar

_S: Final = 1_000_000_000
MAX_LEAP_NS: Final = 1800 * _S  # no picture stands for half an hour: such a time stamp is broken
JOIN_LEAP_NS: Final = 10 * _S  # of both senses at once; ffmpeg's -dts_delta_threshold

Payload = TypeVar("Payload")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamped(Generic[Payload]):
    """A packet's stamps in ns, decoding and presentation; None where it bears none."""

    track: str
    payload: Payload
    dts_ns: int | None
    pts_ns: int | None
    length_ns: int
    after_hole: bool = False  # bytes of the file lie before it that were in no packet

    @property
    def order_ns(self) -> int | None:
        """The stamp that only grows."""
        return self.pts_ns if self.dts_ns is None else self.dts_ns

    @property
    def shown_ns(self) -> int:
        """When it shows."""
        return (self.order_ns or 0) if self.pts_ns is None else self.pts_ns


@dataclass(slots=True)
class Track:
    """What is known of a sense; times in ns."""

    start_ns: int  # the file's own stamp with which the part began
    newest_ns: int  # the newest packet, as moved
    step_ns: int  # to the next one; containers tell lengths of frames wrongly
    shown_ns: int  # the latest that was shown, as moved
    end_ns: int  # where that ends
    own_ns: int = 0  # moved by itself
    told_ns: int | None = None  # of a track's only packet: until when it says that it shows


@dataclass(frozen=True, slots=True)
class Place:
    """How far a clock had come; see `OneClock.place`."""

    shift_ns: int
    origin_ns: int | None
    tracks: tuple[tuple[str, Track], ...]
