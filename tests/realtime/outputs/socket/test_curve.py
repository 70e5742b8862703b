"""Who gets messages from a socket with keys: the client that is allowed, and nobody else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zmq.utils.z85

from realtime.client.keys import allow, make_client, make_server
from realtime.client.subscriber import Subscriber
from realtime.clock import ManualClock, WallClock
from realtime.config import PublisherConfig
from realtime.errors import UsageError
from realtime.outputs.socket.allowed_clients import AllowedClients
from realtime.outputs.socket.zap import decide
from realtime.outputs.socket.zmq_publisher import ZmqPublisher
from realtime.outputs.stamper import MessageStamper
from realtime.outputs.wire import Message
from realtime.stats import Stats
from realtime.threads.mailbox import Mailbox, Policy

pytestmark = pytest.mark.timeout(60)
N_STEPS = 100  # of the publisher, up to 0.1 s each: far above what a handshake takes


class Door:
    """A publisher with keys, stepped by the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        make_server(folder)
        self.stats = Stats()
        self.clock = ManualClock()
        self.stamper = MessageStamper(
            "run1", self.clock, WallClock.fixed(datetime(2026, 1, 2, tzinfo=UTC))
        )
        self.mailbox: Mailbox[Message] = Mailbox(1000, Policy.DROP_OLDEST)
        self.publisher = ZmqPublisher(
            PublisherConfig(bind="tcp://127.0.0.1:*", curve=str(folder)),
            self.mailbox,
            lambda: self.stamper.heartbeat({}, {}, {}),
            self.stats,
            self.clock,
        )
        self.publisher.open()
        self.n_sent = 0

    def client(self, name: str, *, allowed: bool = True) -> Path:
        """Return the folder of a new client's keys."""
        folder = self.folder.parent / name
        make_client(folder, self.folder / "server.key")
        if allowed:
            allow(self.folder, folder / "client.key", name)
        return folder

    def gives(self, subscriber: Subscriber, n_steps: int = N_STEPS) -> bool:
        """Send until the subscriber has a message, or has had its chance."""
        for _ in range(n_steps):
            self.n_sent += 1
            fields = {"v": 1, "run": "r", "type": "event", "seq": 1, "id": "1", "phase": "onset"}
            self.mailbox.put(Message("event/door/", {**fields, "topic_seq": self.n_sent}))
            self.publisher.step()
            if subscriber.receive(0.02) is not None:
                return True
        return False

    def refuses(self, subscriber: Subscriber) -> bool:
        """Send until the door has refused somebody; return whether nothing came through."""
        n_before = self.stats.snapshot().count("refused_clients")
        for _ in range(N_STEPS):
            if self.gives(subscriber, 1):
                return False
            if self.stats.snapshot().count("refused_clients") > n_before:
                return not self.gives(subscriber, 3)
        raise AssertionError("nobody was refused")


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    door = Door(tmp_path / "server")
    yield door
    door.publisher.close()


@pytest.fixture
def subscriber(door: Door) -> Iterator[Callable[[Path | None], Subscriber]]:
    opened: list[Subscriber] = []

    def connect(curve: Path | None) -> Subscriber:
        opened.append(Subscriber(door.publisher.endpoint, curve=curve, silence_s=1e6))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


Connect = Callable[[Path | None], Subscriber]


def test_allowed_client_gets_messages(door: Door, subscriber: Connect) -> None:
    assert door.gives(subscriber(door.client("robot")))
    assert door.stats.snapshot().count("refused_clients") == 0


def test_unknown_client_gets_nothing_while_the_allowed_one_does(
    door: Door, subscriber: Connect
) -> None:
    stranger = subscriber(door.client("stranger", allowed=False))
    assert door.refuses(stranger)
    assert door.gives(subscriber(door.client("robot")))
    assert not door.gives(stranger, 3)


def test_client_with_a_wrong_server_key_gets_nothing(
    door: Door, subscriber: Connect, tmp_path: Path
) -> None:
    folder = door.client("robot")
    make_server(tmp_path / "other")
    (folder / "server.key").write_bytes((tmp_path / "other" / "server.key").read_bytes())
    mistaken = subscriber(folder)

    assert not door.gives(mistaken, 10)
    assert door.gives(subscriber(door.client("friend")))
    assert not door.gives(mistaken, 3)


def test_client_without_curve_gets_nothing(door: Door, subscriber: Connect) -> None:
    plain = subscriber(None)

    assert not door.gives(plain, 10)
    assert door.gives(subscriber(door.client("robot")))
    assert not door.gives(plain, 3)


