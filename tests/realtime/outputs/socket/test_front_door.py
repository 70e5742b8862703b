"""The door in front of libzmq, stepped by hand: what passes, and how little of too much."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.clock import NS_PER_S, Clock, ManualClock, MonotonicClock
from realtime.outputs.socket.allowance import Allowance
from realtime.outputs.socket.front_door import (
    ALL_AT_ONCE,
    ALL_PER_S,
    MAX_ALIVE_BYTES,
    MAX_CONNECTIONS,
    NEW_AT_ONCE,
    NEW_PER_S,
    ONE_AT_ONCE,
    ONE_PER_S,
    OUT_BYTES,
    FrontDoor,
)
from realtime.outputs.socket.listening import listen

pytestmark = pytest.mark.timeout(60)
N_STEPS = 200


class House:
    """A door, the room behind it, and who stands outside."""

    def __init__(self, folder: str, clock: Clock) -> None:
        self.room = socket.socket(socket.AF_UNIX)
        self.room.bind(f"{folder}/room")
        self.room.listen(200)
        self.room.setblocking(False)
        self.n_wordy = 0
        listener, self.endpoint = listen("tcp://127.0.0.1:*")
        self.door = FrontDoor(listener, f"{folder}/room", self._count, clock)
        self.sockets: list[socket.socket] = [self.room]

    def _count(self) -> None:
        self.n_wordy += 1

    def knock(self) -> socket.socket:
        outside = socket.create_connection(("127.0.0.1", int(self.endpoint.split(":")[-1])))
        outside.setblocking(False)
        self.sockets.append(outside)
        return outside

    def inside(self) -> socket.socket:
        """Return the other end of the newest connection that was let in."""
        for _ in range(N_STEPS):
            self.step()
            with contextlib.suppress(BlockingIOError):
                inside, _ = self.room.accept()
                inside.setblocking(False)
                self.sockets.append(inside)
                return inside
        raise AssertionError("nobody was let in")

    def step(self, n: int = 1) -> None:
        for _ in range(n):
            self.door.wake()
            self.door.step()

    def pair(self) -> tuple[socket.socket, socket.socket]:
        return self.knock(), self.inside()

    def close(self) -> None:
        for one in self.sockets:
            one.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NS_PER_S)


@pytest.fixture
def house(clock: ManualClock) -> Iterator[House]:
    with tempfile.TemporaryDirectory() as folder:
        yield (house := House(folder, clock))
        house.close()
        house.door.start()
        house.door.close(0.0)
        assert house.door.error is None


def heard(one: socket.socket) -> bytes:
    """Return what has come and is still coming from the kernel's buffers."""
    said = b""
    with contextlib.suppress(BlockingIOError):
        while part := one.recv(1 << 20):
            said += part
    return said


def test_bytes_pass_both_ways_unread(house: House) -> None:
    outside, inside = house.pair()
    outside.send(b"\xff\x00topic")
    inside.send(b"x" * 100_000)
    said, told = b"", b""
    for _ in range(N_STEPS):
        house.step()
        said, told = said + heard(inside), told + heard(outside)

    assert said == b"\xff\x00topic"
    assert told == b"x" * 100_000
    assert house.n_wordy == 0


def test_who_says_too_much_is_read_slowly(house: House, clock: ManualClock) -> None:
    outside, inside = house.pair()
    with contextlib.suppress(BlockingIOError):
        for _ in range(100):
            outside.send(b"x" * 65536)
    house.step(N_STEPS)
    assert len(heard(inside)) == ONE_AT_ONCE
    for _ in range(10):
        clock.advance(NS_PER_S)
        house.step(3)

    assert len(heard(inside)) == 10 * ONE_PER_S
    assert house.n_wordy == 1
    assert house.door.n_connections == 1  # and is not hung up on


def test_all_together_say_no_more_than_all_may(house: House, clock: ManualClock) -> None:
    pairs = [house.pair() for _ in range(20)]
    for outside, _ in pairs:
        outside.send(b"x" * ONE_AT_ONCE)
    house.step(N_STEPS)
    n_heard = sum(len(heard(inside)) for _, inside in pairs)
    assert n_heard == ALL_AT_ONCE
    clock.advance(NS_PER_S)
    house.step(N_STEPS)

    assert sum(len(heard(inside)) for _, inside in pairs) == ALL_PER_S


def test_the_wordiest_goes_when_all_said_too_much(house: House, clock: ManualClock) -> None:
    wordiest, quiet = house.pair()[0], house.pair()[0]
    quiet.send(b"x")
    others = []
    while house.door.n_connections == len(others) + 2:
        others.append(house.pair()[0])
        for sender, n in ((wordiest, ONE_PER_S), (others[-1], ONE_AT_ONCE)):
            sender.send(b"x" * n)
            house.step(8)
            clock.advance(NS_PER_S)
        assert len(others) <= MAX_ALIVE_BYTES // ONE_AT_ONCE + 1

    assert len(others) > MAX_ALIVE_BYTES // ONE_AT_ONCE - 5
    house.step()
    assert quiet.send(b"x") == 1  # who said little stays


