"""Which rule holds for which event; the clock is the events' own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from rule_scene import Scene, at, event_body, make_config, make_rule

from realtime.controls import Profiles
from realtime.outputs.rules.engine import RuleEngine


@pytest.mark.parametrize(
    ("settings", "event", "why_not"),
    [
        ({}, {}, ""),
        ({"labels": ("siren",)}, {}, ""),
        ({"labels": ("Bark", "Howl")}, {}, "it is for Bark, Howl"),
        ({"sources": ("hall",)}, {}, ""),
        ({"sources": ("yard",)}, {}, "it is for yard"),
        ({"senses": "sound"}, {"alone": {"sound": 0.7, "picture": None}}, ""),
    ],
)
def test_rule_holds_by_label_source_and_sense(
    settings: dict[str, Any], event: dict[str, Any], why_not: str
) -> None:
    (verdict,) = Scene(make_rule(**settings)).take(**event)
    assert verdict.why_not == why_not


@pytest.mark.parametrize(
    ("needs", "event", "why_not"),
    [
        ("both", {"alone": {"sound": 0.7, "picture": 0.6}}, ""),
        ("both", {"alone": {"sound": 0.7, "picture": 0.2}}, "picture alone said 0.20"),
        ("picture", {"alone": {"sound": 0.7, "picture": None}}, "picture took no part"),
        ("sound", {"alone": {"sound": 0.1, "picture": 0.9}}, "sound alone said 0.10"),
        ("both", {"alone": None, "senses": ("picture", "sound")}, ""),
        ("both", {"alone": None, "senses": ("sound",)}, "picture took no part"),
    ],
)
def test_rule_wants_its_senses(needs: str, event: dict[str, Any], why_not: str) -> None:
    scene = Scene(make_rule(senses=needs))
    verdicts = [*scene.take(**event), *scene.take(phase="offset", **event)]
    assert len(verdicts) == 1
    assert verdicts[0].why_not.startswith(why_not)
    assert bool(verdicts[0].why_not) == bool(why_not)


def test_rule_holds_once_when_the_event_grows_sure_enough() -> None:
    scene = Scene(make_rule(confidence=0.8))
    assert scene.take(confidence=0.6) == []
    assert scene.take(phase="update", confidence=0.7) == []
    (verdict,) = scene.take(phase="update", confidence=0.85)
    assert verdict.why_not == ""
    assert scene.take(phase="update", confidence=0.9) == []
    assert scene.take(phase="offset", confidence=0.9) == []


def test_rule_says_at_the_end_that_an_event_never_was_sure_enough() -> None:
    scene = Scene(make_rule(confidence=0.8))
    scene.take(confidence=0.6)
    (verdict,) = scene.take(phase="offset", confidence=0.7)
    assert verdict.why_not == "confidence 0.70, it wants 0.80"


def test_last_message_counts_too_when_no_update_came_between() -> None:
    scene = Scene(make_rule(confidence=0.8))
    scene.take(confidence=0.6)
    (verdict,) = scene.take(phase="offset", confidence=0.85)
    assert verdict.why_not == ""


def test_rule_of_offsets_waits_for_the_end() -> None:
    scene = Scene(make_rule(phase="offset"))
    assert scene.take() == []
    (verdict,) = scene.take(phase="offset")
    assert (verdict.why_not, verdict.fact.duration_s) == ("", 2.0)


@pytest.mark.parametrize(
    ("moment", "holds"),
    [
        ("2026-11-27 21:59", False),  # a Friday
        ("2026-11-27 22:00", True),
        ("2026-11-28 05:59", True),  # of Friday's night
        ("2026-11-28 06:00", False),
        ("2026-11-28 23:00", False),  # Saturday's night begins
        ("2026-11-27 05:00", False),  # of Thursday's night
    ],
)
def test_night_over_midnight_belongs_to_the_day_it_begins_on(moment: str, holds: bool) -> None:
    scene = Scene(make_rule(times=("22:00-06:00",), weekdays=("fri",)))
    assert scene.held(onset=at(moment)) == holds


def test_time_of_day_is_that_of_the_wall_when_clocks_change() -> None:
    rule = make_rule(times=("02:00-03:00",))
    spring = at("2026-03-29 01:59")
    assert not Scene(rule).held(onset=spring)
    assert not Scene(rule).held(onset=spring + timedelta(minutes=2))  # it is 3:01
    for fold in (0, 1):  # half past two comes twice
        assert Scene(rule).held(onset=at("2026-10-25 02:30", fold))
    again = at("2026-10-25 02:30", 1)
    assert again.utcoffset() == timedelta(hours=1)
    assert not Scene(rule).held(onset=again + timedelta(minutes=31))


def test_weekday_is_that_of_the_wall_and_not_of_utc() -> None:
    scene = Scene(make_rule(weekdays=("mon",)))
    assert scene.held(onset=at("2026-11-30 00:10"))  # Sunday in UTC
    assert not scene.held(2, onset=at("2026-12-01 00:10"))


@pytest.mark.parametrize(
    ("days", "on"),
    [(("sat-sun",), (5, 6)), (("fri-mon",), (4, 5, 6, 0)), (("Monday",), (0,))],
)
def test_days_may_be_a_span(days: tuple[str, ...], on: tuple[int, ...]) -> None:
    assert make_rule(weekdays=days).when.days == frozenset(on)


def test_rule_cools_down() -> None:
    scene = Scene(make_rule(cooldown_s=60))
    noon = at("2026-11-30 12:00")
    assert scene.held(1, onset=noon)
    (verdict,) = scene.take(2, onset=noon + timedelta(seconds=59))
    assert verdict.why_not == "it held 59 s before"
    assert scene.held(3, onset=noon + timedelta(seconds=60))


def test_rule_cools_down_when_events_come_a_little_out_of_order() -> None:
    scene = Scene(make_rule(cooldown_s=60))
    noon = at("2026-11-30 12:00")
    assert scene.held(1, onset=noon)
    assert not scene.held(2, source="yard", onset=noon - timedelta(seconds=3))


def test_rule_is_not_silenced_when_the_wall_clock_is_set_back() -> None:
    scene = Scene(make_rule(cooldown_s=60, per_hour=1))
    noon = at("2026-11-30 12:00")
    assert scene.held(1, onset=noon)
    assert scene.held(2, onset=noon - timedelta(hours=3))


def test_rule_holds_so_often_within_an_hour() -> None:
    scene = Scene(make_rule(per_hour=3))
    noon = at("2026-11-30 12:00")
    held = [
        minute for minute in range(0, 130, 5) if scene.held(onset=noon + timedelta(minutes=minute))
    ]
    assert held == [0, 5, 10, 60, 65, 70, 120, 125]


def test_limits_are_not_used_up_by_what_does_not_hold() -> None:
    scene = Scene(make_rule(cooldown_s=600, labels=("Siren",)))
    noon = at("2026-11-30 12:00")
    assert not scene.held(1, label="Bark", onset=noon)
    assert scene.held(2, onset=noon + timedelta(seconds=1))


def test_each_rule_has_a_verdict_of_each_event() -> None:
    scene = Scene(make_rule("a"), make_rule("b", labels=("Bark",)), make_rule("c", phase="offset"))
    verdicts = [*scene.take(), *scene.take(phase="update"), *scene.take(phase="offset")]
    assert [(v.rule.name, bool(v.why_not)) for v in verdicts] == [
        ("a", False),
        ("b", True),
        ("c", False),
    ]


def test_event_whose_end_is_never_told_has_a_verdict_at_last() -> None:
    scene = Scene(make_rule(confidence=0.95))
    scene.take()
    (verdict,) = scene.engine.finish()
    assert verdict.why_not.startswith("confidence")


def test_memory_is_bounded_when_ends_are_lost() -> None:
    config = make_config(make_rule(confidence=1.0))
    engine = RuleEngine(config, Profiles(config), max_running=50)
    for number in range(59):
        list(engine.take(event_body(number)))
    assert sum(1 for _ in engine.finish()) == 50
