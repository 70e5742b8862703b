"""The packets of a stream that plays by itself, as they come: nothing is held back or mended."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from extractors.decoding.tracks import Streams
    from realtime.sources.sound_choice import SoundChoice


class LivePackets:
    """Hands out packets; one thread calls it. It is `extractors.decoding.packets.Packets`.

    Args:
        container: The open stream, PyAV's.
        streams: The stream of each sense that is read; the sound's may be exchanged.
        choice: Names the sound tracks whose packets are handed out too, as long as it is open
            which is heard; None where it is not.
    """

    is_live = True
    part = 0
    after_hole = False

    def __init__(self, container: Any, streams: Streams, choice: SoundChoice | None = None) -> None:
        self.container = container
        self.streams = streams
        self.wanted = tuple(streams)
        self._choice = choice
        self._ahead: deque[Any] = deque()
        self._packets = self._demux()

    def put_back(self, packets: Iterable[Any]) -> None:
        """Have packets that were read handed out again, first."""
        self._ahead.extend(packets)

    def read(self) -> tuple[str, Any] | None:
        """Return a sense, "" for a track that is not heard, and its next packet; None at the end.

        Raises:
            av.FFmpegError, OSError, ValueError: A packet cannot be read; the next call goes on.
        """
        while True:
            try:
                packet = self._ahead.popleft() if self._ahead else next(self._packets, None)
            except IndexError:  # PyAV flushes streams at the end that it has not
                return None
            except Exception:
                self._packets = self._demux()
                raise
            if packet is None:
                return None
            index = packet.stream.index
            senses = (sense for sense, stream in self.streams.items() if stream.index == index)
            sense = next(senses, None)
            if sense is not None or any(stream.index == index for stream in self._others()):
                return sense or "", packet

    def gave_something(self) -> None:
        """Take note of nothing: no other codec follows."""

    def gave_nothing(self) -> None:
        """Likewise."""

    def end_ns(self, sense: str | None = None) -> int | None:
        """Return None: no length is believed."""

    def close(self) -> None:
        """Close the connection. May be called again."""
        self._packets = iter(())
        self.container.close()

    def _others(self) -> list[Any]:
        return [] if self._choice is None else self._choice.streams

    def _demux(self) -> Iterator[Any]:
        every = {s.index: s for s in (*self.streams.values(), *self._others())}
        packets: Iterator[Any] = self.container.demux(*every.values())
        return packets
