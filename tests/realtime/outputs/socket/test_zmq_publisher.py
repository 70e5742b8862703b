import json
import sys
import tempfile
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zmq

from realtime.clock import NS_PER_S, ManualClock, WallClock
from realtime.config import PublisherConfig
from realtime.errors import OutputError, UsageError
from realtime.outputs.socket.zmq_publisher import ZmqPublisher
from realtime.outputs.stamper import MessageStamper
from realtime.outputs.wire import Message
from realtime.stats import Stats
from realtime.threads.mailbox import Mailbox, Policy
from realtime.threads.worker import Worker

pytestmark = pytest.mark.timeout(60)
POLL_MS = 5000  # far above what loopback takes; a time-out means a lost message


class Rig:
    """A publisher on a free port, stepped by the test, and the subscribers to it."""

    def __init__(self, capacity: int = 20_000, bind: str = "tcp://127.0.0.1:*") -> None:
        self.clock = ManualClock()
        self.stats = Stats()
        self.stamper = MessageStamper(
            "run1", self.clock, WallClock.fixed(datetime(2026, 1, 2, tzinfo=UTC))
        )
        self.mailbox: Mailbox[Message] = Mailbox(capacity, Policy.DROP_OLDEST)
        self.publisher = ZmqPublisher(
            PublisherConfig(bind=bind, capacity=capacity),
            self.mailbox,
            lambda: self.stamper.heartbeat({}, self.publisher.published(), {}),
            self.stats,
            self.clock,
        )
        self.context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self.subscribers: list[zmq.Socket[bytes]] = []

    def close(self) -> None:
        for subscriber in self.subscribers:
            subscriber.close(linger=0)
        self.context.term()
        self.publisher.close()

    def subscriber(self, prefix: str, hwm: int = 0) -> zmq.Socket[bytes]:
        """Return a subscriber that the publisher knows of."""
        n_before = self.stats.snapshot().count("subscriptions")
        subscriber = self.context.socket(zmq.SUB)
        self.subscribers.append(subscriber)
        subscriber.setsockopt(zmq.RCVHWM, hwm)
        if hwm:
            subscriber.setsockopt(zmq.RCVBUF, 4096)
        subscriber.connect(self.publisher.endpoint)
        subscriber.subscribe(prefix)
        while self.stats.snapshot().count("subscriptions") == n_before:
            self.publisher.step()
        return subscriber

    def post(self, message: Message) -> None:
        assert self.mailbox.put(message)
        self.publisher.step()


def event(source: str, topic_seq: int = 1, **body: object) -> Message:
    fields = {"type": "event", "id": "1", "phase": "onset", "seq": topic_seq}
    return Message(f"event/{source}/", {**fields, "topic_seq": topic_seq, **body})


def receive(subscriber: zmq.Socket[bytes]) -> Message:
    assert subscriber.poll(POLL_MS), "no message came"
    topic, payload = subscriber.recv_multipart()
    return Message(topic.decode(), json.loads(payload))


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    rig.publisher.open()
    yield rig
    rig.close()


def test_a_message_arrives_as_topic_and_json(rig: Rig) -> None:
    subscriber = rig.subscriber("event/")
    rig.post(event("door", label="Glocke läutet"))
    assert receive(subscriber) == event("door", label="Glocke läutet")


def test_a_late_subscriber_gets_the_last_state_marked_as_replay(rig: Rig) -> None:
    rig.post(event("door", topic_seq=1))
    rig.post(event("door", topic_seq=2, phase="offset"))
    late = rig.subscriber("event/door/")
    assert receive(late) == event("door", topic_seq=2, phase="offset", replay=True)
    rig.post(event("door", topic_seq=3))
    assert receive(late) == event("door", topic_seq=3)


def test_a_late_subscriber_gets_every_event_that_goes_on(rig: Rig) -> None:
    rig.post(event("door", 1, id="a"))
    rig.post(event("door", 2, id="b"))
    rig.post(event("door", 3, id="c"))
    rig.post(event("door", 4, id="b", phase="offset"))
    rig.post(event("door", 5, id="c", phase="update"))
    late = rig.subscriber("event/")
    assert [receive(late).body["id"] for _ in range(2)] == ["a", "c"]


def test_a_replay_keeps_to_the_topics_that_were_asked_for(rig: Rig) -> None:
    rig.post(event("cam1"))
    rig.post(event("cam10"))
    late = rig.subscriber("event/cam1/")
    rig.post(event("cam1", topic_seq=2))
    assert [receive(late).body["topic_seq"] for _ in range(2)] == [1, 2]


def test_a_subscriber_that_never_reads_costs_the_other_nothing(rig: Rig) -> None:
    n_messages, batch = 6000, 100
    stuck = rig.subscriber("event/", hwm=1)
    reader = rig.subscriber("event/")
    padding = "x" * 4000  # 24 MB in all: more than the kernel keeps for the stuck one
    got: list[object] = []
    for first in range(1, n_messages + 1, batch):
        for topic_seq in range(first, first + batch):
            rig.mailbox.put(event("door", topic_seq, padding=padding))
        while len(rig.mailbox):
            rig.publisher.step()
        while len(got) < first + batch - 1:
            got.append(receive(reader).body["topic_seq"])
    assert got == list(range(1, n_messages + 1))
    assert rig.stats.snapshot().count("dropped_messages") == 0
    n_stuck = 0
    while stuck.poll(200):
        stuck.recv_multipart()
        n_stuck += 1
    assert n_stuck < n_messages  # it did lose some: the test was hard enough


