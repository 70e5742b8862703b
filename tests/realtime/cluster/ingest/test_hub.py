"""The pool's door on loopback: who is let in, and what those that mean harm cost the others."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zmq

from hostile_peers import connect, endless_message, frame
from realtime.client.keys import main as keys_main
from realtime.clock import BootClock
from realtime.cluster.edge.uplink import Uplink
from realtime.cluster.ingest.hub import Hub
from realtime.cluster.wire.protocol import (
    Answer,
    Ask,
    Hello,
    Refused,
    SoundSent,
    Welcome,
    Who,
    from_pool,
)
from realtime.errors import OutputError, UsageError

pytestmark = pytest.mark.timeout(60)

WELCOME = Welcome(resize_to=8, size=8, crop="none", interpolation="nearest", grid_hz=16)
HELLO = Hello(name="door", session=1, picture=True, sound=True)
OTHER = replace(HELLO, session=2)
PATIENCE_S = 15.0


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub("tcp://127.0.0.1:*", None, BootClock())
    made.open(WELCOME)
    made.link("door")
    made.start()
    yield made
    made.close()
    assert made.error is None


class Peer:
    """Speaks to a hub as an edge does, or not."""

    def __init__(self, endpoint: str) -> None:
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.monitor = self.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self.socket.connect(endpoint)

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.disable_monitor()
        self.monitor.close(linger=0)
        self.socket.close(linger=0)
        self.context.term()

    def send(self, *frames: bytes) -> None:
        self.socket.send_multipart(frames)

    def hear(self) -> object:
        assert self.socket.poll(PATIENCE_S * 1000), "the hub says nothing"
        return from_pool(self.socket.recv())

    def settle(self) -> None:
        """Say hello and answer until the hub is content."""
        self.send(HELLO.pack())
        for _ in range(12):
            message = self.hear()
            if isinstance(message, Ask):
                now_ns = BootClock().now_ns()
                answer = Answer(nonce=message.nonce, received_ns=now_ns, sent_ns=now_ns)
                self.send(answer.pack())


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "it does not come"
        time.sleep(0.01)


def test_edge_is_welcome_and_its_clock_is_learned(hub: Hub) -> None:
    with Peer(hub.endpoint) as peer:
        peer.send(HELLO.pack())
        assert peer.hear() == WELCOME
        peer.settle()
        wait_for(lambda: hub.link("door").clock.settled)
        now_ns = hub.now_ns()
        assert abs(hub.link("door").clock.to_pool(now_ns) - now_ns) < 500_000_000


def test_unknown_name_is_refused_with_a_reason(hub: Hub) -> None:
    with Peer(hub.endpoint) as peer:
        peer.send(replace(HELLO, name="cellar").pack())
        answer = peer.hear()

    assert isinstance(answer, Refused)
    assert "no edge called cellar is expected here; expected: door" in answer.reason


def test_second_edge_of_a_name_is_refused(hub: Hub) -> None:
    with Peer(hub.endpoint) as first, Peer(hub.endpoint) as second:
        first.send(HELLO.pack())
        assert first.hear() == WELCOME
        second.send(OTHER.pack())
        answer = second.hear()

    assert isinstance(answer, Refused)
    assert "already" in answer.reason


def test_samples_of_a_stranger_go_nowhere(hub: Hub) -> None:
    reader = object()
    hub.link("door").attach(reader, lambda: None)
    with Peer(hub.endpoint) as peer:
        peer.send(SoundSent(index=0, time_ns=0, body=b"xx").pack())
        assert isinstance(peer.hear(), Who)
    assert hub.link("door").take(reader) is None


HARM: dict[str, Callable[[Peer], None]] = {
    "garbage": lambda peer: peer.send(b"\x80\x04K\x01."),  # a pickle
    "many frames": lambda peer: peer.send(b"B", b"B", b"B"),
    "empty": lambda peer: peer.send(b""),
    "a picture of another size": lambda peer: peer.send(b"P" + bytes(17) + b"x" * 50),
    "a flood": lambda peer: [peer.send(OTHER.pack()) for _ in range(1000)] and None,
    "a message that is too long": lambda peer: peer.send(b"P" + bytes(1 << 20)),
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM.keys())
def test_edge_goes_on_beside_one_that_means_harm(hub: Hub, harm: Callable[[Peer], None]) -> None:
    link, reader = hub.link("door"), object()
    with Peer(hub.endpoint) as good, Peer(hub.endpoint) as bad:
        good.settle()
        link.attach(reader, lambda: None)
        harm(bad)
        for k in range(50):
            good.send(SoundSent(index=2 * k, time_ns=0, body=b"xxxx").pack())
        taken = 0

        def all_came() -> bool:
            nonlocal taken
            while link.take(reader) is not None:
                taken += 1
            return taken == 50

        wait_for(all_came)
        assert bad.monitor.poll(PATIENCE_S * 1000), "nobody hung up on it"
    assert link.take_dropped() == 0


def test_message_without_end_is_hung_up_on(hub: Hub) -> None:
    with Peer(hub.endpoint) as good:
        good.settle()
        peer = connect(hub.endpoint, b"DEALER")
        rng = random.Random(1)
        parts = endless_message(rng)
        chunk = b"".join(next(parts) for _ in range(2000))

        def flood() -> None:
            try:
                for _ in range(400):  # 400 MB
                    peer.sendall(chunk)
            except OSError:
                return

        thread = threading.Thread(target=flood, daemon=True)
        thread.start()
        wait_for(lambda: hub.n_hung_up > 0)
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
        peer.close()
        good.send(HELLO.pack())
        assert good.hear() is not None


def test_connection_that_says_nothing_costs_nothing(hub: Hub) -> None:
    host, _, port = hub.endpoint.removeprefix("tcp://").rpartition(":")
    idle = [socket.create_connection((host, int(port))) for _ in range(50)]
    with Peer(hub.endpoint) as good:
        good.send(HELLO.pack())
        assert good.hear() == WELCOME
    for each in idle:
        each.close()


def test_half_a_message_hurts_nobody(hub: Hub) -> None:
    peer = connect(hub.endpoint, b"DEALER")
    peer.sendall(frame(b"P" + bytes(100))[:50])
    with Peer(hub.endpoint) as good:
        good.send(HELLO.pack())
        assert good.hear() == WELCOME
    peer.close()


@pytest.mark.parametrize("endpoint", ["tcp://0.0.0.0:*", "tcp://*:5570", "tcp://eth0:1"])
def test_address_beyond_this_machine_wants_curve(endpoint: str) -> None:
    with pytest.raises(UsageError, match="give --curve DIR, or bind to loopback"):
        Hub(endpoint, None, BootClock())


@pytest.mark.parametrize("endpoint", ["ipc:///tmp/x", "127.0.0.1:1", "tcp://x", "tcp://:1"])
def test_what_is_no_address_is_one_sentence(endpoint: str) -> None:
    with pytest.raises(UsageError, match="--bind wants an address such as"):
        Hub(endpoint, None, BootClock())


def test_address_that_is_taken_is_one_sentence(hub: Hub) -> None:
    second = Hub(hub.endpoint, None, BootClock())

    with pytest.raises(OutputError, match="taken by another program"):
        second.open(WELCOME)
    second.close()


def keys(tmp_path: Path, name: str) -> tuple[Path, Path]:
    """Make a pool's keys and an edge's, let in under a name."""
    pool, edge = tmp_path / "pool", tmp_path / "edge"
    assert keys_main(["server", str(pool)]) == 0
    assert keys_main(["client", str(edge), "--server", str(pool / "server.key")]) == 0
    assert keys_main(["allow", str(pool), str(edge / "client.key"), "--name", name]) == 0
    return pool, edge


def uplink(endpoint: str, name: str, curve: Path | None) -> Uplink:
    return Uplink(endpoint, name, picture=True, sound=True, curve=curve, clock=BootClock())


@pytest.mark.parametrize("name", ["door", "yard"])
def test_edge_sends_only_as_what_its_key_is_called(tmp_path: Path, name: str) -> None:
    pool, edge = keys(tmp_path, "door")
    hub = Hub("tcp://127.0.0.1:*", pool, BootClock())
    hub.open(WELCOME)
    for each in ("door", "yard"):
        hub.link(each)
    hub.start()
    link = uplink(hub.endpoint, name, edge)
    try:
        wait_for(lambda: (link.step(), bool(link.welcome or link.refused))[1])
        if name == "door":
            assert link.welcome == WELCOME
        else:
            assert link.welcome is None
            assert "this key is door's, who may not send as yard" in link.refused
    finally:
        link.close()
        hub.close()


def test_edge_without_a_key_is_not_heard(tmp_path: Path) -> None:
    pool, _ = keys(tmp_path, "door")
    hub = Hub("tcp://127.0.0.1:*", pool, BootClock())
    hub.open(WELCOME)
    hub.link("door")
    hub.start()
    link = uplink(hub.endpoint, "door", None)
    try:
        until = time.monotonic() + 0.7
        while time.monotonic() < until:
            link.step()
        assert link.welcome is None
        assert hub.link("door").hello is None
    finally:
        link.close()
        hub.close()
