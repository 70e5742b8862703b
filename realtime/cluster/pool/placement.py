"""Which actor of a pool recognizes which stream: choose, move, drain, add, degrade. Pure.

Place in the flow: the pool's registry (`realtime.cluster.pool.registry`) says what it hears of
actors and does what is decided here; a simulation does the same with a clock of its own. No Ray, no
sockets, no clock: times come in as integer nanoseconds on any clock that does not go back.

The rules:

1. A stream is pinned: it stays where it is until its actor is lost, drained or far overloaded.
2. It goes to the actor of its bundle with the least share of its limit in use; among equals to the
   one that gives up least to keep up, then to the node with the fewest streams, then by name.
3. Where all are full it goes to the least loaded all the same: an actor that does not keep up has
   less of all its live streams computed (`realtime.load_governor`), the same of each.
4. Actors are added while streams ask for more than there are, with `spare_actors` beyond, as far
   as the cluster has room. Of more than that the emptiest is drained after `idle_ns`.
5. An actor that was not heard for `silent_ns` is lost. Its streams are given away in the same step.
6. An actor loses one stream to another that has room and gives up nothing: if it has given up much
   for `overload_ns`, is over its limit, or has several while the other, a new one, has none. There
   is one such move each `rebalance_ns`.
7. A drained actor's streams go to others, and then it is stopped.

The interface is what `Placement` shows: `want`, `room`, `starting`, `heard`, `lose`, `lose_node`,
`drain`, `step`, `place_of`, `actors`, `moves`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from realtime.clock import NS_PER_S

OVERLOADED = 2  # levels of `realtime.load_governor`: a quarter of the pictures, or less


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a pool may do.

    Attributes:
        streams_per_actor: What an actor is given before another one is wanted.
        spare_actors: Actors beyond that, which take over at once.
        max_actors: The most there may be; None for what the cluster has.
        silent_ns: An actor that was not heard for so long is lost.
        start_ns: One that was started and was not heard for so long is given up.
        idle_ns: When there are more than are needed for so long, one is drained.
        overload_ns: How long an actor must give up much before a stream is moved away.
        rebalance_ns: Between two moves for the sake of load.
    """

    streams_per_actor: int = 8
    spare_actors: int = 1
    max_actors: int | None = None
    silent_ns: int = 2 * NS_PER_S
    start_ns: int = 180 * NS_PER_S
    idle_ns: int = 60 * NS_PER_S
    overload_ns: int = 5 * NS_PER_S
    rebalance_ns: int = 20 * NS_PER_S

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.streams_per_actor < 1 or self.spare_actors < 0:
            raise ValueError("an actor takes a stream at least, and spares are not fewer than none")
        if self.max_actors is not None and self.max_actors < 1:
            raise ValueError(f"a pool has an actor at least, got {self.max_actors}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What an actor says of itself.

    Attributes:
        actor: Its name.
        node: Where it runs.
        bundle: What it recognizes with.
        streams: Whom it has.
        level: What it gives up to keep up, 0 for nothing (`realtime.load_governor`).
    """

    actor: str
    node: str
    bundle: str
    streams: Collection[str]
    level: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Give:
    """Have an actor take a stream."""

    stream: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBack:
    """Have an actor let go of a stream that is not its any more."""

    stream: str
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start an actor; `starting` names it."""

    bundle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """End an actor, which has no streams any more, or is not heard."""

    actor: str
    why: str


Decision = Give | TakeBack | Start | Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A stream went from one actor to another; `before` is None for its first place."""

    stream: str
    before: str | None
    after: str
    why: str
    at_ns: int


@dataclass(slots=True, kw_only=True)
class Actor:
    """What is known of an actor; whoever looks at it writes nothing."""

    name: str
    bundle: str
    heard_ns: int
    node: str = ""
    streams: set[str] = field(default_factory=set)  # that are pinned to it
    level: int = 0
    is_ready: bool = False
    is_draining: bool = False
    overloaded_since_ns: int | None = None
    given_ns: dict[str, int] = field(default_factory=dict)  # when each was given last


class Placement:
    """Pins streams to actors; one thread calls it.

    `step` decides, and takes it for granted that what it returns is done. What did not work shows
    in the actors' reports, and is decided anew.

    Args:
        limits: What the pool may do.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._wanted: dict[str, str] = {}
        self._actors: dict[str, Actor] = {}
        self._room = 0
        self._places: dict[str, str] = {}
        self._before: dict[str, tuple[str, str]] = {}  # of those without a place: where it was, why
        self._moves: list[Move] = []
        self._todo: list[Decision] = []
        self._rebalanced_ns: int | None = None
        self._too_many_since_ns: dict[str, int] = {}

    @property
    def actors(self) -> Mapping[str, Actor]:
        """All actors that are there or come, by name."""
        return self._actors

    @property
    def moves(self) -> list[Move]:
        """Who went where since the beginning, first places too."""
        return self._moves

    def place_of(self, stream: str) -> str | None:
        """Return the actor that a stream is pinned to; None where it has to wait."""
        return self._places.get(stream)

    def want(self, streams: Mapping[str, str]) -> None:
        """Say which streams there are, each with its bundle; others are let go of."""
        self._wanted = dict(streams)
        for stream in [stream for stream in self._places if stream not in streams]:
            self._unpin(stream, "not wanted")
        for stream in [stream for stream in self._before if stream not in streams]:
            del self._before[stream]

    def room(self, n_actors: int) -> None:
        """Say how many actors more the cluster could start now."""
        self._room = n_actors

    def starting(self, actor: str, bundle: str, now_ns: int) -> None:
        """Say that an actor was started; it takes streams once it is heard."""
        self._actors[actor] = Actor(name=actor, bundle=bundle, heard_ns=now_ns)

    def heard(self, report: Report, now_ns: int) -> None:
        """Take an actor's report; one that nobody started here was there before, and is kept."""
        actor = self._actors.get(report.actor)
        if actor is None:
            actor = Actor(name=report.actor, bundle=report.bundle, heard_ns=now_ns)
            self._actors[report.actor] = actor
        is_new, actor.is_ready = not actor.is_ready, True
        actor.node, actor.bundle, actor.heard_ns = report.node, report.bundle, now_ns
        actor.level = report.level
        if report.level < OVERLOADED:
            actor.overloaded_since_ns = None
        elif actor.overloaded_since_ns is None:
            actor.overloaded_since_ns = now_ns
        for stream in report.streams:
            if stream in actor.streams:
                continue
            if is_new and stream in self._wanted and stream not in self._places:
                self._pin(stream, actor, now_ns, "was there")
            else:
                self._todo.append(TakeBack(stream=stream, actor=actor.name))
        for stream in actor.streams - set(report.streams):
            if now_ns - actor.given_ns[stream] >= self._limits.silent_ns:
                actor.given_ns[stream] = now_ns
                self._todo.append(Give(stream=stream, actor=actor.name))

    def lose(self, actor: str, why: str) -> None:
        """Say that an actor is gone; the next step gives its streams to others."""
        gone = self._actors.pop(actor, None)
        for stream in sorted(gone.streams) if gone is not None else ():
            self._places.pop(stream, None)
            self._before[stream] = (actor, why)

    def lose_node(self, node: str, why: str) -> None:
        """Say that all actors of a node are gone."""
        for name in [name for name, actor in self._actors.items() if actor.node == node]:
            self.lose(name, why)

    def drain(self, actor: str) -> None:
        """Have an actor's streams moved away, and then the actor stopped."""
        if actor in self._actors:
            self._actors[actor].is_draining = True

    def step(self, now_ns: int) -> list[Decision]:
        """Return what is to be done now, in this order."""
        decisions, self._todo = self._todo, []
        decisions += self._give_up_silent(now_ns)
        decisions += self._move_from_drained(now_ns)
        for stream in sorted(self._wanted.keys() - self._places.keys()):
            decisions += self._place(stream, now_ns)
        decisions += self._rebalance(now_ns)
        decisions += self._start()
        decisions += self._stop(now_ns)
        return decisions

    def _give_up_silent(self, now_ns: int) -> list[Decision]:
        decisions: list[Decision] = []
        for actor in list(self._actors.values()):
            most_ns = self._limits.silent_ns if actor.is_ready else self._limits.start_ns
            if now_ns - actor.heard_ns >= most_ns:
                why = "not heard" if actor.is_ready else "did not start"
                self.lose(actor.name, why)
                decisions.append(Stop(actor=actor.name, why=why))
        return decisions

    def _move_from_drained(self, now_ns: int) -> list[Decision]:
        decisions: list[Decision] = []
        for actor in [each for each in self._actors.values() if each.is_draining]:
            for stream in sorted(actor.streams):
                if self._choose(self._wanted[stream]) is None:
                    break  # it stays as long as nobody else takes it
                decisions += self._move(stream, "drained", now_ns)
        return decisions

    def _place(self, stream: str, now_ns: int) -> list[Decision]:
        actor = self._choose(self._wanted[stream])
        if actor is None:
            return []
        before, why = self._before.get(stream, (None, "new"))
        if before is not None:
            self._rebalanced_ns = now_ns  # what is new has time to settle
        self._pin(stream, actor, now_ns, why)
        return [Give(stream=stream, actor=actor.name)]

    def _rebalance(self, now_ns: int) -> list[Decision]:
        last_ns = self._rebalanced_ns
        if last_ns is not None and now_ns - last_ns < self._limits.rebalance_ns:
            return []
        limit = self._limits.streams_per_actor
        for actor in sorted(self._takers(), key=lambda each: (-each.level, each.name)):
            since_ns = actor.overloaded_since_ns
            is_slow = since_ns is not None and now_ns - since_ns >= self._limits.overload_ns
            other = self._choose(actor.bundle)
            if other is None or other.level or len(other.streams) + 1 > limit:
                continue
            is_better = len(other.streams) + 1 < len(actor.streams)
            is_uneven = not other.streams and len(actor.streams) > 1
            if (is_slow and is_better) or is_uneven or len(actor.streams) > limit:
                self._rebalanced_ns = now_ns
                newest = max(actor.streams, key=lambda each: (actor.given_ns[each], each))
                return self._move(newest, "load", now_ns)
        return []

    def _start(self) -> list[Decision]:
        decisions: list[Decision] = []
        for bundle in sorted(set(self._wanted.values())):
            n = self._n_wanted(bundle) - self._n_there(bundle)
            starts = [Start(bundle=bundle) for _ in range(max(0, min(n, self._room)))]
            self._room -= len(starts)
            decisions += starts
        return decisions

    def _stop(self, now_ns: int) -> list[Decision]:
        for bundle in {actor.bundle for actor in self._actors.values()}:
            self._drain_one_too_many(bundle, now_ns)
        empty = [a for a in self._actors.values() if a.is_draining and not a.streams]
        for actor in empty:
            self._actors.pop(actor.name)
        return [Stop(actor=actor.name, why="drained") for actor in empty]

    def _drain_one_too_many(self, bundle: str, now_ns: int) -> None:
        there = [actor for actor in self._takers() if actor.bundle == bundle]
        if self._n_there(bundle) <= self._n_wanted(bundle) or not there:
            self._too_many_since_ns.pop(bundle, None)
            return
        since_ns = self._too_many_since_ns.setdefault(bundle, now_ns)
        if now_ns - since_ns >= self._limits.idle_ns:
            del self._too_many_since_ns[bundle]
            min(there, key=lambda each: (len(each.streams), each.name)).is_draining = True

    def _n_wanted(self, bundle: str) -> int:
        """How many actors there should be."""
        n_streams = sum(each == bundle for each in self._wanted.values())
        if not n_streams:
            return 0
        n = -(-n_streams // self._limits.streams_per_actor) + self._limits.spare_actors
        if all(a.overloaded_since_ns is not None for a in self._takers() if a.bundle == bundle):
            n = max(n, self._n_there(bundle) + 1)
        most = self._limits.max_actors
        return n if most is None else min(n, most)

    def _n_there(self, bundle: str) -> int:
        return sum(a.bundle == bundle and not a.is_draining for a in self._actors.values())

    def _takers(self) -> list[Actor]:
        return [a for a in self._actors.values() if a.is_ready and not a.is_draining]

    def _choose(self, bundle: str) -> Actor | None:
        there = [actor for actor in self._takers() if actor.bundle == bundle]
        on_node = Counter[str]()
        for actor in self._actors.values():
            on_node[actor.node] += len(actor.streams)
        return min(
            there,
            key=lambda each: (len(each.streams), each.level, on_node[each.node], each.name),
            default=None,
        )

    def _move(self, stream: str, why: str, now_ns: int) -> list[Decision]:
        self._unpin(stream, why)
        taken_back = self._todo.pop()  # after it was given
        return [*self._place(stream, now_ns), taken_back]

    def _pin(self, stream: str, actor: Actor, now_ns: int, why: str) -> None:
        before, _ = self._before.pop(stream, (None, ""))
        self._places[stream] = actor.name
        actor.streams.add(stream)
        actor.given_ns[stream] = now_ns
        self._moves.append(
            Move(stream=stream, before=before, after=actor.name, why=why, at_ns=now_ns)
        )

    def _unpin(self, stream: str, why: str) -> None:
        name = self._places.pop(stream)
        self._before[stream] = (name, why)
        actor = self._actors[name]
        actor.streams.discard(stream)
        actor.given_ns.pop(stream, None)
        self._todo.append(TakeBack(stream=stream, actor=name))
