"""Packets to frames of pictures and blocks of sound, each with its time, exact.

A packet that cannot be decoded is counted and skipped, and how much time is missing for it is
counted too; who goes on failing is given up. Time stamps that begin anew, or cannot be meant, are
mended before they come here (`extractors.decoding.one_clock`). Attached cover art is no picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import av

from extractors.decoding.damage import Counts, DamageAccount
from extractors.decoding.limits import DECODER_LIMIT, MAX_PICTURE_PIXELS, MAX_RATE, MIN_RATE
from extractors.decoding.packet_times import NS_PER_S
from extractors.decoding.packets import Packets
from extractors.decoding.timing import (
    BestStamps,
    picture_length_s,
    sound_length_s,
    usual_length_s,
)
from extractors.decoding.tracks import PICTURE, SOUND, Streams
from extractors.errors import MediaError

FAULTS: Final = (av.FFmpegError, OSError, ValueError, MemoryError)  # of one packet or frame
_MAX_FAILED_READS: Final = 10  # in a row, where not even a packet is found
_LEAST_STEP: Final = 1 << 14  # bytes that a failed read passes over: zeros are read to their end
_CUT_SHORT_S: Final = 1  # a length is told roughly: less than this is no recording cut short


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DecodedFrame:
    """A picture or a block of sound.

    Attributes:
        sense: `PICTURE` or `SOUND`.
        frame: `av.VideoFrame` or `av.AudioFrame`.
        time_s: Presentation time of its first sample, seconds.
        length_s: How long it shows or sounds.
    """

    sense: str
    frame: Any
    time_s: Fraction
    length_s: Fraction

    @property
    def time_ns(self) -> int:
        """Presentation time, ns."""
        return round(self.time_s * NS_PER_S)

    @property
    def length_ns(self) -> int:
        """How long it shows or sounds, ns."""
        return round(self.length_s * NS_PER_S)


class Decoder:
    """Decodes the wanted senses; one thread reads, one thread at a time decodes, until `close`.

    Args:
        packets: Of an open file or stream.
        counts: Counts damage.
        where: What it is called.
        told_end_ns: Where it ends by its own account, presentation time; 0 where it does not say.
        is_lost: Whether an error of reading says that no other read will succeed.

    Raises:
        MediaError: Its pictures are too large, or its sound has a rate that no sound has.

    Attributes:
        has_decoded: Whether a frame or a sample has come of it so far.
        damage: Its account.
    """

    def __init__(
        self,
        packets: Packets,
        counts: Counts,
        *,
        where: str,
        told_end_ns: int = 0,
        is_lost: Callable[[Exception], bool] = lambda _: False,
    ) -> None:
        self.has_decoded = False
        self.damage = DamageAccount(counts, is_live=packets.is_live)
        self._packets = packets
        self._where = where
        self._told_end_ns = told_end_ns
        self._is_lost = is_lost
        size = 0 if packets.is_live else max(0, packets.container.size)
        self._most_failed = _MAX_FAILED_READS + size // _LEAST_STEP
        self._n_failed_in_a_row = 0
        self._has_concluded = False
        self._next_s: dict[str, Fraction] = {}  # where a sense's next frame or block is expected
        self._stamps = BestStamps()
        self._read: Streams = {}
        self._usual_s: Fraction | None = None
        self._take_streams()

    @property
    def streams(self) -> Streams:
        """Those that are read now: others in another part of a joined file."""
        return self._read

    @property
    def missing_s(self) -> float:
        """How much of a recording did not come, by its own account; 0 where it gives none."""
        came_ns = self._packets.end_ns() or 0
        return max(0.0, (self._told_end_ns - came_ns) / NS_PER_S)

    def read_packet(self) -> Any | None:
        """Return the next packet, broken ones left out; None at the end.

        Raises:
            av.FFmpegError, OSError, ValueError: Reading goes on failing.
            MediaError: What begins here is nothing that is read.
        """
        while True:
            try:
                read = self._packets.read()
            except av.EOFError:
                read = None
            except (av.FFmpegError, OSError, ValueError) as error:
                if self._is_lost(error):
                    raise
                self.damage.count_broken()
                self._n_failed_in_a_row += 1
                if self._n_failed_in_a_row > self._most_failed:
                    raise
                continue
            if read is None:
                self.conclude()
                return None
            self._n_failed_in_a_row = 0
            if any(stream is not self._packets.streams[s] for s, stream in self._read.items()):
                self.damage.begin_part()
                self._take_streams()
            return read[1]

    def decode(self, packet: Any) -> list[DecodedFrame]:
        """Return what comes of a packet, often nothing."""
        try:
            frames = packet.decode()
        except av.EOFError:
            return []
        except FAULTS:
            # Who comes late to a stream misses its start.
            if self.has_decoded or (packet.is_keyframe and not self._packets.is_live):
                self.damage.gave_nothing()
            self._packets.gave_nothing()
            return []
        if frames:
            self.damage.explain()
            self._packets.gave_something()
        self.damage.note_packet(
            is_suspect=packet.is_corrupt and self.has_decoded,
            part=self._packets.part,
            after_hole=self._packets.after_hole,
        )
        # By its class: in a joined file a stream's number and kind may change.
        if frames and isinstance(frames[0], av.VideoFrame):
            decoded = [self._picture(frame) for frame in frames]
        else:
            decoded = self._sounds(frames)
        self.has_decoded = self.has_decoded or bool(decoded)
        return decoded

    def conclude(self) -> None:
        """Count what is missing at a file's end: undecodable, or cut off by its own account."""
        if self._packets.is_live or self._has_concluded:
            return
        self._has_concluded = True
        is_in_trouble = self.damage.conclude()
        cut_s = Fraction(self.missing_s)
        for sense in self._read:
            if sense not in self._next_s:
                continue
            missing_s = cut_s if cut_s > _CUT_SHORT_S else Fraction(0)
            if is_in_trouble:
                end_s = Fraction(self._packets.end_ns(sense) or 0, NS_PER_S)
                missing_s += max(Fraction(0), end_s - self._next_s[sense])
            self.damage.count_missing(sense, missing_s)

    def close(self) -> None:
        """Close what is open. May be called again."""
        self._packets.close()

    def _take_streams(self) -> None:
        """Take over the streams that are read from now on, with decoders of their own."""
        streams = self._packets.streams
        self._read = {sense: streams[sense] for sense in self._packets.wanted}
        picture, sound = self._read.get(PICTURE), self._read.get(SOUND)
        if picture is not None:
            # Kept: PyAV's streams end with their container.
            self._usual_s = usual_length_s(picture)
            if not picture.codec_context.is_open:
                self._prepare_pictures(picture)
        if sound is not None:
            self._check_rate(sound)

    def _prepare_pictures(self, stream: Any) -> None:
        """Refuse pictures that are too large, at once and where the size changes on the way."""
        codec = stream.codec_context
        if codec.width * codec.height > MAX_PICTURE_PIXELS:
            raise MediaError(
                f"{self._where} has pictures of {codec.width}x{codec.height}; up to 8K "
                "(7680x4320) is read, so convert it to a smaller size"
            )
        codec.options = dict(DECODER_LIMIT)  # a larger one counts as broken
        # Frame threads hold several frames back.
        stream.thread_type = "SLICE" if self._packets.is_live else "AUTO"

    def _check_rate(self, stream: Any) -> None:
        """Refuse sound that nobody could have meant; a rate that is not known yet may pass."""
        rate = stream.codec_context.sample_rate
        if rate and not MIN_RATE <= rate <= MAX_RATE:
            raise MediaError(
                f"{self._where} has sound at {rate} Hz; rates from {MIN_RATE} to {MAX_RATE} Hz "
                "are read, so convert it to 16000 Hz"
            )

    def _picture(self, frame: Any) -> DecodedFrame:
        base = self._base(frame, PICTURE)
        length_s = picture_length_s(frame, base, self._usual_s or Fraction(0))
        stamp = self._stamps.choose(frame.pts, frame.dts)
        return self._dated(PICTURE, frame, stamp, base, length_s)

    def _sounds(self, frames: list[Any]) -> list[DecodedFrame]:
        sounds: list[DecodedFrame] = []
        for frame in frames:
            if not MIN_RATE <= frame.sample_rate <= MAX_RATE:  # a damaged header midway
                self.damage.count_broken()
            elif frame.samples:
                base, length_s = self._base(frame, SOUND), sound_length_s(frame)
                sounds.append(self._dated(SOUND, frame, frame.pts, base, length_s))
        return sounds

    def _base(self, frame: Any, sense: str) -> Fraction | None:
        stream = self._read.get(sense)
        base = frame.time_base or (None if stream is None else stream.time_base)
        return None if base is None else Fraction(base)

    def _dated(
        self,
        sense: str,
        frame: Any,
        stamp: int | None,
        base: Fraction | None,
        length_s: Fraction,
    ) -> DecodedFrame:
        """Date a frame by its stamp, or where its predecessor ended if it bears none."""
        expected_s = self._next_s.get(sense)
        time_s = expected_s or Fraction(0)
        if stamp is not None and base is not None:
            time_s = stamp * base
        hole_s = Fraction(0) if expected_s is None else time_s - expected_s
        self.damage.note_frame(sense, hole_s, length_s)
        self._next_s[sense] = time_s + length_s
        return DecodedFrame(sense=sense, frame=frame, time_s=time_s, length_s=length_s)
