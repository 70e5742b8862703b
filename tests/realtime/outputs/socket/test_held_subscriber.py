"""A subscriber that is held (SIGSTOP) while messages go on: what it costs everybody else."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zmq

from realtime.clock import ManualClock, WallClock
from realtime.config import PublisherConfig
from realtime.outputs.socket.zmq_publisher import ZmqPublisher
from realtime.outputs.stamper import MessageStamper
from realtime.outputs.wire import Message
from realtime.stats import Stats
from realtime.threads.mailbox import Mailbox, Policy

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

N_MESSAGES = 60_000  # over three hours of predictions at a hop of 0.25 s and their events
BATCH = 100
PADDING = "x" * 4000  # 240 MB in all: far above every bound below
POLL_MS = 30_000  # far above what loopback takes
MAX_GROWTH_BYTES = 40 << 20  # 1000 kept messages are 4 MB; the kernel's buffers are not ours
HELD = """
import sys, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.connect(sys.argv[1])
socket.subscribe("event/")
socket.recv_multipart()
print("ready", flush=True)
while True:
    socket.recv_multipart()
"""


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def event(topic_seq: int) -> Message:
    fields = {"type": "event", "id": "1", "phase": "update", "seq": topic_seq}
    return Message("event/door/", {**fields, "topic_seq": topic_seq, "padding": PADDING})


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_bounded_and_the_other_subscriber_complete_when_one_is_held() -> None:
    clock, stats = ManualClock(), Stats()
    stamper = MessageStamper("run1", clock, WallClock.fixed(datetime(2026, 1, 2, tzinfo=UTC)))
    mailbox: Mailbox[Message] = Mailbox(1000, Policy.DROP_OLDEST)
    publisher = ZmqPublisher(
        PublisherConfig(bind="tcp://127.0.0.1:*"),
        mailbox,
        lambda: stamper.heartbeat({}, {}, {}),
        stats,
        clock,
    )
    publisher.open()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    reader = context.socket(zmq.SUB)
    reader.setsockopt(zmq.RCVHWM, 0)
    reader.connect(publisher.endpoint)
    reader.subscribe("event/")
    held = subprocess.Popen(
        [sys.executable, "-c", HELD, publisher.endpoint], stdout=subprocess.PIPE, text=True
    )
    try:
        while stats.snapshot().count("subscriptions") < 2:  # the test's time-out ends it
            publisher.step()
        n_received = publish(publisher, mailbox, reader, first=1, n=BATCH)
        assert held.stdout is not None
        assert held.stdout.readline() == "ready\n"
        os.kill(held.pid, signal.SIGSTOP)
        # What is kept for the held one fills up first; growth after that would be a leak.
        n_received += publish(publisher, mailbox, reader, first=n_received + 1, n=5_000)
        before = resident_bytes()
        n_received += publish(publisher, mailbox, reader, first=n_received + 1, n=N_MESSAGES)
        growth = resident_bytes() - before
        assert held.poll() is None  # it was there, and held, all the time
        assert publisher.n_subscribers == 2
    finally:
        held.kill()
        held.communicate()
        reader.close(linger=0)
        context.term()
        publisher.close()

    assert n_received == BATCH + 5_000 + N_MESSAGES
    assert stats.snapshot().count("dropped_messages") == 0  # the recognizer's side lost none
    print(f"grown by {growth / 1e6:.1f} MB while {N_MESSAGES} messages went out")
    assert growth < MAX_GROWTH_BYTES


def publish(
    publisher: ZmqPublisher,
    mailbox: Mailbox[Message],
    reader: zmq.Socket[bytes],
    *,
    first: int,
    n: int,
) -> int:
    """Send `n` messages as the recognizer does; return how many the reader got, without a hole."""
    for start in range(first, first + n, BATCH):
        numbers = range(start, min(start + BATCH, first + n))
        for topic_seq in numbers:
            mailbox.put(event(topic_seq))  # never waits: nothing holds recognition up
        while len(mailbox):
            publisher.step()
        for topic_seq in numbers:  # the healthy one reads as fast as they come
            assert reader.poll(POLL_MS), "a message was lost"
            assert b'"topic_seq":%d,' % topic_seq in reader.recv_multipart()[1]
    return n
