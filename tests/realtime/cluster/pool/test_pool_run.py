"""A pool's front, with actors that are only their event sockets: one address, one run."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.request import urlopen

import pytest
from jsonschema import Draft202012Validator

from realtime.client.subscriber import Received, Subscriber
from realtime.clock import NS_PER_S, BootClock, Timeline, WallClock
from realtime.cluster.pool.actor import News
from realtime.cluster.pool.continuing import OVER
from realtime.cluster.pool.placement import Move, Report
from realtime.cluster.pool.registry import View
from realtime.cluster.pool.run import FrontSettings, PoolRun
from realtime.config import PublisherConfig, RecordConfig, RunConfig, SourceConfig
from realtime.errors import UsageError
from realtime.outputs.metrics import MetricsPage
from realtime.outputs.socket.zmq_publisher import ZmqPublisher
from realtime.outputs.stamper import MessageStamper
from realtime.outputs.wire import Message, Quality, StreamState, StreamStatus
from realtime.packets import Phase
from realtime.stats import Stats
from realtime.threads.mailbox import Mailbox, Policy
from realtime.threads.worker import Worker
from wire_samples import LABELS, make_event, make_prediction, make_senses

pytestmark = pytest.mark.timeout(60)

SCHEMA = Draft202012Validator(
    json.loads((Path(__file__).parents[4] / "realtime" / "message.schema.json").read_text())
)
WAIT_S = 15.0
CONFIG = RunConfig(
    source=SourceConfig(name="door", kind="media", media="edge://door"),
    more_sources=(SourceConfig(name="yard", kind="media", media="edge://yard"),),
    publisher=PublisherConfig(bind="tcp://127.0.0.1:*", heartbeat_s=0.1),
)


class FakeActor:
    """Publishes what a test has it say."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.clock = BootClock()
        wall = WallClock(self.clock)
        self.stamper = MessageStamper(f"run-{name}", self.clock, wall)
        self.timeline = Timeline(wall)
        self.timeline.start(self.clock.now_ns() - 20 * NS_PER_S)
        self.mailbox: Mailbox[Message] = Mailbox(100, Policy.DROP_OLDEST)
        self.publisher = ZmqPublisher(
            PublisherConfig(bind="tcp://127.0.0.1:*"),
            self.mailbox,
            lambda: self.stamper.heartbeat({}, {}, {}),
            Stats(),
            self.clock,
        )
        self.publisher.open()
        self.stop = threading.Event()
        self.worker = Worker("publish", self.publisher.step, self.stop)
        self.worker.start()

    def news(self, streams: frozenset[str]) -> News:
        return News(
            report=Report(actor=self.name, node="n1", bundle="starter", streams=streams, level=1),
            edges="tcp://127.0.0.1:5571",
            events=self.publisher.endpoint,
            senses={},
            counts={name: {"predictions": 3, "events": 9} for name in streams},
            latency_ms=(40.0, 80.0),
            pid=1,
        )

    def say_status(self, source: str) -> None:
        status = StreamStatus(
            state=StreamState.RUNNING,
            senses=make_senses(),
            bundle="starter",
            bundle_version="8",
            labels=LABELS,
            background=None,
            hop_s=0.5,
            window_clips=10,
            device="cpu",
            backend="torch",
        )
        self.mailbox.put(self.stamper.status(source, status))

    def say_event(self, source: str, offset_s: float | None = None) -> None:
        event = replace(
            make_event(offset_s=offset_s), phase=Phase.ONSET if offset_s is None else Phase.OFFSET
        )
        decided = make_prediction()
        said = self.stamper.event(source, self.timeline, event, decided, LABELS, Quality())
        self.mailbox.put(said)
        self.mailbox.put(self.stamper.prediction(source, self.timeline, decided, LABELS, Quality()))

    def close(self) -> None:
        self.stop.set()
        self.worker.join(5.0)
        self.publisher.close()


class FakeCluster:
    """A pool that stands as a test says."""

    def __init__(self, actors: dict[str, FakeActor]) -> None:
        self.actors = actors
        self.places: dict[str, str] = {}
        self.moves: list[Move] = []
        self.has_ended = False

    def place(self, **places: str) -> None:
        for stream, actor in places.items():
            before = self.places.get(stream)
            self.moves.append(
                Move(stream=stream, before=before, after=actor, why="test", at_ns=len(self.moves))
            )
        self.places = {**self.places, **places}

    def view(self) -> View | None:
        return View(
            actors={
                name: actor.news(frozenset(s for s, a in self.places.items() if a == name))
                for name, actor in self.actors.items()
            },
            places=dict(self.places),
            coming=(),
            moves=tuple(self.moves),
            n_moves={},
            fault="",
            pid=1,
        )

    def utc_ns(self, actor: str) -> int | None:
        return time.time_ns()

    def end(self) -> None:
        self.has_ended = True