def test_messages_wake_the_publisher_before_its_time_out(rig: Rig) -> None:
    subscriber = rig.subscriber("event/")
    stop = threading.Event()
    worker = Worker("publish", rig.publisher.step, stop)
    worker.start()
    for topic_seq in range(1, 101):  # at one message a time-out this would take 10 s
        rig.mailbox.put(event("door", topic_seq))
        assert receive(subscriber).body["topic_seq"] == topic_seq
    rig.mailbox.close()
    assert worker.join(5.0)
    assert worker.error is None


def test_a_heartbeat_comes_at_once_and_then_each_interval(rig: Rig) -> None:
    subscriber = rig.subscriber("heartbeat/")
    first = receive(subscriber) if subscriber.poll(200) else None  # it may precede the subscription
    rig.post(event("door", topic_seq=7))
    assert rig.publisher.published() == {"heartbeat/": 1, "event/door/": 7}
    for _ in range(3):
        rig.clock.advance(NS_PER_S // 2)
        rig.publisher.step()
    beat = receive(subscriber)
    assert first is None or first.body["topic_seq"] == 1
    assert (beat.body["topic_seq"], beat.body["topics"]) == (2, {"event/door/": 7, "heartbeat/": 1})
    assert not subscriber.poll(0)


def test_connected_subscribers_are_counted(rig: Rig) -> None:
    first = rig.subscriber("event/")
    rig.subscriber("event/")
    while rig.publisher.n_subscribers != 2:  # the test's time-out ends it
        rig.publisher.step()
    first.close(linger=0)
    while rig.publisher.n_subscribers != 1:
        rig.publisher.step()


def test_what_the_mailbox_lost_is_counted() -> None:
    rig = Rig(capacity=2)
    rig.publisher.open()
    for topic_seq in range(1, 6):
        rig.mailbox.put(event("door", topic_seq))
    rig.publisher.step()
    assert rig.stats.snapshot().count("dropped_messages") == 3
    rig.close()


def test_close_publishes_what_is_left() -> None:
    rig = Rig()
    rig.publisher.open()
    subscriber = rig.subscriber("event/")
    rig.mailbox.put(event("door", phase="offset"))
    rig.mailbox.close()
    rig.publisher.close()
    assert receive(subscriber).body["phase"] == "offset"
    rig.close()


def test_the_step_says_when_a_closed_mailbox_is_empty(rig: Rig) -> None:
    rig.mailbox.put(event("door"))
    rig.mailbox.close()
    assert not rig.publisher.step()


def test_garbage_from_a_peer_is_ignored(rig: Rig) -> None:
    subscriber = rig.subscriber("event/")
    peer = rig.context.socket(zmq.XSUB)
    rig.subscribers.append(peer)
    peer.connect(rig.publisher.endpoint)
    for request in (b"", b"\x07event/", b"\x01" + b"x" * 900, b"\xff" * 10):
        peer.send(request)
    rig.post(event("door"))
    assert receive(subscriber).body["id"] == "1"


def test_a_taken_port_is_one_sentence(rig: Rig) -> None:
    second = Rig(bind=rig.publisher.endpoint)
    with pytest.raises(OutputError, match="is taken by another program"):
        second.publisher.open()
    second.close()


def test_an_endpoint_that_cannot_be_bound_is_one_sentence() -> None:
    rig = Rig(bind="ipc:///nowhere/at/all/x")
    with pytest.raises(OutputError, match="--bind wants an endpoint"):
        rig.publisher.open()
    rig.close()


@pytest.mark.parametrize(
    "bind", ["tcp://*:5556", "tcp://0.0.0.0:5556", "tcp://eth0:5556", "tcp://[::]:5556"]
)
def test_binding_where_others_can_reach_is_refused(bind: str) -> None:
    with pytest.raises(UsageError, match="--insecure"):
        Rig(bind=bind)


@pytest.mark.parametrize("bind", ["tcp://localhost:*", "tcp://127.0.0.1:0", "ipc://{tmp}/events"])
def test_a_local_endpoint_is_bound_and_told(bind: str) -> None:
    with tempfile.TemporaryDirectory() as folder:  # short: a socket's path has 107 characters
        rig = Rig(bind=bind.format(tmp=folder))
        rig.publisher.open()
        assert not rig.publisher.endpoint.endswith((":0", ":*"))
        rig.subscriber("event/")
        rig.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the folder goes at the end")
def test_nothing_lies_in_the_temporary_folder_while_it_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        rig = Rig()
        rig.publisher.open()
        assert list(Path(folder).iterdir()) == []
        subscriber = rig.subscriber("event/")
        rig.post(event("door"))
        assert receive(subscriber).body["id"] == "1"
        rig.close()


def test_stepping_a_publisher_that_is_not_open_is_a_programmers_mistake() -> None:
    rig = Rig()
    with pytest.raises(ValueError, match="open"):
        rig.publisher.step()
    rig.close()
