"""Subscribers that mean harm (`hostile_peers`), against a publisher and one that means well.

`FUZZ_S=30` attacks for nine seconds each. `python tests/hostile_peers.py ENDPOINT ATTACK SECONDS`
does the same to a program that runs.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

import hostile_peers
from fuzz.budget import FUZZ_S, TIMEOUT_S
from realtime.clock import MonotonicClock, WallClock
from realtime.config import PublisherConfig
from realtime.outputs.socket.zmq_publisher import ZmqPublisher
from realtime.outputs.stamper import MessageStamper
from realtime.outputs.wire import Message
from realtime.stats import Stats
from realtime.threads.mailbox import Mailbox, Policy
from realtime.threads.worker import Worker

pytestmark = [
    pytest.mark.fuzz,
    pytest.mark.timeout(TIMEOUT_S),
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]
ATTACK_S = 0.3 * FUZZ_S
MAX_CONNECTIONS = 128  # of `front_door`
N_ATTACKERS = 2
MAX_GROWTH_BYTES = 60 << 20  # before: 190 MB a second
EVERY_S = 0.02
MAX_GAP_S = 2.0  # before: as long as it went on; the machine that tests may be busy


class Stage:
    """A publisher in its thread, a message every 20 ms, and a subscriber that reads them."""

    def __init__(self, bind: str) -> None:
        self.stats = Stats()
        clock = MonotonicClock()
        stamper = MessageStamper("r1", clock, WallClock(clock))
        self.mailbox: Mailbox[Message] = Mailbox(1000, Policy.DROP_OLDEST)
        self.publisher = ZmqPublisher(
            PublisherConfig(bind=bind),
            self.mailbox,
            lambda: stamper.heartbeat({}, {}, {}),
            self.stats,
            clock,
        )
        self.publisher.open()
        self.worker = Worker(
            "publish", self.publisher.step, threading.Event(), lambda _: self.publisher.close()
        )
        self.worker.start()
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.reader = self.context.socket(zmq.SUB)
        self.reader.connect(self.publisher.endpoint)
        self.reader.subscribe("event/")
        self.n_sent = 0

    def watch(self, seconds: float) -> float:
        """Send and read for so long; return the longest time without a new message."""
        end = next_at = heard_at = time.monotonic()
        end += seconds
        longest_s = 0.0
        while (now := time.monotonic()) < end:
            if now >= next_at:
                self.n_sent += 1
                next_at += EVERY_S
                self.mailbox.put(event(self.n_sent))
            while self.reader.poll(5):
                if "replay" not in json.loads(self.reader.recv_multipart()[1]):
                    now = time.monotonic()
                    longest_s, heard_at = max(longest_s, now - heard_at), now
        return max(longest_s, time.monotonic() - heard_at)

    def close(self) -> None:
        self.mailbox.close()
        self.worker.join(10.0)
        self.reader.close(linger=0)
        self.context.term()
        assert self.worker.error is None


def event(n: int) -> Message:
    fields = {"type": "event", "id": "1", "phase": "update", "seq": n, "topic_seq": n}
    return Message("event/door/", {**fields, "padding": "x" * 3000})


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.fixture(params=["tcp", "ipc"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage("tcp://127.0.0.1:*" if request.param == "tcp" else f"ipc://{folder}/events")
        yield stage
        stage.close()


@pytest.mark.parametrize("attack", hostile_peers.ATTACKS)
def test_memory_and_messages_hold_when_a_subscriber_floods(stage: Stage, attack: str) -> None:
    assert_held(stage, attack)


def test_memory_and_messages_hold_when_many_come_and_go() -> None:
    stage = Stage("tcp://127.0.0.1:*")
    assert_held(stage, "new_subscriptions", "10000")
    stage.close()


def assert_held(stage: Stage, *attack: str) -> None:
    stage.watch(0.3)
    before = resident_bytes()
    command = [sys.executable, hostile_peers.__file__, stage.publisher.endpoint]
    command += [attack[0], str(ATTACK_S), *attack[1:]]
    attackers = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(N_ATTACKERS)
    ]
    longest_s = stage.watch(ATTACK_S + 0.5)
    growth = resident_bytes() - before
    sent = [int(attacker.communicate()[0].split()[0]) for attacker in attackers]

    print(
        f"{' '.join(attack)}: {sum(sent) / 1e6:.1f} MB sent, grown by {growth / 1e6:.0f} MB, "
        f"longest time without a message {longest_s:.2f} s"
    )
    assert sum(sent) > 10_000  # it did try
    assert growth < MAX_GROWTH_BYTES, f"grown by {growth / 1e6:.0f} MB"
    assert longest_s < MAX_GAP_S, f"nothing for {longest_s:.2f} s"


def test_connections_are_bounded_and_the_one_that_was_there_is_served() -> None:
    stage = Stage("tcp://127.0.0.1:*")
    stage.watch(0.3)
    n_before = len(list(Path("/proc/self/fd").iterdir()))
    port = int(stage.publisher.endpoint.rpartition(":")[2])
    others = []
    for _ in range(3 * MAX_CONNECTIONS):  # the kernel takes a hundred more than we do
        other = hostile_peers.socket.socket()
        other.setblocking(False)
        other.connect_ex(("127.0.0.1", port))
        others.append(other)
    longest_s = stage.watch(3.0)
    n_after = len(list(Path("/proc/self/fd").iterdir()))
    n_connected = stage.publisher.n_subscribers
    for other in others:
        other.close()
    stage.close()

    assert n_connected <= MAX_CONNECTIONS
    assert n_after - n_before <= 3 * MAX_CONNECTIONS + 3 * MAX_CONNECTIONS  # theirs and ours
    assert longest_s < MAX_GAP_S
