"""What a packet says of itself: stamps, their unit, and those that FFmpeg made up."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from extractors.decoding.stamped import JOIN_LEAP_NS, MAX_LEAP_NS

CHANGING: Final = ("mpegts", "mpeg")  # formats in which streams come and go
NS_PER_S: Final = 1_000_000_000


def base_of(packet: Any) -> Fraction:
    """Returns the unit of a packet's stamps in seconds, exact."""
    return Fraction(packet.time_base or packet.stream.time_base or Fraction(1, 1000))


def order_of(packet: Any) -> int | None:
    """Returns the stamp that only grows, in its unit; None for a packet that bears none."""
    stamp: int | None = packet.pts if packet.dts is None else packet.dts
    return stamp


def order_s(packet: Any) -> float | None:
    """Returns the stamp that only grows, in seconds."""
    stamp = order_of(packet)
    return None if stamp is None else float(stamp * base_of(packet))


def is_reordered(packet: Any) -> bool:
    """Tells whether a packet's stream shows its pictures in another order than they come."""
    codec = packet.stream.codec_context
    return bool(getattr(codec, "has_b_frames", False))


def correct_delay(packet: Any, is_made_up: bool) -> None:
    """Undoes a decoding time that FFmpeg made up from the part before, or a torn presentation time.

    A picture that stands delays the next by as much.
    """
    if packet.pts is None or packet.dts is None:
        return
    delay_ns = (packet.pts - packet.dts) * base_of(packet) * NS_PER_S
    if is_made_up and not 0 <= delay_ns <= JOIN_LEAP_NS:
        packet.dts = packet.pts
    elif abs(delay_ns) > MAX_LEAP_NS:
        packet.pts = packet.dts


def move(packet: Any, shift_ns: int) -> None:
    """Moves both stamps."""
    ticks = round(Fraction(shift_ns, NS_PER_S) / base_of(packet)) if shift_ns else 0
    if ticks and packet.pts is not None:
        packet.pts += ticks
    if ticks and packet.dts is not None:
        packet.dts += ticks
