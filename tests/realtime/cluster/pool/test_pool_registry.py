"""What a pool's registry does with a cluster that fails, and that it needs nothing of its past."""

from __future__ import annotations

from realtime.clock import NS_PER_S, ManualClock
from realtime.cluster.pool.actor import ActorSpec, News
from realtime.cluster.pool.placement import Limits, Report
from realtime.cluster.pool.registry import FAULT_NS, LEARN_NS, Registry
from realtime.config import RunConfig, SourceConfig

SOURCES = [
    SourceConfig(name=name, kind="media", media=f"edge://{name}") for name in ("door", "yard")
]
SPEC = ActorSpec(config=RunConfig(source=SOURCES[0], more_sources=(SOURCES[1],)))


class Cluster:
    """Actors that do what they are told, until they are killed."""

    def __init__(self, room: int = 2) -> None:
        self.room = room
        self.hosted: dict[str, set[str]] = {}
        self.gone: dict[str, str] = {}
        self.n_started = 0
        self.is_broken = False

    def capacity(self) -> int:
        return self.room

    def names(self) -> list[str]:
        return list(self.hosted)

    def start(self, spec: ActorSpec) -> str:
        self.n_started += 1
        name = f"a{self.n_started}"
        if self.is_broken:
            self.gone[name] = "there is no such bundle"
        else:
            self.hosted[name] = set()
        return name

    def hear(self, names: list[str]) -> tuple[dict[str, News], dict[str, str]]:
        news = {name: self.news(name) for name in names if name in self.hosted}
        gone = {name: why for name, why in self.gone.items() if name in names}
        return news, gone

    def news(self, name: str) -> News:
        streams = frozenset(self.hosted[name])
        return News(
            report=Report(actor=name, node="n", bundle=SPEC.config.bundle, streams=streams),
            edges="tcp://127.0.0.1:1",
            events="tcp://127.0.0.1:2",
            senses={},
            counts={},
            latency_ms=(None, None),
            pid=1,
        )

    def give(self, actor: str, stream: str) -> None:
        if actor in self.hosted:
            self.hosted[actor].add(stream)

    def take_back(self, actor: str, stream: str) -> None:
        self.hosted.get(actor, set()).discard(stream)

    def stop(self, actor: str) -> None:
        self.hosted.pop(actor, None)

    def kill(self, actor: str) -> None:
        del self.hosted[actor]
        self.gone[actor] = "killed"


def stepped(registry: Registry, clock: ManualClock, n: int = 6) -> None:
    for _ in range(n):
        clock.advance(NS_PER_S // 5)
        registry.step()


def test_each_stream_gets_an_actor() -> None:
    cluster, clock = Cluster(), ManualClock(0)
    registry = Registry(SPEC, Limits(streams_per_actor=1), cluster, clock)
    stepped(registry, clock)

    assert sorted(map(len, cluster.hosted.values())) == [1, 1]
    assert set(registry.view().places) == {"door", "yard"}


def test_stream_of_a_killed_actor_goes_on_in_the_step_that_hears_of_it() -> None:
    cluster, clock = Cluster(), ManualClock(0)
    registry = Registry(SPEC, Limits(streams_per_actor=1), cluster, clock)
    stepped(registry, clock)
    victim = registry.view().places["door"]
    cluster.kill(victim)
    stepped(registry, clock, 1)

    view = registry.view()
    assert view.places["door"] == view.places["yard"] != victim
    assert view.n_moves == {"door": 1}
    assert view.moves[-1].why == "killed"


def test_registry_that_begins_anew_learns_who_has_what_and_moves_nothing() -> None:
    cluster, clock = Cluster(), ManualClock(0)
    before = Registry(SPEC, Limits(), cluster, clock)
    stepped(before, clock)
    hosted = {name: set(streams) for name, streams in cluster.hosted.items()}
    after = Registry(SPEC, Limits(), cluster, clock)
    stepped(after, clock)

    assert cluster.hosted == hosted
    assert after.view().places == before.view().places
    assert after.view().n_moves == {}


def test_registry_that_begins_anew_waits_no_longer_than_it_says_for_the_dead() -> None:
    cluster, clock = Cluster(), ManualClock(0)
    cluster.hosted = {"dead": set(), "well": set()}
    registry = Registry(SPEC, Limits(), cluster, clock)
    del cluster.hosted["dead"]
    stepped(registry, clock, 5)
    assert registry.view().places == {}
    stepped(registry, clock, LEARN_NS * 5 // NS_PER_S)

    assert set(registry.view().places.values()) == {"well"}


def test_actor_that_cannot_start_is_tried_again_after_a_while_and_its_reason_told() -> None:
    cluster, clock = Cluster(room=1), ManualClock(0)
    cluster.is_broken = True
    registry = Registry(SPEC, Limits(), cluster, clock)
    stepped(registry, clock, 20)
    assert registry.view().fault == "there is no such bundle"
    assert cluster.n_started == 1
    stepped(registry, clock, FAULT_NS * 5 // NS_PER_S)

    assert cluster.n_started == 2


def test_drained_actor_is_stopped_and_its_stream_goes_on() -> None:
    cluster, clock = Cluster(), ManualClock(0)
    registry = Registry(SPEC, Limits(streams_per_actor=1), cluster, clock)
    stepped(registry, clock)
    victim = registry.view().places["door"]
    registry.drain(victim)
    stepped(registry, clock, 2)

    assert victim not in cluster.hosted
    assert registry.view().places["door"] != victim


def test_nothing_is_left_when_it_ends() -> None:
    cluster, clock = Cluster(), ManualClock(0)
    registry = Registry(SPEC, Limits(), cluster, clock)
    stepped(registry, clock)
    registry.end()

    assert cluster.hosted == {}
