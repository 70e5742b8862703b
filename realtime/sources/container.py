"""A file or URL in, dated pictures and sound blocks out.

Any container, codec, size and rate that FFmpeg reads: `extractors.decoding` decodes, as it does for
the files of a data set. Here is what only a source has: where it lies, when its sender is lost,
which of a live stream's sound tracks is heard. It does not pace, choose frames or resample.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from extractors.decoding.file_packets import FilePackets
from extractors.decoding.told_length import told_end_ns
from extractors.decoding.track_choice import choose_tracks, has_choice
from extractors.decoding.tracks import PICTURE, SOUND, USUAL, Streams, Tracks, tracks_read
from extractors.errors import MediaError, reason_of
from realtime.addresses import is_network
from realtime.clock import NS_PER_S
from realtime.config import MIN_READ_TIMEOUT_S
from realtime.errors import SourceError
from realtime.redaction import redacted_location
from realtime.sources.base import SourceSenses
from realtime.sources.decoded import handed_on
from realtime.sources.live_packets import LivePackets
from realtime.sources.nature import Facts
from realtime.sources.opening import import_av, open_location, open_source
from realtime.sources.playout import Stamps
from realtime.sources.sound_choice import SoundChoice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from realtime.config import SourceConfig
    from realtime.sources.decoded import DecodedPicture, DecodedSound
    from realtime.stats import Stats

logger = logging.getLogger(__name__)


class MediaContainer:
    """Reads one or both senses of a file or URL; one thread calls it.

    Args:
        location: Path or URL.
        picture: Whether the picture is wanted.
        sound: Whether the sound is wanted.
        stats: Counts `broken_packets`, `missing_picture_ms` and `missing_sound_ms`.
        live: Whether it plays by itself: no time stamps are mended, and no length is believed.
        transport: How RTSP sends; one of `config.TRANSPORTS`.
        read_timeout_s: A live sender that is silent for longer is lost.
        tracks: Which of several of each kind.

    Raises:
        SourceError: It cannot be opened, or has none of what is wanted.
    """

    def __init__(
        self,
        location: str,
        *,
        picture: bool,
        sound: bool,
        stats: Stats,
        live: bool = False,
        transport: str = "auto",
        read_timeout_s: float = MIN_READ_TIMEOUT_S,
        tracks: Tracks = USUAL,
    ) -> None:
        self._av = import_av()
        self._location, self._where = location, redacted_location(location)
        self._stats = stats
        self._live, self._is_remote = live, is_network(location)
        self._read_timeout_s = read_timeout_s
        self._opened = open_source(
            self._av, location, live=live, transport=transport, read_timeout_s=read_timeout_s
        )
        self._container = self._opened.container
        self._open = ExitStack()
        self._open.callback(self._opened.close)
        try:
            self._begin([s for s, on in ((PICTURE, picture), (SOUND, sound)) if on], tracks)
        except MediaError as error:
            self.close()
            raise SourceError(str(error)) from error
        self._form: str = self._container.format.name
        self._description = self._describe()

    def _begin(self, wanted: list[str], tracks: Tracks) -> None:
        """Find the tracks, and what reads and decodes them."""
        from extractors.decoding.decoder import Decoder

        streams = tracks_read(self._container, tracks, self._where)
        mine = {sense: stream for sense, stream in streams.items() if sense in wanted}
        if not mine:
            raise MediaError(f"{self._where} has no {' or '.join(wanted)} that can be decoded")
        self._choice: SoundChoice | None = None
        self._packets: FilePackets | LivePackets
        end_ns = 0
        if self._live:
            if SOUND in mine and tracks.audio is None:
                self._choice = SoundChoice(self._container, mine[SOUND], self._where)
            self._packets = LivePackets(self._container, mine, self._choice)
        else:
            path = None if self._is_remote else self._location
            end_ns = told_end_ns(self._container, list(streams.values()), path)
            self._packets = FilePackets(
                self._container,
                streams,
                mine,
                reopen=self._rest,
                on_fault=partial(self._count_fault, mine),
                ahead=self._opened.ahead,
            )
        self._open.callback(self._packets.close)
        self._decoder = Decoder(
            self._packets,
            self._stats,
            where=self._where,
            told_end_ns=end_ns,
            is_lost=lambda error: isinstance(error, self._losses()),
        )

    @property
    def senses(self) -> SourceSenses:
        """Which of the wanted senses are there."""
        streams = self._decoder.streams
        return SourceSenses(picture=PICTURE in streams, sound=SOUND in streams)

    @property
    def has_decoded(self) -> bool:
        """Whether a frame or a sample has come of it so far."""
        return self._decoder.has_decoded

    @property
    def has_own_time(self) -> bool:
        """Whether time stamps come from the sender; a bare JPEG stream has none."""
        return self._form not in ("mpjpeg", "mjpeg")

    @property
    def facts(self) -> Facts:
        """What tells a recording from a stream that plays by itself."""
        duration, size = self._container.duration, self._container.size
        return Facts(
            form=self._form,
            duration_ns=None if duration is None else duration * 1000,
            size=size if size > 0 else None,
            n_indexed=sum(stream.frames for stream in self._container.streams),
        )

    @property
    def form(self) -> str:
        """FFmpeg's name of the format; works after `close` too."""
        return self._form

    def put_back(self, packets: Iterable[Any]) -> None:
        """Have packets of a live stream that were read handed out again, first."""
        if isinstance(self._packets, LivePackets):
            self._packets.put_back(packets)

    def describe(self) -> str:
        """Return codecs and rates, for a status line; works after `close` too."""
        return self._description

    def _describe(self) -> str:
        parts, streams = [], self._decoder.streams
        if PICTURE in streams:
            codec, rate = streams[PICTURE].codec_context, streams[PICTURE].average_rate
            at = f" at {float(rate):.4g} fps" if rate else ""
            parts.append(f"{codec.name} {codec.width}x{codec.height}{at}")
        if SOUND in streams:
            codec = streams[SOUND].codec_context
            parts.append(f"{codec.name} {codec.sample_rate} Hz {codec.layout.name}")
        return f"{self._where}, {', '.join(parts)}"

    def read(self) -> list[DecodedPicture | DecodedSound] | None:
        """Decode the next packet.

        Returns:
            What came of it, often nothing; None at the end.

        Raises:
            SourceError: A network stream was lost.
        """
        packet = self.read_packet()
        return None if packet is None else self.decode(packet)

    def read_packet(self) -> Any | None:
        """Return the next packet of a wanted sense, broken ones left out; None at the end.

        Raises:
            SourceError: A network stream was lost.
        """
        try:
            return self._decoder.read_packet()
        except MediaError as error:
            raise SourceError(str(error)) from error
        except self._losses() as error:
            raise self._lost(error) from error
        except (self._av.error.FFmpegError, OSError, ValueError):
            self._tell_breaking_off()
            self._decoder.conclude()
            return None

    def _losses(self) -> tuple[type[Exception], ...]:
        e = self._av.error
        return e.ExitError, e.ConnectionResetError, e.BrokenPipeError

    def _lost(self, error: Exception) -> SourceError:
        if isinstance(error, self._av.error.ExitError):
            return SourceError(
                f"{self._where} sent nothing for {self._read_timeout_s:g} s; is the sender alive?"
            )
        return SourceError(f"{self._where} broke off: {reason_of(error)}")

    def stamps_of(self, packet: Any) -> Stamps | None:
        """Return a packet's times by its sender's clock; None for one that bears none."""
        shown = packet.pts if packet.pts is not None else packet.dts
        if shown is None or packet.time_base is None or not self.has_own_time:
            return None
        played = shown if packet.dts is None else min(packet.dts, shown)
        sound = self._packets.streams.get(SOUND)
        is_sound = sound is not None and packet.stream.index == sound.index
        length = packet.duration if is_sound and packet.duration else 0
        start_ns, end_ns, play_ns = (
            round(stamp * packet.time_base * NS_PER_S) for stamp in (shown, shown + length, played)
        )
        return Stamps(stream=packet.stream.index, start_ns=start_ns, end_ns=end_ns, play_ns=play_ns)

    def decode(self, packet: Any) -> list[DecodedPicture | DecodedSound]:
        """Return what comes of a packet, often nothing.

        May be called by another thread than `read_packet`, one at a time, until `close`.
        """
        is_read = any(s.index == packet.stream.index for s in self._packets.streams.values())
        if self._live and not is_read:
            with suppress(self._av.error.FFmpegError, OSError, ValueError, MemoryError):
                self._choose_by(packet, packet.decode)  # what is not heard: damage is nobody's
            return []
        decoded = self._decoder.decode(packet)
        try:
            self._choose_by(packet, lambda: [item.frame for item in decoded])
            return [handed_on(item) for item in decoded]
        except (self._av.error.FFmpegError, ValueError, MemoryError):
            self._decoder.damage.count_broken()
            return []

    def _choose_by(self, packet: Any, decode: Callable[[], list[Any]]) -> None:
        """Find out by what a sound track says whether it is the one that is heard."""
        if self._choice is None or not self._choice.has(packet):
            return
        self._choice.hear(packet.stream, decode())
        if self._choice.chosen is not self._packets.streams[SOUND]:
            self._packets.streams[SOUND] = self._choice.chosen
            self._description = self._describe()

    def choose_tracks(self, asked: Tracks) -> Tracks:
        """Return which of several tracks are read: others where the usual ones hold nothing.

        It may decode all of the file, and is used up then.
        """
        if not has_choice(self._container, asked):
            return asked
        return choose_tracks(self._container, self._where, asked)

    def close(self) -> None:
        """Close the file or connection. May be called again."""
        self._open.close()

    def _tell_breaking_off(self) -> None:
        """Warn that a recording ended too early; once where each sense has a reader."""
        is_told_elsewhere = not self.senses.picture and PICTURE in self._packets.streams
        if self._is_remote and not self._live and not is_told_elsewhere:
            missing_s = self._decoder.missing_s
            missing = f"{missing_s:.1f} s" if missing_s else "some"
            logger.warning("%s: broke off, the last %s of it were not sent", self._where, missing)

    def _rest(self, from_byte: int) -> Any:
        """Open what lies after a byte of the file; None where nothing can be read there."""
        try:
            return open_location(
                self._av, self._location, live=False, file=self._opened.file, from_byte=from_byte
            )
        except SourceError:
            return None

    def _count_fault(self, mine: Streams, sense: str) -> None:
        if sense in mine:  # else it is the other sense's reader that counts it
            self._stats.count("broken_time_stamps")


def asked_tracks(config: SourceConfig) -> Tracks:
    """Return which of several tracks a source's settings ask for."""
    return Tracks(audio=config.audio_track, video=config.video_track)
