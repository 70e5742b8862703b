"""The one file that imports PyAV: a file or URL in, dated pictures and sound blocks out.

Any container, codec, size and rate that FFmpeg reads. A packet that cannot be decoded is counted
and skipped, and how much time is missing for it is counted too; a container that goes on failing
is taken for ended. A file's time stamps that begin anew, or cannot be meant, are mended before
they come here (`extractors.one_clock`). It does not pace, choose frames or resample. Attached cover
art is no picture; display matrices are obeyed.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from extractors.file_packets import PICTURE, SOUND, FilePackets, streams_of
from extractors.one_clock import MAX_LEAP_NS
from extractors.orientation import upright
from extractors.picture_limit import DECODER_LIMIT, MAX_PICTURE_PIXELS
from extractors.tracks import (
    USUAL,
    Kind,
    Tracks,
    choose_tracks,
    has_choice,
    track_numbered,
    usual_track,
)
from realtime.addresses import is_network
from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.config import MIN_READ_TIMEOUT_S
from realtime.errors import LibraryMissing, SourceError
from realtime.redaction import redacted_location
from realtime.sources.audio_intake import MAX_RATE, MIN_RATE
from realtime.sources.base import SourceSenses
from realtime.sources.nature import Facts, Nature, nature_by_pace, nature_of
from realtime.sources.opening import open_location, reason_of, spool
from realtime.sources.playout import Stamps
from realtime.sources.sound_choice import SoundChoice
from realtime.sources.told_length import told_end_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from realtime.clock import Clock
    from realtime.config import SourceConfig
    from realtime.stats import Stats

logger = logging.getLogger(__name__)

MAX_FAILED_READS_IN_A_ROW = 10  # where not even a packet is found; after that it counts as ended
LEAST_STEP = 1 << 14  # bytes that a failed read passes over: a file of zeros is read to its end
TROUBLE_FRAMES = 64  # a hole is damage's if it comes so soon after a broken packet
HOLE_NS = 300 * NS_PER_MS  # bytes between packets that cost less time are somebody else's
SUSPECT_PACKETS = 4  # so near to a join a damaged packet may be whole
CUT_SHORT_NS = NS_PER_S  # a length is told roughly: less than this is no recording cut short
DEFAULT_FRAME_RATE = 25  # where neither time stamps nor a rate are given
_FULL_SCALE = {"u8": 2.0**7, "s16": 2.0**15, "s32": 2.0**31, "s64": 2.0**63}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecodedPicture:
    """A frame: presentation time and length in ns, and what makes RGB uint8 `(H, W, 3)` of it."""

    media_ns: int
    render: Callable[[], NDArray[np.uint8]]
    length_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecodedSound:
    """A block, float32 `(n, channels)`; its first sample's presentation time in ns."""

    media_ns: int
    samples: NDArray[np.float32]
    sample_rate: int

    @property
    def end_ns(self) -> int:
        """Exclusive end, presentation time."""
        return self.media_ns + len(self.samples) * NS_PER_S // self.sample_rate


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

    Attributes:
        has_decoded: Whether a frame or a sample has come of it so far.
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
        self._av = _import_av()
        self._rgb = _rgb_options(self._av.__version__)
        self._where = redacted_location(location)
        self._stats = stats
        self._live = live
        self._read_timeout_s = read_timeout_s
        self._spooled: IO[bytes] | None = None
        self._file: FilePackets | None = None
        self._container = open_location(
            self._av, location, live=live, transport=transport, read_timeout_s=read_timeout_s
        )
        self._ahead: deque[Any] = deque()  # packets read while it was found out what this is
        self._is_remote = is_network(location)
        if self._is_remote and not live:
            self._make_readable(location)
        self._video: Any = self._find("video", tracks.video) if picture else None
        self._audio: Any = self._find("audio", tracks.audio) if sound else None
        if self._video is None and self._audio is None:
            self.close()
            wanted = " or ".join(w for w, on in (("picture", picture), ("sound", sound)) if on)
            raise SourceError(f"{self._where} has no {wanted} that can be decoded")
        self._choice: SoundChoice | None = None
        if self._audio is not None:
            self._limit_rate()
            if live and tracks.audio is None:
                self._choice = SoundChoice(self._container, self._audio, self._where)
        if self._video is not None:
            self._limit_pictures()
            # Frame threads hold several frames back.
            self._video.thread_type = "SLICE" if live else "AUTO"
        if not live:
            self._file = self._on_one_clock(location)
        self._packets: Iterator[Any] = iter(()) if self._file else self._demux()
        self._size = 0 if live else max(0, self._container.size)
        self._n_failed_in_a_row = 0
        self._n_unexplained = 0  # packets that gave nothing: damage, unless another codec follows
        self._n_trouble_frames = 0  # so many more may be missing for a broken packet
        self._n_hole_frames = 0  # likewise for bytes that were passed over
        self._part = 0  # of a joined file
        self._suspects: list[int] = []  # packets that may be damaged; counted after so many more
        self._has_concluded = False
        self.has_decoded = False
        self._next_ns: dict[str, int] = {}  # where a sense's next frame or block is expected
        self._stamps = _Stamps()
        self._form: str = self._container.format.name
        path = None if self._is_remote else location
        self._told_end_ns = 0 if live else told_end_ns(self._container, path)
        self._description = self._describe()

    @property
    def senses(self) -> SourceSenses:
        """Which of the wanted senses are there."""
        return SourceSenses(picture=self._video is not None, sound=self._audio is not None)

    @property
    def has_own_time(self) -> bool:
        """Whether time stamps come from the sender; a bare JPEG stream has none."""
        return self._container.format.name not in ("mpjpeg", "mjpeg")

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
    def missing_s(self) -> float:
        """How much of a recording was not sent, by its own account; 0 where it gives none."""
        came_ns = 0 if self._file is None else self._file.end_ns() or 0
        return max(0.0, (self._told_end_ns - came_ns) / NS_PER_S)

    @property
    def form(self) -> str:
        """FFmpeg's name of the format; works after `close` too."""
        return self._form

    def find_out(self, clock: Clock, began_ns: int) -> Nature:
        """Say what it is; where nothing tells, read on for a moment. Nothing read is lost.

        Args:
            clock: The run's clock.
            began_ns: When its opening began.

        Raises:
            SourceError: It was lost meanwhile.
        """
        nature, first_ns, newest_ns = nature_of(self.facts), None, 0
        kept: list[Any] = []
        while nature is Nature.UNTOLD:
            packet = self.read_packet()
            if packet is not None:
                kept.append(packet)
                stamp = packet.pts if packet.pts is not None else packet.dts
                if stamp is not None and packet.time_base is not None:
                    stamp_ns = round(stamp * packet.time_base * NS_PER_S)
                    first_ns = stamp_ns if first_ns is None else min(first_ns, stamp_ns)
                    newest_ns = max(newest_ns, stamp_ns)
            nature = nature_by_pace(
                self._form,
                0 if first_ns is None else newest_ns - first_ns,
                clock.now_ns() - began_ns,
                sum(bool(packet.size) for packet in kept),
                has_ended=packet is None,
            )
        self._ahead.extend(kept)
        return nature

    def describe(self) -> str:
        """Return codecs and rates, for a status line; works after `close` too."""
        return self._description

    def _describe(self) -> str:
        parts = []
        if self._video is not None:
            codec = self._video.codec_context
            rate = self._video.average_rate
            at = f" at {float(rate):.4g} fps" if rate else ""
            parts.append(f"{codec.name} {codec.width}x{codec.height}{at}")
        if self._audio is not None:
            codec = self._audio.codec_context
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
        error_types = self._av.error
        while True:
            try:
                packet = self._next_packet()
            except (StopIteration, error_types.EOFError):
                self._conclude()
                return None
            except error_types.ExitError as error:
                raise SourceError(
                    f"{self._where} sent nothing for {self._read_timeout_s:g} s; "
                    "is the sender alive?"
                ) from error
            except (error_types.ConnectionResetError, error_types.BrokenPipeError) as error:
                raise SourceError(f"{self._where} broke off: {reason_of(error)}") from error
            except (error_types.FFmpegError, OSError, ValueError):
                if self._file is None:
                    self._packets = self._demux()
                self._n_failed_in_a_row += 1
                self._count_broken(1)
                if self._n_failed_in_a_row > self._most_failed_reads():
                    self._tell_breaking_off()
                    self._conclude()
                    return None
            else:
                self._n_failed_in_a_row = 0
                if self._file is not None or self._is_wanted(packet):
                    return packet

    def _next_packet(self) -> Any:
        if self._file is None:
            try:
                return self._ahead.popleft() if self._ahead else next(self._packets)
            except IndexError as error:  # PyAV flushes streams at the end that it has not
                raise StopIteration from error
        read = self._file.read()
        if read is None:
            raise StopIteration
        if any(
            found is not None and found is not self._file.streams[sense]
            for sense, found in ((PICTURE, self._video), (SOUND, self._audio))
        ):
            self._go_on_with(self._file)
        return read[1]

    def stamps_of(self, packet: Any) -> Stamps | None:
        """Return a packet's times by its sender's clock; None for one that bears none."""
        shown = packet.pts if packet.pts is not None else packet.dts
        if shown is None or packet.time_base is None or not self.has_own_time:
            return None
        played = shown if packet.dts is None else min(packet.dts, shown)
        is_sound = self._audio is not None and packet.stream.index == self._audio.index
        length = packet.duration if is_sound and packet.duration else 0
        start_ns, end_ns, play_ns = (
            round(stamp * packet.time_base * NS_PER_S) for stamp in (shown, shown + length, played)
        )
        return Stamps(stream=packet.stream.index, start_ns=start_ns, end_ns=end_ns, play_ns=play_ns)

    def decode(self, packet: Any) -> list[DecodedPicture | DecodedSound]:
        """Return what comes of a packet, often nothing.

        May be called by another thread than `read_packet`, one at a time, until `close`.
        """
        if self._live and not self._is_heard_or_seen(packet):
            self._listen_to(packet)
            return []
        error_types = self._av.error
        try:
            frames = packet.decode()
        except error_types.EOFError:
            return []
        except (error_types.FFmpegError, OSError, ValueError, MemoryError):
            # Who comes late to a stream misses its start.
            if self.has_decoded or (packet.is_keyframe and not self._live):
                self._n_unexplained += 1
            if self._file is not None:
                self._file.gave_nothing()
            else:
                self._explain()
            return []
        if frames:
            self._explain()
            if self._file is not None:
                self._file.gave_something()
        self._note_corrupt(packet)
        if self._file is not None and self._file.after_hole:
            self._n_hole_frames = TROUBLE_FRAMES
        decoded: list[DecodedPicture | DecodedSound]
        # By its class: in a joined file a stream's number and kind may change.
        if frames and isinstance(frames[0], self._av.VideoFrame):
            decoded = [self._picture(frame) for frame in frames]
        else:
            try:
                self._choose_by(packet, frames)
                decoded = self._sounds(frames)
            except (error_types.FFmpegError, ValueError, MemoryError):
                self._count_broken(1)
                decoded = []
        self.has_decoded = self.has_decoded or bool(decoded)
        return decoded

    def _is_heard_or_seen(self, packet: Any) -> bool:
        return any(s.index == packet.stream.index for s in self._read_streams())

    def _listen_to(self, packet: Any) -> None:
        """Decode a packet of a sound track that is not heard, to find out whether it is silent."""
        if self._choice is not None and self._choice.has(packet):
            try:
                self._choose_by(packet, packet.decode())
            except (self._av.error.FFmpegError, OSError, ValueError, MemoryError):
                return  # its damage is nobody's

    def _choose_by(self, packet: Any, frames: list[Any]) -> None:
        if self._choice is None or not self._choice.has(packet):
            return
        self._choice.hear(packet.stream, frames)
        if self._choice.chosen is not self._audio:
            self._audio = self._choice.chosen
            self._description = self._describe()

    def choose_tracks(self, asked: Tracks) -> Tracks:
        """Return which of several tracks are read: others where the usual ones hold nothing.

        It may decode all of the file, and is used up then.
        """
        if not has_choice(self._container, asked):
            return asked
        self._packets = iter(())
        return choose_tracks(self._container, self._where, asked)

    def close(self) -> None:
        """Close the file or connection. May be called again."""
        self._packets = iter(())
        if self._file is not None:
            self._file.close()
        self._container.close()
        if self._spooled is not None:
            self._spooled.close()

    def _make_readable(self, location: str) -> None:
        """Read a recording's first packet; where its server hands out no parts, copy it first."""
        self._ahead.extend(self._first_packet())
        if not self._ahead and location.startswith(("http://", "https://", "ftp://")):
            self._container.close()
            self._spooled = spool(self._av, location)
            self._container = open_location(self._av, location, live=False, file=self._spooled)

    def _first_packet(self) -> list[Any]:
        error_types = self._av.error
        try:
            packet = next(self._container.demux(), None)
        except (error_types.FFmpegError, OSError, ValueError, IndexError):
            return []
        is_end = packet is None or (packet.dts is None and not packet.size)
        return [] if is_end else [packet]

    def _find(self, kind: Kind, number: int | None) -> Any:
        """Return the track of a sense, the one that was asked for or the usual one."""
        try:
            if number is not None:
                return track_numbered(self._container, kind, number)
        except ValueError as error:
            self.close()
            raise SourceError(f"{self._where} {error}") from error
        return usual_track(self._container, kind)

    def _limit_pictures(self) -> None:
        """Refuse pictures that are too large, at once and where the size changes on the way."""
        codec = self._video.codec_context
        if codec.width * codec.height > MAX_PICTURE_PIXELS:
            self.close()
            raise SourceError(
                f"{self._where} has pictures of {codec.width}x{codec.height}; up to 8K "
                "(7680x4320) is read, so convert it to a smaller size"
            )
        codec.options = dict(DECODER_LIMIT)  # a larger one counts as broken

    def _limit_rate(self) -> None:
        """Refuse sound that nobody could have meant; a rate that is not known yet may pass."""
        rate = self._audio.codec_context.sample_rate
        if rate and not MIN_RATE <= rate <= MAX_RATE:
            self.close()
            raise SourceError(
                f"{self._where} has sound at {rate} Hz; rates from {MIN_RATE} to {MAX_RATE} Hz "
                "are read, so convert it to 16000 Hz"
            )

    def _demux(self) -> Iterator[Any]:
        packets: Iterator[Any] = self._container.demux(*self._wanted())
        return packets

    def _tell_breaking_off(self) -> None:
        """Warn that a recording ended too early; once where each sense has a reader."""
        is_told_elsewhere = self._video is None and bool(self._container.streams.video)
        if self._is_remote and not self._live and not is_told_elsewhere:
            missing = f"{self.missing_s:.1f} s" if self.missing_s else "some"
            logger.warning("%s: broke off, the last %s of it were not sent", self._where, missing)

    def _is_wanted(self, packet: Any) -> bool:
        return any(s is not None and s.index == packet.stream.index for s in self._wanted())

    def _wanted(self) -> list[Any]:
        read = self._read_streams()
        others = [] if self._choice is None else self._choice.streams
        return read + [s for s in others if all(s.index != r.index for r in read)]

    def _read_streams(self) -> list[Any]:
        return [stream for stream in (self._video, self._audio) if stream is not None]

    def _on_one_clock(self, location: str) -> FilePackets:
        wanted = {PICTURE: self._video, SOUND: self._audio}
        mine = {sense: stream for sense, stream in wanted.items() if stream is not None}
        return FilePackets(
            self._container,
            {**streams_of(self._container), **mine},  # the other sense's stamps tell joins
            mine,
            reopen=partial(self._rest, location),
            on_fault=lambda sense: self._count_fault(wanted[sense] is not None),
            ahead=self._ahead,
        )

    def _rest(self, location: str, from_byte: int) -> Any:
        """Open what lies after a byte of the file; None where nothing can be read there."""
        try:
            return open_location(
                self._av, location, live=False, file=self._spooled, from_byte=from_byte
            )
        except SourceError:
            return None

    def _go_on_with(self, file: FilePackets) -> None:
        """Read on in the file's next part, whose streams and decoders are others."""
        self._container = file.container
        self._n_unexplained = 0  # they were the new codec's
        if self._video is not None:
            self._video = file.streams[PICTURE]
            if not self._video.codec_context.is_open:
                self._limit_pictures()
                self._video.thread_type = "AUTO"
        if self._audio is not None:
            self._audio = file.streams[SOUND]
            self._limit_rate()

    def _most_failed_reads(self) -> int:
        """So many reads may fail in a row: as many as a file of zeros of its size needs."""
        return MAX_FAILED_READS_IN_A_ROW + self._size // LEAST_STEP

    def _count_fault(self, is_mine: bool) -> None:
        if is_mine:  # else it is the other sense's reader that counts it
            self._stats.count("broken_time_stamps")

    def _count_broken(self, n_packets: int) -> None:
        if n_packets:
            self._stats.count("broken_packets", n_packets)
            self._n_trouble_frames = TROUBLE_FRAMES

    def _note_corrupt(self, packet: Any) -> None:
        """Count packets of which parts were lost on the way, as a transport stream's numbers tell.

        At a join the numbers begin anew, and one of the last packets before it looks like that.
        """
        is_suspect = packet.is_corrupt and self.has_decoded
        if self._file is None:
            self._count_broken(int(is_suspect))
            return
        if self._file.part != self._part:
            self._part = self._file.part
            self._suspects.clear()
        self._suspects = [n_left - 1 for n_left in self._suspects]
        self._count_broken(sum(n_left == 0 for n_left in self._suspects))
        self._suspects = [n_left for n_left in self._suspects if n_left]
        if is_suspect:
            self._suspects.append(SUSPECT_PACKETS)

    def _explain(self) -> None:
        """Count what gave nothing so far as damage: the same decoder goes on, or nothing does."""
        self._count_broken(self._n_unexplained)
        self._n_unexplained = 0

    def _conclude(self) -> None:
        """Count what is missing at a file's end: undecodable, or cut off by its own account."""
        if self._file is None or self._has_concluded:
            return
        self._has_concluded = True
        self._explain()
        self._count_broken(len(self._suspects))
        cut_ns = round(self.missing_s * NS_PER_S)
        for sense, stream in ((PICTURE, self._video), (SOUND, self._audio)):
            if stream is None or sense not in self._next_ns:
                continue
            missing_ns = cut_ns if cut_ns > CUT_SHORT_NS else 0
            if self._n_trouble_frames:
                missing_ns += max(0, (self._file.end_ns(sense) or 0) - self._next_ns[sense])
            self._count_missing(sense, missing_ns)

    def _count_missing(self, sense: str, missing_ns: int) -> None:
        if missing_ns >= NS_PER_MS:
            self._stats.count(f"missing_{sense}_ms", missing_ns // NS_PER_MS)

    def _picture(self, frame: Any) -> DecodedPicture:
        base = frame.time_base or self._video.time_base
        length_ns = round(frame.duration * base * NS_PER_S) if frame.duration and base else 0
        if not 0 < length_ns <= MAX_LEAP_NS:  # not told, or not meant
            length_ns = round(NS_PER_S / (self._video.average_rate or DEFAULT_FRAME_RATE))
        stamp = self._stamps.choose(frame.pts, frame.dts)
        media_ns = self._time_ns(frame, stamp, PICTURE, length_ns)
        render = partial(_to_rgb, frame, self._rgb)
        return DecodedPicture(media_ns=media_ns, render=render, length_ns=length_ns)

    def _sounds(self, frames: list[Any]) -> list[DecodedPicture | DecodedSound]:
        sounds: list[DecodedPicture | DecodedSound] = []
        for frame in frames:
            if not MIN_RATE <= frame.sample_rate <= MAX_RATE:  # a damaged header midway
                self._count_broken(1)
            elif frame.samples:
                sounds.append(self._sound(frame))
        return sounds

    def _sound(self, frame: Any) -> DecodedSound:
        length_ns = frame.samples * NS_PER_S // frame.sample_rate
        media_ns = self._time_ns(frame, frame.pts, SOUND, length_ns)
        return DecodedSound(
            media_ns=media_ns, samples=_to_float(frame), sample_rate=frame.sample_rate
        )

    def _time_ns(self, frame: Any, stamp: int | None, sense: str, length_ns: int) -> int:
        """Return the frame's time, or where its predecessor ended if it bears none."""
        stream = self._video if sense == PICTURE else self._audio
        base = frame.time_base or stream.time_base
        expected_ns = self._next_ns.get(sense)
        media_ns: int = expected_ns or 0
        if stamp is not None and base is not None:
            media_ns = round(stamp * base * NS_PER_S)
        hole_ns = 0 if expected_ns is None else media_ns - expected_ns
        if self._n_hole_frames and hole_ns > HOLE_NS:
            self._count_broken(1)  # bytes and time are gone, whoever passed over them
        if self._n_trouble_frames and length_ns // 2 < hole_ns <= MAX_LEAP_NS:
            self._count_missing(sense, hole_ns)
        self._n_trouble_frames = max(0, self._n_trouble_frames - 1)
        self._n_hole_frames = max(0, self._n_hole_frames - 1)
        self._next_ns[sense] = media_ns + length_ns
        return media_ns


class _Stamps:
    """Which of a frame's two time stamps to trust: the kind that went back less often so far.

    FFmpeg's rule for its "best effort" stamp (libavcodec/decode.c, guess_correct_pts), which PyAV
    does not hand out. AVI with B-frames needs it: 54 of other_makeup.avi's 164 frames go back.
    """

    def __init__(self) -> None:
        self._n_faulty_pts = self._n_faulty_dts = 0
        self._last_pts: int | None = None
        self._last_dts: int | None = None

    def choose(self, pts: int | None, dts: int | None) -> int | None:
        if dts is not None:
            self._n_faulty_dts += self._last_dts is not None and dts <= self._last_dts
            self._last_dts = dts
        if pts is not None:
            self._n_faulty_pts += self._last_pts is not None and pts <= self._last_pts
            self._last_pts = pts
        if pts is not None and (dts is None or self._n_faulty_pts <= self._n_faulty_dts):
            return pts
        return dts


def _import_av() -> Any:
    try:
        import av
        import av.error
    except ImportError as error:
        raise LibraryMissing(
            f"files and streams need the package av (PyAV), which cannot be loaded: {error}; "
            "run `pip install av`"
        ) from error
    av.logging.set_level(None)  # a broken packet is counted, not printed
    return av


def asked_tracks(config: SourceConfig) -> Tracks:
    """Return which of several tracks a source's settings ask for."""
    return Tracks(audio=config.audio_track, video=config.video_track)


def nothing_decoded(location: str, form: str = "") -> SourceError:
    """Return what is said of a file or stream that opened and gave nothing.

    Args:
        location: Path or URL.
        form: FFmpeg's name of its format, where it explains something.
    """
    if form == "webp_pipe":
        return SourceError(
            f"{redacted_location(location)} is an animated or damaged WebP, which cannot be "
            "decoded; convert it to MP4 or GIF"
        )
    return SourceError(
        f"{redacted_location(location)} was opened, but not one picture or sound in it could be "
        "decoded; check that it is whole, that a player plays it, and that its pictures are not "
        "larger than 8K (7680x4320)"
    )


def _rgb_options(version: str) -> dict[str, Any]:
    """Return how PyAV converts colours: in the capture thread alone, as before PyAV 17.

    Its threads would wait for cores that the trunks have: a file took 0.071 of its time with them
    and takes 0.066 without (the starter, two cores).
    """
    options: dict[str, Any] = {"format": "rgb24"}
    if int(version.partition(".")[0]) >= 17:
        options["threads"] = 1
    return options


def _to_rgb(frame: Any, options: dict[str, Any]) -> NDArray[np.uint8]:
    try:
        image: NDArray[np.uint8] = frame.to_ndarray(**options)
    except (OSError, ValueError, MemoryError, RuntimeError) as error:  # any FFmpegError is one
        raise SourceError(
            f"a picture of {frame.width}x{frame.height} in {frame.format.name} cannot be "
            f"converted: {reason_of(error)}; convert the file to H.264 in yuv420p"
        ) from error
    return upright(image, frame)


def _to_float(frame: Any) -> NDArray[np.float32]:
    """Return float32 `(n, channels)` of any of FFmpeg's sample formats."""
    values: NDArray[Any] = frame.to_ndarray()
    n_channels = frame.layout.nb_channels
    by_sample = values.T if frame.format.is_planar else values.reshape(-1, n_channels)
    kind = frame.format.packed.name if frame.format.is_planar else frame.format.name
    scale = _FULL_SCALE.get(kind)
    if scale is None:  # flt, dbl
        return np.ascontiguousarray(by_sample, dtype=np.float32)
    centre = scale if kind == "u8" else 0.0
    floats: NDArray[np.float32] = ((by_sample.astype(np.float64) - centre) / scale).astype(
        np.float32
    )
    return floats
