"""A target's queue and tries, by a clock that is moved by hand."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest
from loopback import WAIT_S, wait_until
from rule_scene import BERLIN, Scene, event_body, make_rule

from realtime.clock import NS_PER_S, ManualClock
from realtime.outputs.rules.delivery import CAPACITY, MAX_TRIES, Delivery
from realtime.outputs.rules.job import Job
from realtime.outputs.rules.target import Answer, Outcome
from realtime.stats import Stats

DONE, AGAIN = Answer(Outcome.DONE), Answer(Outcome.AGAIN, "nobody is there")


class FakeTarget:
    name = "rule 'r', fake"
    limit_s = 1.0

    def __init__(self, *answers: Answer, last: Answer = DONE) -> None:
        self.answers, self.last = list(answers), last
        self.told: list[str] = []
        self.given_up = False

    def tell(self, job: Job) -> Answer:
        self.told.append(job.values["id"])
        return self.answers.pop(0) if self.answers else self.last

    def give_up(self) -> None:
        self.given_up = True


class Desk:
    def __init__(self, target: FakeTarget) -> None:
        self.clock, self.stats, self.target = ManualClock(), Stats(), target
        self.delivery = Delivery(target, self.clock, self.stats)

    def put(self, number: int = 1) -> None:
        body = event_body(number)
        (verdict,) = Scene(make_rule()).engine.take(body)
        self.delivery.put(
            Job.of(verdict, body, verdict.fact.onset.astimezone(BERLIN), self.clock.now_ns())
        )

    def step(self, after_s: float = 0.0) -> int:
        """Move the clock and take a step; return how many tries there were in all."""
        self.clock.advance(round(after_s * NS_PER_S))
        self.delivery.step()
        return len(self.target.told)

    def count(self, name: str) -> int:
        return self.stats.counts().get(name, 0)


def test_failed_try_is_made_again_after_a_while() -> None:
    desk = Desk(FakeTarget(AGAIN, AGAIN, AGAIN))
    desk.put()
    waits = [0.0, 0.9, 0.1, 4.9, 0.1, 19.9, 0.1]
    assert [desk.step(wait) for wait in waits] == [1, 1, 2, 2, 3, 3, 4]
    assert (desk.count("rules_told"), desk.count("rules_failed")) == (1, 3)
    assert desk.count("rules_lost") == 0


def test_tries_are_bounded() -> None:
    desk = Desk(FakeTarget(last=AGAIN))
    desk.put()
    for _ in range(MAX_TRIES + 1):
        desk.step(61.0)
    assert len(desk.target.told) == MAX_TRIES
    assert desk.count("rules_lost") == 1


def test_what_is_given_up_is_not_tried_again() -> None:
    desk = Desk(FakeTarget(Answer(Outcome.GIVEN_UP, "HTTP 404")))
    desk.put()
    assert [desk.step(61.0) for _ in range(2)] == [1, 1]
    assert desk.count("rules_lost") == 1


def test_what_is_too_old_is_not_told() -> None:
    desk = Desk(FakeTarget())
    desk.put()
    assert desk.step(601.0) == 0
    assert desk.count("rules_lost") == 1


def test_queue_is_bounded_and_the_oldest_go() -> None:
    desk = Desk(FakeTarget())
    for number in range(CAPACITY + 7):
        desk.put(number)
    while len(desk.target.told) < CAPACITY:
        desk.step()
    assert desk.target.told[0].endswith("-7")
    assert desk.count("rules_lost") == 7


def test_trouble_is_told_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    desk = Desk(FakeTarget(AGAIN, AGAIN, AGAIN))
    desk.put(1)
    desk.put(2)
    while len(desk.target.told) < 5:
        desk.step(30.0)
    assert [(r.levelname, r.message) for r in caplog.records] == [
        ("WARNING", "rule 'r', fake: nobody is there; it is tried again"),
        ("INFO", "rule 'r', fake is told again"),
    ]


def test_end_tries_once_more_and_says_what_was_never_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk(FakeTarget(last=AGAIN))
    desk.put(1)
    desk.put(2)
    desk.step()
    desk.delivery.start()
    desk.delivery.end()
    assert desk.delivery.join(WAIT_S)
    assert len(desk.target.told) == 3
    assert desk.count("rules_lost") == 2
    assert "was never told 2 of its events" in caplog.text


def test_target_that_hangs_is_told_of_and_left_at_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    over, hangs = threading.Event(), threading.Event()

    class Hanging(FakeTarget):
        def tell(self, job: Job) -> Answer:
            hangs.set()
            over.wait(WAIT_S)
            return DONE

    desk = Desk(Hanging())
    desk.delivery.start()
    for number in range(CAPACITY + 3):
        desk.put(number)
    assert hangs.wait(WAIT_S)
    desk.delivery.watch()
    assert caplog.text == ""
    desk.clock.advance(40 * NS_PER_S)
    for _ in range(3):
        desk.delivery.watch()
    assert caplog.text.count("does not answer") == 1
    desk.delivery.end()
    assert not desk.delivery.join(0.05)
    assert desk.target.given_up
    assert desk.count("rules_lost") >= CAPACITY
    over.set()


def test_thread_ends_when_nothing_is_left() -> None:
    desk = Desk(FakeTarget())
    desk.delivery.start()
    desk.put()
    wait_until(_told(desk, 1))
    desk.delivery.end()
    assert desk.delivery.join(WAIT_S)


def _told(desk: Desk, n: int) -> Callable[[], bool]:
    return lambda: len(desk.target.told) == n
