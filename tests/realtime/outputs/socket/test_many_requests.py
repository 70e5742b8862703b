"""Requests of subscribers, many at a time: a step takes some, publishes, and repeats little."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import zmq

from realtime.clock import ManualClock, WallClock
from realtime.config import PublisherConfig
from realtime.outputs.socket.zmq_publisher import ZmqPublisher
from realtime.outputs.stamper import MessageStamper
from realtime.outputs.wire import Message
from realtime.stats import Stats
from realtime.threads.mailbox import Mailbox, Policy

pytestmark = pytest.mark.timeout(60)
MAX_REQUESTS = 256  # a step


class Stepped:
    """A publisher in this thread, at a clock that stands still: nothing comes but by `step`."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.stats = Stats()
        wall = WallClock.fixed(datetime(2026, 1, 2, tzinfo=UTC))
        stamper = MessageStamper("r1", self.clock, wall)
        self.mailbox: Mailbox[Message] = Mailbox(10, Policy.DROP_OLDEST)
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.publisher = ZmqPublisher(
            PublisherConfig(bind="inproc://events"),
            self.mailbox,
            lambda: stamper.heartbeat({}, {}, {}),
            self.stats,
            self.clock,
            context=self.context,
        )
        self.publisher.open()
        self.peer = self.context.socket(zmq.XSUB)
        self.peer.connect("inproc://events")

    def count(self, name: str) -> int:
        return self.stats.snapshot().count(name)

    def close(self) -> None:
        self.peer.close(linger=0)
        self.publisher.close()
        self.context.term()


@pytest.fixture
def stepped() -> Iterator[Stepped]:
    yield (stepped := Stepped())
    stepped.close()


def event(n: int) -> Message:
    fields = {"type": "event", "id": "1", "phase": "update", "seq": n, "topic_seq": n}
    return Message("event/door/", fields)


def test_a_step_takes_a_bounded_number_of_requests_and_publishes(stepped: Stepped) -> None:
    for n in range(900):  # fewer than libzmq takes from one peer at a time
        stepped.peer.send(b"\x01event/%d" % n)
    stepped.mailbox.put(event(1))
    stepped.publisher.step()

    assert stepped.count("subscriptions") <= MAX_REQUESTS
    assert stepped.publisher.published()["event/door/"] == 1


def test_the_last_state_is_repeated_ten_times_a_second_at_most(stepped: Stepped) -> None:
    stepped.mailbox.put(event(1))
    stepped.publisher.step()
    for n in range(15):
        stepped.peer.send(b"\x01event/door/")
        while stepped.count("subscriptions") == n:  # the test's time-out ends it
            stepped.publisher.step()
        if n % 5 == 4:
            stepped.clock.advance(100_000_000)
    stepped.publisher.step()

    assert 3 <= stepped.count("replayed_messages") <= 4
