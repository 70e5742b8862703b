"""What edges and pool say: what was packed is read, and nothing else is."""

from __future__ import annotations

import random
import struct

import pytest

from realtime.cluster.wire.protocol import (
    JPEG,
    RAW,
    Answer,
    Ask,
    At,
    Bye,
    Hello,
    PictureSent,
    Refused,
    SoundSent,
    Start,
    Welcome,
    Who,
    from_edge,
    from_pool,
    max_bytes,
)

SIZE = 4
RGB = bytes(SIZE * SIZE * 3)
WELCOME = Welcome(resize_to=256, size=224, crop="center", interpolation="bicubic", grid_hz=16)
HELLO = Hello(name="door", session=7, picture=True, sound=False)
FROM_EDGE = (HELLO, Answer(nonce=1, received_ns=2, sent_ns=3), Start(epoch_ns=-5), Bye())
FROM_POOL = (
    WELCOME,
    Ask(nonce=9, wanted=True, edge_ns=5, t_ns=6, drift=2e-4),
    Refused(reason="no"),
    Who(),
    At(endpoint="tcp://127.0.0.1:5571"),
)


@pytest.mark.parametrize("message", FROM_EDGE)
def test_message_of_an_edge_comes_as_it_was_sent(message: Hello | Answer | Start | Bye) -> None:
    assert from_edge(message.pack(), SIZE) == message


@pytest.mark.parametrize("message", FROM_POOL)
def test_message_of_a_pool_comes_as_it_was_sent(
    message: Welcome | Ask | Refused | Who | At,
) -> None:
    assert from_pool(message.pack()) == message  # type: ignore[attr-defined]


def test_samples_come_as_they_were_sent() -> None:
    sent = PictureSent(number=3, time_ns=4, coding=RAW, body=RGB).pack()
    picture = from_edge(sent, SIZE)
    sound = from_edge(SoundSent(index=16, time_ns=9, body=b"\1\0\2\0").pack(), SIZE)

    assert isinstance(picture, PictureSent)
    assert (picture.number, picture.time_ns, picture.body) == (3, 4, RGB)
    assert len(sent) <= max_bytes(SIZE)
    assert isinstance(sound, SoundSent)
    assert (sound.index, sound.time_ns, sound.n_samples) == (16, 9, 2)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"Z",
        b"B" + b"x",
        PictureSent(number=0, time_ns=0, coding=RAW, body=RGB[1:]).pack(),
        PictureSent(number=0, time_ns=0, coding=JPEG, body=RGB + b"x").pack(),
        PictureSent(number=0, time_ns=0, coding=JPEG, body=b"").pack(),
        PictureSent(number=0, time_ns=0, coding=5, body=RGB).pack(),
        PictureSent(number=1 << 63, time_ns=0, coding=RAW, body=RGB).pack(),
        SoundSent(index=0, time_ns=0, body=b"x").pack(),
        SoundSent(index=0, time_ns=0, body=b"").pack(),
        SoundSent(index=0, time_ns=0, body=bytes(16_002)).pack(),
        SoundSent(index=0, time_ns=(1 << 63) - 1, body=b"xx").pack(),
        Start(epoch_ns=-(1 << 63)).pack(),
        Start(epoch_ns=0).pack()[:-1],
        Hello(name="x" * 101, session=0, picture=True, sound=True).pack(),
        Hello(name="dör", session=0, picture=True, sound=True).pack(),
        Hello(name="door", session=0, picture=False, sound=False).pack(),
        b"H" + struct.pack("<BBQ", 99, 3, 0) + b"door",
    ],
)
def test_what_no_edge_says_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_edge(message, SIZE)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"W",
        Ask(nonce=1, wanted=True, drift=float("nan")).pack(),
        Ask(nonce=1, wanted=True, drift=0.5).pack(),
        b"W" + struct.pack("<BHHBBB", 1, 60_000, 60_000, 0, 0, 16),
        b"W" + struct.pack("<BHHBBB", 1, 224, 256, 0, 0, 16),
        b"W" + struct.pack("<BHHBBB", 1, 224, 224, 9, 0, 16),
        b"W" + struct.pack("<BHHBBB", 1, 224, 224, 0, 0, 5),
        b"N" + bytes(501),
    ],
)
def test_what_no_pool_says_is_refused(message: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_pool(message)


def test_any_bytes_are_a_message_or_a_value_error() -> None:
    rng = random.Random(1)
    for _ in range(3000):
        noise = rng.choice(b"HASPUBWQN?x").to_bytes(1, "big") + rng.randbytes(rng.randrange(80))
        for read in (lambda data: from_edge(data, SIZE), from_pool):
            try:
                read(noise)
            except ValueError:
                continue
