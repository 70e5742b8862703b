"""What a decoder reads from."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol

from extractors.decoding.tracks import Streams


class Packets(Protocol):
    """What hands packets out: `FilePackets` of a file, something simpler of a live stream."""

    @property
    def is_live(self) -> bool:
        """Whether it plays by itself: nothing that comes later explains what came."""
        ...

    @property
    def container(self) -> Any:
        """PyAV's container that is read now."""
        ...

    @property
    def streams(self) -> Streams:
        """The streams that are read now, and maybe those of the other sense."""
        ...

    @property
    def wanted(self) -> Collection[str]:
        """The senses whose packets are handed out."""
        ...

    @property
    def part(self) -> int:
        """Number of the part of which the newest packet is."""
        ...

    @property
    def after_hole(self) -> bool:
        """Whether bytes before the newest packet were in none."""
        ...

    def read(self) -> tuple[str, Any] | None:
        """Return a sense and its next packet; None at the end. An error is one packet's."""
        ...

    def gave_something(self) -> None:
        """Take note that the newest packet could be decoded."""
        ...

    def gave_nothing(self) -> None:
        """Take note that it could not."""
        ...

    def end_ns(self, sense: str | None = None) -> int | None:
        """Return where the packets of a sense, or of both, end so far."""
        ...

    def close(self) -> None:
        """Close what is open. May be called again."""
        ...
