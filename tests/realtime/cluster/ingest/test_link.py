"""Who is an edge, which of two of the same name is heard, and what waits for its reader."""

from __future__ import annotations

from dataclasses import replace

from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.cluster.ingest.edge_clock import N_TO_SETTLE
from realtime.cluster.ingest.link import ASK_NS, MAX_WAITING, SILENT_NS, Link
from realtime.cluster.wire.protocol import Answer, Hello, Start

HELLO = Hello(name="door", session=1, picture=True, sound=True)
OTHER = replace(HELLO, session=2)


def settle(link: Link, now_ns: int) -> int:
    """Answer at once until its clock is known; return the time."""
    for _ in range(N_TO_SETTLE):
        question = link.ask(now_ns)
        assert question is not None
        assert not question.wanted
        answer = Answer(nonce=question.nonce, received_ns=now_ns, sent_ns=now_ns)
        assert link.answered(answer, now_ns + NS_PER_MS)
        now_ns += ASK_NS
        link.hear(now_ns)
    return now_ns


def test_samples_are_wanted_once_the_clock_is_known_and_somebody_reads() -> None:
    link = Link("door")
    assert link.greet(HELLO, b"p", 0) is None
    now_ns = settle(link, 0)
    question = link.ask(now_ns)
    assert question is not None
    assert not question.wanted
    link.attach(self_ := object(), lambda: now_ns)
    question = link.ask(now_ns + NS_PER_S)
    assert question is not None
    assert question.wanted
    assert question.t_ns == NS_PER_S
    link.detach(self_)
    link.hear(now_ns + 2 * NS_PER_S)
    question = link.ask(now_ns + 2 * NS_PER_S)
    assert question is not None
    assert not question.wanted


def test_second_edge_of_a_name_is_refused_while_the_first_is_heard() -> None:
    link = Link("door")
    link.greet(HELLO, b"first", 0)

    assert "already" in (link.greet(OTHER, b"second", SILENT_NS - 1) or "")
    assert link.peer == b"first"


def test_edge_that_was_started_anew_takes_over_once_the_former_is_silent() -> None:
    link = Link("door")
    link.greet(HELLO, b"first", 0)
    clock = link.clock

    assert link.greet(OTHER, b"second", SILENT_NS) is None
    assert link.peer == b"second"
    assert link.clock is not clock


def test_edge_that_comes_over_another_connection_keeps_its_clock_and_its_counts() -> None:
    link = Link("door")
    link.greet(HELLO, b"first", 0)
    clock, progress = link.clock, link.progress

    assert link.greet(HELLO, b"second", 1) is None
    assert (link.peer, link.clock, link.progress) == (b"second", clock, progress)


def test_answer_that_nobody_asked_for_is_refused() -> None:
    link = Link("door")
    link.greet(HELLO, b"p", 0)
    question = link.ask(0)
    assert question is not None

    assert not link.answered(Answer(nonce=question.nonce + 1, received_ns=0, sent_ns=0), 1)
    assert link.answered(Answer(nonce=question.nonce, received_ns=0, sent_ns=0), 1)
    assert not link.answered(Answer(nonce=question.nonce, received_ns=0, sent_ns=0), 1)


def test_oldest_is_dropped_and_counted_when_its_reader_is_slow() -> None:
    link, reader = Link("door"), object()
    link.put(Start(epoch_ns=-1), 0)  # before anybody reads
    link.attach(reader, lambda: None)
    for k in range(MAX_WAITING + 3):
        link.put(Start(epoch_ns=k), k)

    first = link.take(reader)
    assert first is not None
    assert first.message == Start(epoch_ns=3)
    assert link.take_dropped() == 3
    assert link.take_dropped() == 0


def test_former_reader_takes_and_ends_nothing() -> None:
    link, former, reader = Link("door"), object(), object()
    link.attach(former, lambda: None)
    link.attach(reader, lambda: None)
    link.put(Start(epoch_ns=1), 0)
    link.detach(former)

    assert link.take(former) is None
    assert link.take(reader) is not None
