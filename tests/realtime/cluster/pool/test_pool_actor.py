"""One recognizer of a pool, without Ray: streams come and go, its events are the pool's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from quick_recognition import use_quick_recognition_in_actors
from realtime.client.keys import main as keys_main
from realtime.client.subscriber import Subscriber
from realtime.clock import BootClock
from realtime.cluster.edge.capture import Capture
from realtime.cluster.edge.outlet import Outlet
from realtime.cluster.edge.uplink import Uplink
from realtime.cluster.pool.actor import ActorSpec, PoolActor
from realtime.cluster.pool.relay_feed import RelayFeed
from realtime.cluster.wire.protocol import JPEG
from realtime.config import RunConfig, SourceConfig, WindowConfig
from realtime.errors import UsageError

pytestmark = pytest.mark.timeout(120)

WAIT_S = 30.0
SPEC = ActorSpec(
    config=RunConfig(
        source=SourceConfig(name="door", kind="media", media="edge://door"),
        more_sources=(SourceConfig(name="yard", kind="media", media="edge://yard"),),
        window=WindowConfig(hop_s=0.25, n_clips=3),
        publisher=None,
        bundle="quick",
    )
)


class Edge:
    """Sends the demo scene, in a thread."""

    def __init__(self, endpoint: str, curve: Path | None) -> None:
        self._stop = threading.Event()
        clock = BootClock()
        self.uplink = Uplink(endpoint, "door", picture=True, sound=True, curve=curve, clock=clock)
        self._clock = clock
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(WAIT_S)

    def _run(self) -> None:
        while self.uplink.welcome is None and not self._stop.is_set():
            self.uplink.step()
        if self.uplink.welcome is not None:
            self._send()
        self.uplink.close()

    def _send(self) -> None:
        assert self.uplink.welcome is not None
        config = SourceConfig(name="door", kind="demo", loop=True)
        capture = Capture(config, self.uplink.welcome, self.uplink.news, self._clock)
        outlet = Outlet(capture.rings, JPEG, 90)
        is_on = False
        while not self._stop.is_set():
            self.uplink.step()
            if self.uplink.wanted and not is_on:
                is_on = True
                self.uplink.serve(outlet, capture.timeline)
                capture.start()
        capture.close()


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < until, "it does not come"
        time.sleep(0.02)


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    pool, own = tmp_path / "pool", tmp_path / "own"
    keys_main(["server", str(pool)])
    keys_main(["client", str(own), "--server", str(pool / "server.key")])
    keys_main(["allow", str(pool), str(own / "client.key"), "--name", "door"])
    return pool, own


@pytest.fixture
def actor(keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[PoolActor]:
    use_quick_recognition_in_actors(monkeypatch)
    made = PoolActor(replace(SPEC, curve=str(keys[0])), "a", "n1", "127.0.0.1")
    yield made
    made.close()


@pytest.fixture
def feed(actor: PoolActor, keys: tuple[Path, Path]) -> Iterator[RelayFeed]:
    with closing(RelayFeed(keys[0])) as made:
        made.follow({"a": actor.report().events})
        yield made


@pytest.fixture
def edge(actor: PoolActor, keys: tuple[Path, Path]) -> Iterator[Edge]:
    with closing(Edge(actor.report().edges, keys[1])) as made:
        yield made


def test_stream_is_recognized_from_when_it_is_taken_until_it_is_let_go_of(
    feed: RelayFeed, edge: Edge, actor: PoolActor
) -> None:
    actor.take("door")
    kinds: set[object] = set()

    def has_heard() -> bool:
        kinds.update(body["type"] for _, body in feed.receive())
        return {"prediction", "status", "heartbeat"} <= kinds

    wait_for(has_heard)
    wait_for(lambda: actor.report().senses["door"] == {"picture": "ok", "sound": "ok"})
    assert set(actor.report().report.streams) == {"door"}

    actor.release("door")
    feed.receive()
    said = [body for _ in range(8) for _, body in feed.receive()]
    assert not [body for body in said if body["type"] != "heartbeat"]  # not even an end
    assert actor.report().report.streams == frozenset()


@pytest.mark.usefixtures("edge")
def test_stream_that_comes_back_is_recognized_again(actor: PoolActor) -> None:
    for _ in range(2):
        actor.take("door")
        wait_for(lambda: actor.report().senses["door"] == {"picture": "ok", "sound": "ok"})
        wait_for(lambda: actor.report().counts["door"].get("predictions", 0) > 0)
        actor.release("door")


def test_events_of_an_actor_are_for_the_pools_key_alone(
    feed: RelayFeed, actor: PoolActor, keys: tuple[Path, Path]
) -> None:
    with Subscriber(actor.report().events, ("heartbeat",), curve=keys[1]) as edges_key:
        assert edges_key.receive(1.0) is None
    wait_for(lambda: bool(feed.receive()))


def test_node_with_another_version_is_refused() -> None:
    with pytest.raises(UsageError, match="install the same everywhere"):
        PoolActor(replace(SPEC, version="0.0.1"), "a", "n1", "127.0.0.1")