class Scene:
    def __init__(self, config: RunConfig = CONFIG) -> None:
        self.actors = {name: FakeActor(name) for name in ("a", "b")}
        self.cluster = FakeCluster(self.actors)
        self.run = PoolRun(
            config, FrontSettings(bind="tcp://127.0.0.1:*"), lambda _: self.cluster, None
        )
        self.run.open()
        self.run.start()
        self.heard: list[Received] = []
        self.subscriber = Subscriber(
            str(self.run.view().endpoint),
            ("event", "prediction", "status", "heartbeat"),
            on_notice=lambda sentence: pytest.fail(sentence),
        )

    def wait_for(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < until, "it does not come"
            message = self.subscriber.receive(0.05)
            if message is not None:
                self.heard.append(message)

    def events(self) -> list[dict[str, object]]:
        return [m.body for m in self.heard if m.body["type"] == "event" and not m.is_replay]

    def kinds(self) -> set[object]:
        return {m.body["type"] for m in self.heard}

    def close(self) -> None:
        self.run.close()
        self.subscriber.close()
        for actor in self.actors.values():
            actor.close()
        self.run.raise_failure()


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    made.close()


def test_events_of_all_actors_come_from_one_address_as_one_run(scene: Scene) -> None:
    scene.cluster.place(door="a", yard="b")
    scene.wait_for(lambda: "heartbeat" in scene.kinds())
    time.sleep(0.3)  # the front takes up the view
    for actor, source in (("a", "door"), ("b", "yard")):
        scene.actors[actor].say_status(source)
        scene.actors[actor].say_event(source)
    scene.wait_for(lambda: len(scene.events()) >= 2)
    scene.wait_for(lambda: {"event", "prediction", "status", "heartbeat"} <= scene.kinds())

    for message in scene.heard:
        SCHEMA.validate(message.body)
    run = scene.heard[0].body["run"]
    assert {m.body["run"] for m in scene.heard} == {run}
    assert sorted(str(b["id"]) for b in scene.events()) == [f"{run}-door-1", f"{run}-yard-1"]


def test_event_that_goes_on_when_its_stream_moves_is_carried_on(scene: Scene) -> None:
    scene.cluster.place(door="a")
    scene.wait_for(lambda: "heartbeat" in scene.kinds())
    time.sleep(0.3)
    scene.actors["a"].say_status("door")
    scene.actors["a"].say_event("door")
    scene.wait_for(lambda: len(scene.events()) == 1)
    scene.cluster.place(door="b")
    time.sleep(0.4)
    scene.actors["b"].say_event("door")
    scene.actors["b"].say_event("door", offset_s=11.5)
    scene.wait_for(lambda: len(scene.events()) == 2)

    assert len({body["id"] for body in scene.events()}) == 1
    assert [body["phase"] for body in scene.events()] == ["onset", "offset"]
    moving = [m.body for m in scene.heard if m.body["type"] == "status"]
    assert "reconnecting" in json.dumps(moving)


def test_end_of_the_pool_ends_events_and_actors(scene: Scene) -> None:
    scene.cluster.place(door="a")
    scene.wait_for(lambda: "heartbeat" in scene.kinds())
    time.sleep(0.3)
    scene.actors["a"].say_status("door")
    scene.actors["a"].say_event("door")
    scene.wait_for(lambda: len(scene.events()) == 1)
    scene.run.close()
    scene.wait_for(lambda: len(scene.events()) == 2)

    assert scene.events()[-1]["reason"] == OVER
    assert scene.cluster.has_ended


def test_what_a_person_is_shown_is_what_was_said(scene: Scene) -> None:
    scene.cluster.place(door="a")
    scene.wait_for(lambda: "heartbeat" in scene.kinds())
    time.sleep(0.3)
    scene.actors["a"].say_status("door")
    scene.actors["a"].say_event("door")
    scene.wait_for(lambda: scene.run.view().stream.prediction is not None)

    shown = scene.run.view()
    assert [event.label for event in shown.stream.active] == ["Siren"]
    assert shown.run.backend == "pool, a"
    assert shown.stats.count("predictions") == 3
    assert shown.stats.count("events") == 1
    assert [each.source for each in shown.others] == ["yard"]
    siren = shown.run.labels.index("Siren")
    assert shown.stream.prediction is not None
    assert float(shown.stream.prediction.window[siren]) > 0.5


def test_figures_are_told_by_actor_and_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    ports: list[int] = []
    before = MetricsPage.open
    monkeypatch.setattr(MetricsPage, "open", lambda self: ports.append(before(self)) or ports[-1])
    scene = Scene(replace(CONFIG, metrics="127.0.0.1:0"))
    try:
        scene.cluster.place(door="a")
        time.sleep(0.5)
        with urlopen(f"http://127.0.0.1:{ports[0]}/metrics", timeout=10) as page:
            text = page.read().decode()
    finally:
        scene.close()

    assert 'mafnet_pool_actor_streams{actor="a",node="n1"} 1.0' in text
    assert 'mafnet_pool_actor_load_level{actor="a",node="n1"} 1.0' in text
    assert 'mafnet_pool_stream_actor{actor="a",source="door"} 1.0' in text


def test_what_wants_pictures_here_is_refused() -> None:
    config = replace(CONFIG, record=RecordConfig(directory="events"))
    with pytest.raises(UsageError, match="--record needs pictures"):
        PoolRun(config, FrontSettings(bind="tcp://127.0.0.1:*"), lambda _: FakeCluster({}), None)
