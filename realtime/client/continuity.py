"""What a client can conclude from run ids and sequence numbers: gaps, restarts, repeats. Pure.

`topic_seq` counts a topic's messages without holes, so a hole is a loss. The global `seq` has holes
for whoever filters by topic, and says nothing about losses. A heartbeat names the last `topic_seq`
of every topic: so the loss of a topic's end is noticed within a second too.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

HEARTBEAT = "heartbeat"
MAX_TOPICS = 1000  # 64 streams have 193; what a hostile publisher adds is not followed
MAX_SEQ = 10**24
MAX_SPANS = 256  # of numbers in a row that are remembered of a topic


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """`n_lost` messages of a topic never arrived."""

    topic: str
    n_lost: int

    def __str__(self) -> str:
        """Say it in words."""
        return f"{self.n_lost} message{'' if self.n_lost == 1 else 's'} of {self.topic} lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """The publisher is another run than before; all numbers start anew."""

    before: str
    now: str

    def __str__(self) -> str:
        """Say it in words."""
        return f"the publisher started anew (run {self.now}, before {self.before})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one message says about the stream of messages.

    Attributes:
        is_repeat: The message was seen before: a replay for somebody who subscribed just now.
        notices: What to tell, in order.
    """

    is_repeat: bool = False
    notices: tuple[Gap | Restart, ...] = ()


class _Numbers:
    """A set of numbers that mostly come in a row; of many holes the oldest are forgotten."""

    def __init__(self) -> None:
        self._spans: list[list[int]] = []  # [first, last], ascending and apart

    def add(self, number: int) -> bool:
        """Take one in; return whether it is new."""
        spans = self._spans
        at = bisect_right(spans, number, key=itemgetter(0))  # the span before begins no later
        if at and number <= spans[at - 1][1]:
            return False
        joins_before = at > 0 and spans[at - 1][1] == number - 1
        joins_after = at < len(spans) and spans[at][0] == number + 1
        if joins_before and joins_after:
            spans[at - 1][1] = spans.pop(at)[1]
        elif joins_before:
            spans[at - 1][1] = number
        elif joins_after:
            spans[at][0] = number
        else:
            spans.insert(at, [number, number])
        if len(spans) > MAX_SPANS:
            spans[0][1] = spans.pop(1)[1]
        return True


class Continuity:
    """Follows one publisher; not for several threads at a time.

    Args:
        prefixes: What was subscribed to; heartbeats are judged against these topics alone.
    """

    def __init__(self, prefixes: Sequence[str]) -> None:
        self._prefixes = tuple(prefixes)
        self._run: str | None = None
        self._received: dict[str, _Numbers] = {}  # the topic_seqs that came, by topic
        self._accounted: dict[str, int] = {}  # up to which losses were told, by topic
        self._joining: set[str] = set()  # topics of which only the state at subscribing came

    def check(self, topic: str, body: dict[str, object]) -> Verdict:
        """Judge the next message; fields must have the types of the schema."""
        run, topic_seq = body["run"], body["topic_seq"]
        if not isinstance(run, str) or not isinstance(topic_seq, int):
            raise TypeError("run must be a str and topic_seq an int")
        notices: list[Gap | Restart] = []
        if self._run is not None and run != self._run:
            notices.append(Restart(before=self._run, now=run))
            self._received.clear()
            self._accounted.clear()
            self._joining.clear()
        self._run = run
        is_replay = body.get("replay") is True
        if is_replay and topic not in self._received and len(self._joining) < MAX_TOPICS:
            self._joining.add(topic)
        is_new = True
        if topic in self._received or len(self._received) < MAX_TOPICS:
            is_new = self._received.setdefault(topic, _Numbers()).add(topic_seq)
        if is_replay and not is_new:
            return Verdict(is_repeat=True, notices=tuple(notices))
        # The state at subscribing may be several events, older ones first: their holes are no loss.
        # After a broken connection they are: then messages had come before.
        accounted = self._accounted.get(topic)
        is_joining = is_replay and topic in self._joining
        if accounted is not None and topic_seq > accounted + 1 and not is_joining:
            notices.append(Gap(topic=topic, n_lost=topic_seq - accounted - 1))
        if not is_replay:
            self._joining.discard(topic)
        if topic in self._accounted or len(self._accounted) < MAX_TOPICS:
            self._accounted[topic] = max(topic_seq, accounted or 0)
        if body.get("type") == HEARTBEAT:
            notices += self._check_ends(body.get("topics"))
        return Verdict(notices=tuple(notices))

    def _check_ends(self, topics: object) -> list[Gap]:
        """Compare what a heartbeat says was sent with what arrived."""
        gaps: list[Gap] = []
        if not isinstance(topics, dict):
            return gaps
        for topic, sent in topics.items():
            if not isinstance(sent, int) or abs(sent) > MAX_SEQ:
                continue
            if not str(topic).startswith(self._prefixes):
                continue
            accounted = self._accounted.get(topic)
            if accounted is not None and sent > accounted:
                gaps.append(Gap(topic=topic, n_lost=sent - accounted))
            if accounted is not None or len(self._accounted) < 2 * MAX_TOPICS:
                self._accounted[topic] = max(sent, accounted or 0)
        return gaps
