"""The one address of a pool of several recognizers: who is sent where, and when told again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from realtime.client.keys import main as keys_main
from realtime.clock import BootClock
from realtime.cluster.edge.uplink import Uplink
from realtime.cluster.ingest.directory import Directory
from realtime.cluster.wire.protocol import At, Hello, Refused, SoundSent, from_pool
from realtime.errors import OutputError, UsageError

pytestmark = pytest.mark.timeout(60)

HELLO = Hello(name="door", session=1, picture=True, sound=True)
FIRST, SECOND = "tcp://127.0.0.1:5571", "tcp://127.0.0.1:5572"
PATIENCE_S = 15.0


@pytest.fixture
def directory() -> Iterator[Directory]:
    made = Directory("tcp://127.0.0.1:*", None, ["door"], BootClock())
    made.open()
    yield made
    made.close()
    assert made.error is None


@pytest.fixture
def peer(directory: Directory) -> Iterator[zmq.Socket[bytes]]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    dealer = context.socket(zmq.DEALER)
    dealer.linger = 0
    dealer.connect(directory.endpoint)
    yield dealer
    dealer.close()
    context.term()


def hear(peer: zmq.Socket[bytes]) -> object:
    assert peer.poll(PATIENCE_S * 1000), "the directory says nothing"
    return from_pool(peer.recv())


def step_until(uplink: Uplink, condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, "it does not come"
        uplink.step()


def test_edge_is_told_where_to_go(directory: Directory, peer: zmq.Socket[bytes]) -> None:
    directory.tell({"door": FIRST})
    peer.send(HELLO.pack())

    assert hear(peer) == At(endpoint=FIRST)
    assert directory.present() == ["door"]


def test_edge_is_told_unasked_when_its_place_changes(
    directory: Directory, peer: zmq.Socket[bytes]
) -> None:
    directory.tell({"door": FIRST})
    peer.send(HELLO.pack())
    hear(peer)
    directory.tell({})
    directory.tell({"door": SECOND})

    assert hear(peer) == At(endpoint=SECOND)


def test_edge_waits_while_nobody_has_room(directory: Directory, peer: zmq.Socket[bytes]) -> None:
    peer.send(HELLO.pack())
    answer = hear(peer)
    assert isinstance(answer, Refused)
    assert "no recognizer has room" in answer.reason
    directory.tell({"door": FIRST})

    assert hear(peer) == At(endpoint=FIRST)


def test_stranger_is_refused_with_a_reason(directory: Directory, peer: zmq.Socket[bytes]) -> None:
    peer.send(Hello(name="cellar", session=1, picture=True, sound=True).pack())
    answer = hear(peer)

    assert isinstance(answer, Refused)
    assert "no edge called cellar is expected here; expected: door" in answer.reason


def test_who_sends_samples_here_is_hung_up_on(
    directory: Directory, peer: zmq.Socket[bytes]
) -> None:
    monitor = peer.get_monitor_socket(zmq.EVENT_DISCONNECTED)
    peer.send(SoundSent(index=0, time_ns=0, body=b"\0\0").pack())

    assert monitor.poll(PATIENCE_S * 1000)
    peer.disable_monitor()
    monitor.close(linger=0)


def test_edge_with_a_key_is_told_and_goes_where_it_is_sent(tmp_path: Path) -> None:
    pool, own = tmp_path / "pool", tmp_path / "own"
    keys_main(["server", str(pool)])
    keys_main(["client", str(own), "--server", str(pool / "server.key")])
    keys_main(["allow", str(pool), str(own / "client.key"), "--name", "door"])
    directory = Directory("tcp://127.0.0.1:*", pool, ["door"], BootClock())
    directory.open()
    directory.tell({"door": FIRST})
    uplink = Uplink(
        directory.endpoint, "door", picture=True, sound=True, curve=own, clock=BootClock()
    )
    step_until(uplink, lambda: uplink.place == FIRST)
    uplink.close()
    directory.close()


def test_edge_without_keys_is_not_sent_to_another_machine(directory: Directory) -> None:
    directory.tell({"door": "tcp://192.0.2.7:5571"})
    uplink = Uplink(
        directory.endpoint, "door", picture=True, sound=True, curve=None, clock=BootClock()
    )
    step_until(uplink, lambda: bool(directory.present()))
    for _ in range(5):
        uplink.step()

    assert uplink.place == directory.endpoint
    uplink.close()


def test_address_for_others_wants_keys() -> None:
    with pytest.raises(UsageError, match="give --curve DIR"):
        Directory("tcp://0.0.0.0:5570", None, ["door"], BootClock())


def test_address_that_is_taken_is_said(directory: Directory) -> None:
    other = Directory(directory.endpoint, None, ["door"], BootClock())
    with pytest.raises(OutputError, match="it is taken by another program"):
        other.open()