def test_key_is_admitted_when_it_is_added_while_running(door: Door, subscriber: Connect) -> None:
    folder = door.client("robot", allowed=False)
    assert door.refuses(subscriber(folder))

    allow(door.folder, folder / "client.key", "robot")

    assert door.gives(subscriber(folder))


def test_refused_client_gets_messages_once_its_key_is_added(
    door: Door, subscriber: Connect
) -> None:
    folder = door.client("robot", allowed=False)
    waiting = subscriber(folder)
    assert door.refuses(waiting)

    allow(door.folder, folder / "client.key", "robot")

    assert door.gives(waiting, 10 * N_STEPS)  # it was not made anew


def test_nothing_in_the_folder_shuts_out_others(door: Door, subscriber: Connect) -> None:
    clients = door.folder / "clients"
    (clients / "dangling.key").symlink_to("/nowhere/at/all.key")
    (clients / "looping.key").symlink_to("looping.key")
    (clients / "endless.key").symlink_to("/dev/zero")
    os.mkfifo(clients / "fifo.key")

    assert door.gives(subscriber(door.client("robot")))


@pytest.mark.parametrize("place", [".", "clients"])
def test_nobody_is_let_in_while_others_could_put_keys(
    place: str, door: Door, subscriber: Connect
) -> None:
    folder = door.client("robot")
    (door.folder / place).chmod(0o777)
    robot = subscriber(folder)
    assert door.refuses(robot)

    (door.folder / place).chmod(0o700)

    assert door.gives(robot, 10 * N_STEPS)


def test_key_is_refused_on_reconnect_when_it_was_removed(door: Door, subscriber: Connect) -> None:
    folder = door.client("robot")
    first = subscriber(folder)
    assert door.gives(first)
    first.close()

    (door.folder / "clients" / "robot.key").unlink()

    assert door.refuses(subscriber(folder))


def test_nobody_is_let_in_when_nobody_answers(door: Door, subscriber: Connect) -> None:
    robot = subscriber(door.client("robot"))

    assert robot.receive(0.3) is None  # the publisher takes no step: no answer
    assert door.gives(robot)


def test_keys_are_tied_to_the_way_in_not_to_the_endpoint(tmp_path: Path) -> None:
    make_server(tmp_path / "server")
    config = PublisherConfig(bind="tcp://0.0.0.0:*", curve=str(tmp_path / "server"))
    mailbox: Mailbox[Message] = Mailbox(1, Policy.DROP_OLDEST)

    ZmqPublisher(config, mailbox, lambda: Message("", {}), Stats(), ManualClock())  # not refused


def test_publisher_is_refused_when_its_secret_can_be_read_by_others(tmp_path: Path) -> None:
    make_server(tmp_path / "server")
    (tmp_path / "server" / "server.key_secret").chmod(0o640)
    config = PublisherConfig(curve=str(tmp_path / "server"))
    mailbox: Mailbox[Message] = Mailbox(1, Policy.DROP_OLDEST)

    with pytest.raises(UsageError, match="chmod 600"):
        ZmqPublisher(config, mailbox, lambda: Message("", {}), Stats(), ManualClock())


@pytest.mark.parametrize(
    "change",
    [
        lambda frames: [],
        lambda frames: frames[:1],
        lambda frames: frames[:6],
        lambda frames: [b"2.0", *frames[1:]],
        lambda frames: [*frames[:2], b"other", *frames[3:]],
        lambda frames: [*frames[:5], b"NULL", frames[6]],
        lambda frames: [*frames[:5], b"PLAIN", b"robot", b"password"],
        lambda frames: [*frames[:6], frames[6][:31]],
        lambda frames: [*frames, b"more"],
    ],
)
def test_odd_request_is_refused(
    change: Callable[[list[bytes]], list[bytes]], tmp_path: Path
) -> None:
    make_server(tmp_path / "server")
    make_client(tmp_path / "robot", tmp_path / "server" / "server.key")
    allow(tmp_path / "server", tmp_path / "robot" / "client.key", "robot")
    clients = AllowedClients(tmp_path / "server" / "clients")
    text = (tmp_path / "robot" / "client.key").read_text()
    key = zmq.utils.z85.decode(text.split('"')[1].encode())
    request = [b"1.0", b"7", b"events", b"127.0.0.1", b"", b"CURVE", key]

    assert decide(request, clients) == [b"1.0", b"7", b"200", b"OK", b"robot", b""]
    assert decide(change(request), clients)[2] == b"400"
    unknown = [*request[:6], b"\0" * 32]
    assert decide(unknown, clients)[2] == b"300"  # for now: its key may be allowed while it waits
