"""The one address of a pool of several recognizers: who is sent where, and when told again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq

from realtime.buffers.audio_clock import AudioClock
from realtime.client.keys import main as keys_main
from realtime.clock import BootClock, Timeline
from realtime.cluster.edge.outlet import BLOCK, Outlet
from realtime.cluster.edge.uplink import Uplink
from realtime.cluster.ingest.directory import Directory
from realtime.cluster.ingest.hub import Hub
from realtime.cluster.ingest.link import WINDOW_WAITING
from realtime.cluster.wire.protocol import (
    RAW,
    At,
    Hello,
    Refused,
    SoundSent,
    Welcome,
    from_pool,
)
from realtime.config import SourceConfig
from realtime.errors import OutputError, UsageError
from realtime.rings import Rings
from realtime.stats import Stats

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


class Recognizer:
    """A hub whose stream is wanted, and what comes of it."""

    def __init__(self, endpoint: str = "tcp://127.0.0.1:*") -> None:
        self.hub = Hub(endpoint, None, BootClock(), WINDOW_WAITING)
        self.hub.open(
            Welcome(resize_to=4, size=4, crop="none", interpolation="nearest", grid_hz=16)
        )
        self.link = self.hub.link("door")
        self.epoch_ns: int | None = None
        self.link.attach(self, lambda: self.epoch_ns)
        self.hub.start()

    def indices(self) -> list[int]:
        """Return where the blocks of sound begin that came since this was asked last."""
        found = []
        while (arrived := self.link.take(self)) is not None:
            if isinstance(arrived.message, SoundSent):
                found.append(arrived.message.index)
        return found


def test_recognizer_gets_the_past_of_a_stream_if_it_has_nothing_of_it(
    directory: Directory,
) -> None:
    first, second = Recognizer(), Recognizer()
    directory.tell({"door": first.hub.endpoint})
    uplink = Uplink(
        directory.endpoint, "door", picture=False, sound=True, curve=None, clock=BootClock()
    )
    rings = Rings(SourceConfig(name="door", kind="demo"), 4, Timeline(), Stats())
    rings.timeline.start(0)
    rings.sounds.clock = AudioClock.exact(0)
    step_until(uplink, lambda: uplink.wanted)
    uplink.serve(Outlet(rings, RAW, 90), None)
    sent: list[int] = []
    heard: dict[Recognizer, list[int]] = {first: [], second: []}

    def hear_until(who: Recognizer, index: int) -> list[int]:
        def has_come() -> bool:
            heard[who] += who.indices()
            return index in heard[who]

        step_until(uplink, has_come)
        return heard[who]

    for k in range(50):
        rings.sounds.append(np.zeros(BLOCK, np.float32))
        sent.append(k * BLOCK)
        uplink.step()
    assert hear_until(first, sent[-1]) == sent
    first.epoch_ns = 0

    first.hub.close()
    again = Recognizer(first.hub.endpoint)  # another one, at the same address
    heard[again] = []
    rings.sounds.append(np.zeros(BLOCK, np.float32))
    sent.append(50 * BLOCK)
    assert hear_until(again, sent[-1]) == sent
    again.epoch_ns = 0

    directory.tell({"door": second.hub.endpoint})
    assert hear_until(second, sent[-1]) == sent

    again.indices()
    directory.tell({"door": again.hub.endpoint})  # it has the stream still, and gets what is new
    step_until(uplink, lambda: uplink.place == again.hub.endpoint and uplink.wanted)
    rings.sounds.append(np.zeros(BLOCK, np.float32))
    sent.append(51 * BLOCK)
    heard[again] = []
    assert hear_until(again, sent[-1]) == sent[-1:]
    uplink.close()
    for each in (again, second):
        each.hub.close()
