"""Which actor gets which stream, and what becomes of it when actors fail, fill up and go."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.clock import NS_PER_S
from realtime.cluster.pool.placement import (
    Decision,
    Give,
    Limits,
    Placement,
    Report,
    Start,
    Stop,
    TakeBack,
)

LIMITS = Limits(streams_per_actor=2, spare_actors=1)
BUNDLE = "starter"


class Pool:
    """Does what is decided, as a cluster with `room` for actors would."""

    def __init__(self, room: int = 4, limits: Limits = LIMITS) -> None:
        self.placement = Placement(limits)
        self.now_ns = 0
        self.room = room
        self.hosted: dict[str, set[str]] = {}
        self.levels: dict[str, int] = {}
        self.n_started = 0

    def want(self, n: int) -> None:
        self.placement.want({f"s{k}": BUNDLE for k in range(n)})

    def step(self, seconds: float = 0.25) -> list[Decision]:
        self.now_ns += round(seconds * NS_PER_S)
        for name, streams in self.hosted.items():
            report = Report(
                actor=name,
                node=f"n{name}",
                bundle=BUNDLE,
                streams=frozenset(streams),
                level=self.levels.get(name, 0),
            )
            self.placement.heard(report, self.now_ns)
        self.placement.room(self.room - len(self.hosted))
        decisions = self.placement.step(self.now_ns)
        for each in decisions:
            if isinstance(each, Start):
                name, self.n_started = f"a{self.n_started}", self.n_started + 1
                self.placement.starting(name, BUNDLE, self.now_ns)
                self.hosted[name] = set()
            elif isinstance(each, Give):
                self.hosted.get(each.actor, set()).add(each.stream)  # it may be dead by now
            elif isinstance(each, TakeBack):
                self.hosted.get(each.actor, set()).discard(each.stream)
            else:
                self.hosted.pop(each.actor, None)
        return decisions

    def settle(self) -> None:
        for _ in range(6):
            self.step()

    def counts(self) -> list[int]:
        return sorted(len(streams) for streams in self.hosted.values())


def test_actors_are_started_for_streams_with_one_to_spare() -> None:
    pool = Pool()
    pool.want(3)
    pool.settle()

    assert pool.counts() == [1, 1, 1]  # two for three streams, one to spare


def test_streams_go_to_the_least_loaded() -> None:
    pool = Pool(room=2)
    pool.want(4)
    pool.settle()

    assert pool.counts() == [2, 2]


def test_full_actors_take_more_all_the_same_when_the_cluster_has_no_room() -> None:
    pool = Pool(room=1)
    pool.want(5)
    pool.settle()

    assert pool.counts() == [5]


def test_streams_of_a_lost_actor_go_on_elsewhere_in_the_same_step() -> None:
    pool = Pool(room=2)
    pool.want(2)
    pool.settle()
    victim = pool.placement.place_of("s0")
    assert victim is not None
    del pool.hosted[victim]
    pool.placement.lose(victim, "killed")

    decisions = pool.step(0.0)

    other = str(pool.placement.place_of("s0"))
    assert other != victim
    assert Give(stream="s0", actor=other) in decisions
    assert pool.placement.moves[-1].before == victim
    assert pool.placement.moves[-1].why == "killed"


def test_actor_that_is_silent_is_lost_and_stopped() -> None:
    pool = Pool(room=2)
    pool.want(2)
    pool.settle()
    victim = pool.placement.place_of("s1")
    assert victim is not None
    del pool.hosted[victim]

    told = [each for _ in range(9) for each in pool.step()]

    assert Stop(actor=victim, why="not heard") in told
    assert pool.placement.place_of("s1") not in (None, victim)


def test_all_streams_of_a_lost_node_move() -> None:
    pool = Pool(room=2)
    pool.want(2)
    pool.settle()
    victim = pool.placement.place_of("s0")
    pool.hosted.pop(str(victim))
    pool.placement.lose_node(f"n{victim}", "node lost")
    pool.step()

    assert pool.placement.place_of("s0") != victim


def test_stream_stays_where_it_is_while_its_actor_is_well() -> None:
    pool = Pool()
    pool.want(3)
    pool.settle()
    before = {s: pool.placement.place_of(s) for s in ("s0", "s1", "s2")}
    for _ in range(400):
        pool.step()

    assert {s: pool.placement.place_of(s) for s in before} == before


def test_drained_actor_is_stopped_once_its_streams_have_moved() -> None:
    pool = Pool(room=3)
    pool.want(2)
    pool.settle()
    victim = str(pool.placement.place_of("s0"))
    pool.placement.drain(victim)

    decisions = pool.step()

    at = {type(each): k for k, each in enumerate(decisions)}
    assert at[Give] < at[TakeBack] < at[Stop]
    assert victim not in pool.hosted
    assert pool.placement.place_of("s0") not in (None, victim)


def test_drained_actor_keeps_its_streams_while_nobody_else_is_there() -> None:
    pool = Pool(room=1)
    pool.want(1)
    pool.settle()
    (only,) = pool.hosted
    pool.placement.drain(only)
    pool.step()

    assert pool.placement.place_of("s0") == only


def test_overloaded_actor_loses_one_stream_to_one_that_keeps_up() -> None:
    limits = Limits(streams_per_actor=4, spare_actors=0)
    pool = Pool(room=1, limits=limits)
    pool.want(4)
    pool.settle()
    (slow,) = pool.hosted
    pool.levels[slow] = 3
    pool.room = 2
    for _ in range(30):
        pool.step()

    assert pool.counts() == [1, 3]  # one move, and not the next before its time
    assert pool.placement.moves[-1].why == "load"


def test_actor_that_is_not_needed_is_stopped() -> None:
    pool = Pool()
    pool.want(4)
    pool.settle()
    pool.want(1)
    for _ in range(800):
        pool.step()

    assert len(pool.hosted) == 2  # one and one to spare


def test_new_actor_gets_a_stream_of_one_that_has_several() -> None:
    limits = Limits(streams_per_actor=4, spare_actors=1)
    pool = Pool(room=1, limits=limits)
    pool.want(2)
    pool.settle()
    assert pool.counts() == [2]
    pool.room = 2
    pool.settle()

    assert pool.counts() == [1, 1]


def test_stream_of_another_bundle_gets_another_actor() -> None:
    placement = Placement(LIMITS)
    placement.want({"a": "starter", "b": "ave"})
    placement.heard(Report(actor="x", node="n", bundle="starter", streams=()), 0)
    placement.room(5)
    decisions = placement.step(0)

    assert Give(stream="a", actor="x") in decisions
    assert placement.place_of("b") is None
    assert Start(bundle="ave") in decisions


def test_placement_is_learned_from_the_actors_when_it_begins_anew() -> None:
    placement = Placement(LIMITS)
    placement.want({"a": BUNDLE, "b": BUNDLE})
    for actor, stream in (("x", "b"), ("y", "a")):
        placement.heard(Report(actor=actor, node="n", bundle=BUNDLE, streams=(stream,)), 0)

    assert placement.step(0) == []
    assert (placement.place_of("a"), placement.place_of("b")) == ("y", "x")


def test_stream_that_is_at_two_actors_is_taken_back_from_the_second() -> None:
    placement = Placement(LIMITS)
    placement.want({"a": BUNDLE})
    for actor in ("x", "y"):
        placement.heard(Report(actor=actor, node="n", bundle=BUNDLE, streams=("a",)), 0)

    assert TakeBack(stream="a", actor="y") in placement.step(0)


def test_stream_is_given_again_when_its_actor_does_not_have_it() -> None:
    placement = Placement(LIMITS)
    placement.want({"a": BUNDLE})
    empty = Report(actor="x", node="n", bundle=BUNDLE, streams=())
    placement.heard(empty, 0)
    assert Give(stream="a", actor="x") in placement.step(0)
    placement.heard(empty, NS_PER_S)
    assert placement.step(NS_PER_S) == []  # it may be about to take it
    placement.heard(empty, 3 * NS_PER_S)

    assert Give(stream="a", actor="x") in placement.step(3 * NS_PER_S)


def test_limits_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValueError, match="a stream at least"):
        Limits(streams_per_actor=0)
    with pytest.raises(ValueError, match="an actor at least"):
        Limits(max_actors=0)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("want"), st.integers(0, 8)),
            st.tuples(st.just("kill"), st.integers(0, 5)),
            st.tuples(st.just("drain"), st.integers(0, 5)),
            st.tuples(st.just("load"), st.integers(0, 5)),
            st.tuples(st.just("wait"), st.integers(1, 40)),
        ),
        max_size=30,
    )
)
def test_each_stream_has_one_place_and_all_have_one_whatever_happens(
    steps: list[tuple[str, int]],
) -> None:
    pool, n = Pool(room=3), 0
    for what, k in steps:
        names = sorted(pool.hosted)
        if what == "want":
            n = k
            pool.want(n)
        elif what == "wait":
            for _ in range(k):
                pool.step()
        elif names:
            name = names[k % len(names)]
            if what == "kill":
                del pool.hosted[name]
            elif what == "drain":
                pool.placement.drain(name)
            else:
                pool.levels[name] = k
        pool.step()
    for _ in range(30):
        pool.step()

    hosted = [stream for streams in pool.hosted.values() for stream in streams]
    assert sorted(hosted) == [f"s{i}" for i in range(n)]
    for stream in hosted:
        place = pool.placement.place_of(stream)
        assert stream in pool.hosted[str(place)]
