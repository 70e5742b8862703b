"""What an edge and its pool say to one another: small fixed records, nothing that is interpreted.

One message is one ZeroMQ frame: a byte for its kind, a little-endian record, and for a picture,
sound or name the bytes behind it. Whatever has another length, or a value out of its range, is a
`ValueError`: the other side may be hostile. Times are nanoseconds on the edge's clock.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Literal

from realtime.config.source import MAX_NAME_LENGTH

VERSION = 1
MAX_SIDE = 1024  # of a trunk's picture
MAX_BLOCK = 8000  # samples: half a second
FULL_SCALE = 32_768.0  # of int16
MAX_REASON_BYTES = 500
MAX_ENDPOINT_BYTES = 300  # a host's name has 253
_MAX_TIME_NS = 1 << 62

_HELLO = struct.Struct("<BBQ")  # version, senses, session; then the name
_ANSWER = struct.Struct("<Qqq")  # nonce, received, sent
_START = struct.Struct("<q")  # the stream's first sample
_PICTURE = struct.Struct("<QqB")  # number, time, coding; then the picture
_SOUND = struct.Struct("<Qq")  # index and time of the first sample; then int16
_WELCOME = struct.Struct("<BHHBBB")  # version, resize_to, size, crop, filter, pictures a second
_ASK = struct.Struct("<QBqqd")  # nonce, wanted, a moment on both clocks, drift

PICTURE, SOUND = 1, 2  # bits of `senses`
RAW, JPEG = 0, 1
CROPS: tuple[Literal["none", "center"], ...] = ("none", "center")
FILTERS: tuple[Literal["nearest", "bilinear", "bicubic"], ...] = ("nearest", "bilinear", "bicubic")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """An edge says who it is, until it is welcome; `session` is anew at each start of it."""

    name: str
    session: int
    picture: bool
    sound: bool

    def pack(self) -> bytes:
        """Return it as it is sent."""
        senses = PICTURE * self.picture | SOUND * self.sound
        return b"H" + _HELLO.pack(VERSION, senses, self.session) + self.name.encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an edge's clock said when a question came and when this answer left."""

    nonce: int
    received_ns: int
    sent_ns: int

    def pack(self) -> bytes:
        """Return it as it is sent."""
        return b"A" + _ANSWER.pack(self.nonce, self.received_ns, self.sent_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """When the stream's first sample was taken; before all pictures and sound."""

    epoch_ns: int

    def pack(self) -> bytes:
        """Return it as it is sent."""
        return b"S" + _START.pack(self.epoch_ns)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PictureSent:
    """A picture of the grid; `number` counts those that the edge took, sent or not."""

    number: int
    time_ns: int
    coding: int
    body: bytes

    def pack(self) -> bytes:
        """Return it as it is sent."""
        return b"P" + _PICTURE.pack(self.number, self.time_ns, self.coding) + self.body


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SoundSent:
    """Mono 16 kHz int16 samples; `index` counts what the edge heard, sent or not."""

    index: int
    time_ns: int
    body: bytes

    @property
    def n_samples(self) -> int:
        """How many samples there are."""
        return len(self.body) // 2

    def pack(self) -> bytes:
        """Return it as it is sent."""
        return b"U" + _SOUND.pack(self.index, self.time_ns) + self.body


@dataclass(frozen=True, slots=True, kw_only=True)
class Bye:
    """An edge ends."""

    def pack(self) -> bytes:
        """Return it as it is sent."""
        return b"B"


FromEdge = Hello | Answer | Start | PictureSent | SoundSent | Bye


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """How the pool's trunk wants its pictures: `extractors.frame_transform.FrameTransform`."""

    resize_to: int
    size: int
    crop: Literal["none", "center"]
    interpolation: Literal["nearest", "bilinear", "bicubic"]
    grid_hz: int

    def pack(self) -> bytes:
        """Return it as it is sent."""
        crop, interpolation = CROPS.index(self.crop), FILTERS.index(self.interpolation)
        return b"W" + _WELCOME.pack(
            VERSION, self.resize_to, self.size, crop, interpolation, self.grid_hz
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """The pool asks for the time, and says whether it wants samples and where its grid lies.

    Attributes:
        nonce: Comes back in the answer.
        wanted: Whether samples are wanted.
        edge_ns: A moment on the edge's clock, as the pool reckons.
        t_ns: The same moment in stream time; negative before the stream has begun.
        drift: How much faster the pool's clock goes than the edge's; 0.0001 is 100 ppm.
    """

    nonce: int
    wanted: bool
    edge_ns: int = 0
    t_ns: int = -1
    drift: float = 0.0

    def pack(self) -> bytes:
        """Return it as it is sent."""
        return b"Q" + _ASK.pack(self.nonce, self.wanted, self.edge_ns, self.t_ns, self.drift)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why an edge is not welcome."""

    reason: str

    def pack(self) -> bytes:
        """Return it as it is sent."""
        return b"N" + self.reason.encode()[:MAX_REASON_BYTES]


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """The pool does not know who sends."""

    def pack(self) -> bytes:
        """Return it as it is sent."""
        return b"?"


@dataclass(frozen=True, slots=True, kw_only=True)
class At:
    """A pool of several recognizers says which of them an edge is to send to."""

    endpoint: str

    def pack(self) -> bytes:
        """Return it as it is sent."""
        return b"T" + self.endpoint.encode()


FromPool = Welcome | Ask | Refused | Who | At


def max_bytes(size: int) -> int:
    """Return the length of the longest message to a pool whose pictures have this side."""
    return 1 + _PICTURE.size + max(size * size * 3, 2 * MAX_BLOCK)


def from_edge(message: bytes, size: int) -> FromEdge:
    """Read what an edge says.

    Args:
        message: One frame.
        size: The side of the pictures that were asked for.

    Raises:
        ValueError: It is no message, or not of the size that it should have.
    """
    kind, rest = message[:1], message[1:]
    if kind == b"P":
        head, body = _split(_PICTURE, rest)
        number, time_ns, coding = head
        longest = size * size * 3
        if coding == RAW and len(body) != longest:
            raise ValueError(f"a picture has {longest} bytes, got {len(body)}")
        if coding not in (RAW, JPEG) or not 0 < len(body) <= longest:
            raise ValueError("a picture is RGB or JPEG")
        return PictureSent(number=_count(number), time_ns=_time(time_ns), coding=coding, body=body)
    if kind == b"U":
        (index, time_ns), body = _split(_SOUND, rest)
        if len(body) % 2 or not 0 < len(body) <= 2 * MAX_BLOCK:
            raise ValueError(f"a block has 1 to {MAX_BLOCK} samples, got {len(body)} bytes")
        return SoundSent(index=_count(index), time_ns=_time(time_ns), body=body)
    if kind == b"A":
        nonce, received_ns, sent_ns = _exactly(_ANSWER, rest)
        return Answer(nonce=nonce, received_ns=_time(received_ns), sent_ns=_time(sent_ns))
    if kind == b"S":
        return Start(epoch_ns=_time(_exactly(_START, rest)[0]))
    if kind == b"H":
        (version, senses, session), name = _split(_HELLO, rest)
        if version != VERSION:
            raise ValueError(f"the edge speaks version {version}, this pool {VERSION}")
        if len(name) > MAX_NAME_LENGTH or not 0 < senses <= PICTURE | SOUND:
            raise ValueError("a hello names a stream and its senses")
        return Hello(
            name=name.decode("ascii"),  # a UnicodeDecodeError is a ValueError
            session=session,
            picture=bool(senses & PICTURE),
            sound=bool(senses & SOUND),
        )
    if message == b"B":
        return Bye()
    raise ValueError("no message of an edge")


def from_pool(message: bytes) -> FromPool:
    """Read what a pool says.

    Raises:
        ValueError: It is no message, or out of its range.
    """
    kind, rest = message[:1], message[1:]
    if kind == b"Q":
        nonce, wanted, edge_ns, t_ns, drift = _exactly(_ASK, rest)
        if not (math.isfinite(drift) and abs(drift) < 0.01):
            raise ValueError("no clock drifts so much")
        return Ask(
            nonce=nonce, wanted=bool(wanted), edge_ns=_time(edge_ns), t_ns=_time(t_ns), drift=drift
        )
    if kind == b"W":
        version, resize_to, size, crop, interpolation, grid_hz = _exactly(_WELCOME, rest)
        if version != VERSION:
            raise ValueError(f"the pool speaks version {version}, this edge {VERSION}")
        if not (0 < size <= resize_to <= MAX_SIDE and grid_hz in (2, 4, 8, 16)):
            raise ValueError("the pool wants pictures that cannot be")
        if crop >= len(CROPS) or interpolation >= len(FILTERS):
            raise ValueError("the pool wants pictures made in a way that is not known here")
        return Welcome(
            resize_to=resize_to,
            size=size,
            crop=CROPS[crop],
            interpolation=FILTERS[interpolation],
            grid_hz=grid_hz,
        )
    if kind == b"N" and len(rest) <= MAX_REASON_BYTES:
        return Refused(reason=rest.decode(errors="replace"))
    if kind == b"T" and 0 < len(rest) <= MAX_ENDPOINT_BYTES:
        return At(endpoint=rest.decode("ascii"))  # a UnicodeDecodeError is a ValueError
    if message == b"?":
        return Who()
    raise ValueError("no message of a pool")


def _split(form: struct.Struct, rest: bytes) -> tuple[tuple[int, ...], bytes]:
    if len(rest) < form.size:
        raise ValueError("a message was cut short")
    return form.unpack_from(rest), rest[form.size :]


def _exactly(form: struct.Struct, rest: bytes) -> tuple[int, ...]:
    if len(rest) != form.size:
        raise ValueError(f"a record has {form.size} bytes, got {len(rest)}")
    return form.unpack(rest)


def _time(time_ns: int) -> int:
    if not -_MAX_TIME_NS < time_ns < _MAX_TIME_NS:
        raise ValueError("no clock shows that time")
    return time_ns


def _count(n: int) -> int:
    if n >= _MAX_TIME_NS:
        raise ValueError("nothing was counted that far")
    return n