def test_who_said_little_stays_when_many_say_little_after_the_wordiest_went(
    house: House, clock: ManualClock
) -> None:
    quiet = house.pair()[0]
    quiet.send(b"x" * 300)
    for _ in range(MAX_ALIVE_BYTES // ONE_AT_ONCE - 1):
        clock.advance(NS_PER_S)
        house.pair()[0].send(b"x" * ONE_AT_ONCE)
        house.step(10)
    others = []
    for _ in range(60):
        clock.advance(NS_PER_S)
        others.append(house.pair()[0])
    for n in range(300):  # 60 bytes each 5 ms, from those who said less than the quiet one
        for other in others:
            with contextlib.suppress(OSError):
                other.send(b"x")
        clock.advance(NS_PER_S // 200)
        house.step()
        assert any(link.n_said == 300 for link in house.door._links), n
        assert house.door._n_alive() <= MAX_ALIVE_BYTES + len(others)


def test_a_newcomer_waits_and_the_door_stays_when_no_descriptor_is_free(
    house: House, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    before = house.pair()
    late = house.knock()
    late.send(b"hello")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    kept: list[int] = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(500, limits[1]), limits[1]))
        with contextlib.suppress(OSError):
            while True:
                kept.append(os.open(os.devnull, os.O_RDONLY))
        os.close(kept.pop())  # one is free, and two are wanted
        house.step(5)
        before[0].send(b"goes on")
        house.step(5)
        assert heard(before[1]) == b"goes on"
    finally:
        for descriptor in kept:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    clock.advance(2 * NS_PER_S)

    inside = house.inside()

    house.step(5)
    assert heard(inside) == b"hello"
    assert "a subscriber cannot be let in: Too many open files" in caplog.text


def test_a_place_is_free_again_when_somebody_leaves(house: House, clock: ManualClock) -> None:
    pairs = []
    for n in range(MAX_CONNECTIONS):
        pairs.append(house.pair())
        if n % NEW_PER_S == 0:
            clock.advance(NS_PER_S)
    clock.advance(NS_PER_S)
    late = house.knock()
    late.send(b"hello")
    house.step(20)
    assert house.door.n_connections == MAX_CONNECTIONS
    pairs[3][0].close()

    inside = house.inside()

    house.step(5)
    assert heard(inside) == b"hello"
    assert house.door.n_connections == MAX_CONNECTIONS


def test_newcomers_are_taken_at_their_rate(house: House, clock: ManualClock) -> None:
    for _ in range(NEW_AT_ONCE + 10):
        house.knock()
    house.step(N_STEPS)
    assert house.door.n_connections == NEW_AT_ONCE
    clock.advance(NS_PER_S // NEW_PER_S * 5)
    house.step(20)

    assert house.door.n_connections == NEW_AT_ONCE + 5


def test_little_is_kept_for_who_does_not_read(house: House) -> None:
    outside, inside = house.pair()
    outside.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    n_given = 0
    for _ in range(2000):
        with contextlib.suppress(BlockingIOError):
            n_given += inside.send(b"x" * 65536)
        house.step()
    n_given_then = n_given
    for _ in range(50):
        with contextlib.suppress(BlockingIOError):
            n_given += inside.send(b"x" * 65536)
        house.step()

    assert n_given == n_given_then  # libzmq's turn to drop
    assert len(house.door._links[0].outward) <= OUT_BYTES


def test_last_words_arrive_when_the_room_closes(house: House) -> None:
    outside, inside = house.pair()
    inside.send(b"the end")
    inside.close()
    house.step(5)

    assert heard(outside) == b"the end"
    assert house.door.n_connections == 0


def test_the_room_hears_that_somebody_left(house: House) -> None:
    outside, inside = house.pair()
    outside.close()
    house.step(5)

    assert inside.recv(1) == b""
    assert house.door.n_connections == 0


def test_closing_lets_nobody_in_and_gives_last_words_their_time() -> None:
    with tempfile.TemporaryDirectory() as folder:  # short: a socket's path has 107 characters
        house = House(folder, MonotonicClock())
        outside, inside = house.pair()
    house.door.start()
    inside.send(b"the end")
    house.door.close(0.2)

    assert heard(outside) == b"the end"
    with pytest.raises(ConnectionRefusedError):
        house.knock()
    assert house.door.n_connections == 0
    house.close()


@given(st.lists(st.tuples(st.integers(0, 10 * NS_PER_S), st.integers(0, 100)), max_size=50))
def test_no_more_passes_than_the_burst_and_what_time_adds(steps: list[tuple[int, int]]) -> None:
    allowance, now_ns, n_passed = Allowance(40, 7, 0), 0, 0
    for wait_ns, wanted in steps:
        now_ns += wait_ns
        n = min(wanted, allowance.left(now_ns))
        allowance.take(n)
        n_passed += n
        assert n >= 0
        assert n_passed <= 40 + 7 * now_ns / NS_PER_S + 1e-6
