"""Whatever may come over the event socket: nobody else misses a message, and nothing is kept.

`FUZZ_S` sets how long each test draws (`fuzz.budget`); the door takes fifty connections a second.
"""

from __future__ import annotations

import contextlib
import random
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from zmq.utils import z85

import hostile_peers
from fuzz.budget import TIMEOUT_S, Budget, damaged
from realtime.client.keys import allow, make_client, make_server
from realtime.client.subscriber import Subscriber
from realtime.clock import MonotonicClock, WallClock
from realtime.config import PublisherConfig
from realtime.outputs.socket.allowed_clients import AllowedClients
from realtime.outputs.socket.zap import decide
from realtime.outputs.socket.zmq_publisher import ZmqPublisher
from realtime.outputs.stamper import MessageStamper
from realtime.outputs.wire import Message
from realtime.stats import Stats
from realtime.threads.mailbox import Mailbox, Policy
from realtime.threads.worker import Worker

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(TIMEOUT_S)]
MAX_MB = 60
WAIT_S = 10.0
KINDS = (b"SUB", b"XSUB", b"PUB", b"REQ", b"DEALER", b"", b"x" * 200)
TOPICS = (b"", b"event/", b"event/door/", b"heartbeat/", b"\xff\xfe", b"e", b"x" * 300)


def commands(rng: random.Random) -> bytes:
    """Return some frames of a peer that has shaken hands: requests, messages and commands."""
    said = b""
    for _ in range(rng.randrange(40)):
        kind = rng.randrange(5)
        if kind == 0:
            said += hostile_peers.frame(
                rng.choice((b"\0", b"\1", b"\2", b"")) + rng.choice(TOPICS),
                more=rng.random() < 0.2,
            )
        elif kind == 1:
            name = rng.choice((b"PING", b"PONG", b"SUBSCRIBE", b"CANCEL", b"ERROR", b"READY", b""))
            body = bytes((len(name),)) + name + rng.choice((*TOPICS, b"\0\0", rng.randbytes(20)))
            said += bytes((hostile_peers.COMMAND, len(body) % 256)) + body
        elif kind == 2:
            said += hostile_peers.frame(rng.randbytes(rng.randrange(300)), more=True)
        elif kind == 3:  # a length that is not so
            said += bytes((rng.randrange(8),)) + rng.randbytes(8)
        else:
            said += rng.randbytes(rng.randrange(30))
    return said


def conversation(rng: random.Random) -> tuple[bytes, bytes]:
    """Return a greeting and what follows it, one of them often damaged."""
    hello = hostile_peers.GREETING + hostile_peers.ready(rng.choice(KINDS))
    if rng.random() < 0.4:
        hello = damaged(hello, rng)[:4096]
    return hello, damaged(commands(rng), rng)[:8192] if rng.random() < 0.3 else commands(rng)


def speak(endpoint: str, rng: random.Random) -> None:
    """Say it to an endpoint, hear a little, and go, not always with a goodbye."""
    host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
    hello, rest = conversation(rng)
    with contextlib.suppress(OSError), socket.create_connection((host, int(port)), 2.0) as peer:
        peer.settimeout(0.05)
        peer.sendall(hello)
        if rng.random() < 0.7:
            with contextlib.suppress(TimeoutError):
                peer.recv(4096)
        peer.sendall(rest)
        if rng.random() < 0.5:
            with contextlib.suppress(TimeoutError):
                peer.recv(4096)
        if rng.random() < 0.3:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


class Stage:
    """A publisher in its thread, with keys or without, and a subscriber that means well."""

    def __init__(self, folder: Path, *, has_keys: bool) -> None:
        curve = str(folder / "server") if has_keys else None
        if has_keys:
            make_server(folder / "server")
            make_client(folder / "client", folder / "server" / "server.key")
            allow(folder / "server", folder / "client" / "client.key", "robot")
        clock = MonotonicClock()
        stamper = MessageStamper("r1", clock, WallClock(clock))
        self.mailbox: Mailbox[Message] = Mailbox(1000, Policy.DROP_OLDEST)
        self.publisher = ZmqPublisher(
            PublisherConfig(bind="tcp://127.0.0.1:*", curve=curve),
            self.mailbox,
            lambda: stamper.heartbeat({}, {}, {}),
            Stats(),
            clock,
        )
        self.publisher.open()
        self.worker = Worker(
            "publish", self.publisher.step, threading.Event(), lambda _: self.publisher.close()
        )
        self.worker.start()
        self.notices: list[str] = []
        self.reader = Subscriber(
            self.publisher.endpoint,
            curve=folder / "client" if has_keys else None,
            on_notice=self.notices.append,
        )
        self.n_sent = 0
        self.tell()  # it is there before anybody else
        self.notices.clear()

    def tell(self) -> None:
        """Send a message; return once the reader has it."""
        self.n_sent += 1
        head = {"v": 1, "run": "r1", "type": "event", "id": "1", "phase": "update", "label": "x"}
        fields = {**head, "seq": self.n_sent, "topic_seq": self.n_sent}
        self.mailbox.put(Message("event/door/", fields))
        while True:
            received = self.reader.receive(WAIT_S)
            assert received is not None, "no message came"
            if received.body["topic_seq"] == self.n_sent:
                return

    def close(self) -> None:
        self.reader.close()
        self.mailbox.close()
        assert self.worker.join(WAIT_S)
        assert self.worker.error is None


@pytest.fixture(params=[False, True], ids=["open", "curve"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory() as folder:
        yield (stage := Stage(Path(folder), has_keys=request.param))
        stage.close()


def test_nobody_misses_a_message_whatever_others_say(
    stage: Stage, request: pytest.FixtureRequest
) -> None:
    n_before = len(list(Path("/proc/self/fd").iterdir()))
    budget = Budget(f"connections, {request.node.callspec.id}")
    for rng in budget:
        speak(stage.publisher.endpoint, rng)
        if budget.n_inputs % 10 == 0:
            stage.tell()
    stage.tell()

    assert budget.n_inputs > 10
    assert budget.grown_mb < MAX_MB
    assert [notice for notice in stage.notices if "lost" in notice] == []
    assert len(list(Path("/proc/self/fd").iterdir())) <= n_before + 3 * 128


def test_any_request_to_the_doorkeeper_is_answered(tmp_path: Path) -> None:
    make_server(tmp_path / "server")
    make_client(tmp_path / "robot", tmp_path / "server" / "server.key")
    allow(tmp_path / "server", tmp_path / "robot" / "client.key", "robot")
    clients = AllowedClients(tmp_path / "server" / "clients")
    text = (tmp_path / "robot" / "client.key").read_text()
    key = z85.decode(text.split('"')[1].encode())
    request = [b"1.0", b"7", b"events", b"127.0.0.1", b"", b"CURVE", key]
    assert decide(request, clients)[2] == b"200"
    budget, n_let_in = Budget("zap requests"), 0
    for rng in budget:
        asked = [damaged(frame, rng) if rng.random() < 0.3 else frame for frame in request]
        asked = asked[: rng.randrange(8)] if rng.random() < 0.2 else asked
        answer = decide(asked, clients)
        assert len(answer) == 6
        assert (answer[2] == b"200") == (len(asked) == 7 and _is_right(asked, request))
        n_let_in += answer[2] == b"200"

    assert 0 < n_let_in < budget.n_inputs


def _is_right(asked: list[bytes], request: list[bytes]) -> bool:
    """Return whether all that counts is as it was; address and identity say nothing."""
    return all(asked[k] == request[k] for k in (0, 2, 5, 6))
