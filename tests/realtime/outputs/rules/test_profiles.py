"""Which profile holds."""

from __future__ import annotations

import pytest
from rule_scene import Scene, at, make_config, make_rule

from realtime.config import ProfileConfig, RulesConfig
from realtime.controls import Profiles
from realtime.errors import UsageError

NIGHT = ProfileConfig(name="night", times=("23:00-06:30",))
WORK = ProfileConfig(name="away", times=("08:00-17:00",), weekdays=("mon-fri",))


@pytest.mark.parametrize(
    ("moment", "profile"),
    [
        ("2026-11-30 07:00", "home"),
        ("2026-11-30 08:00", "away"),
        ("2026-11-29 08:00", "home"),  # a Sunday
        ("2026-11-30 23:00", "night"),
        ("2026-12-01 06:29", "night"),
        ("2026-12-01 06:30", "home"),
    ],
)
def test_profile_follows_the_schedule(moment: str, profile: str) -> None:
    assert Profiles(make_config(profiles=(NIGHT, WORK))).at(at(moment)) == profile


def test_first_of_two_that_hold_counts() -> None:
    late = ProfileConfig(name="late", times=("22:00-24:00",))
    profiles = Profiles(make_config(profiles=(late, NIGHT)))
    assert profiles.at(at("2026-11-30 23:30")) == "late"


def test_chosen_profile_holds_until_it_is_given_back() -> None:
    profiles = Profiles(make_config(profiles=(NIGHT, WORK)))
    profiles.choose("away")
    assert (profiles.chosen, profiles.at(at("2026-11-30 23:30"))) == ("away", "away")
    profiles.choose("auto")
    assert (profiles.chosen, profiles.at(at("2026-11-30 23:30"))) == ("auto", "night")


def test_unknown_profile_is_refused_by_name() -> None:
    profiles = Profiles(make_config(profiles=(NIGHT,)))
    with pytest.raises(UsageError, match="no profile 'nihgt'; there is home, night, auto"):
        profiles.choose("nihgt")
    assert profiles.chosen == "auto"


def test_rule_holds_in_its_profiles_alone() -> None:
    scene = Scene(make_rule(profiles=("away", "night")), profiles=(NIGHT,))
    (verdict,) = scene.take(1)
    assert verdict.why_not == "profile home, it is for away, night"
    scene.profiles.choose("away")
    assert scene.held(2)
    scene.profiles.choose("home")
    assert not scene.held(3, onset=at("2026-11-30 23:30"))
    scene.profiles.choose("auto")
    assert scene.held(4, onset=at("2026-11-30 23:30"))


def test_profiles_are_those_that_anything_names() -> None:
    config = make_config(make_rule(profiles=("away",)), profiles=(NIGHT,))
    assert config.profile_names == ("home", "night", "away")


@pytest.mark.parametrize("name", ["", "auto", "-x", "a" * 41, "a\nb", "a/b"])
def test_profile_has_a_plain_name(name: str) -> None:
    with pytest.raises(UsageError, match="a profile is called such as"):
        RulesConfig(profile=name)


def test_time_zone_that_nobody_knows_is_refused() -> None:
    for name in ("Mars/Olympus", "../../etc/passwd", ""):
        with pytest.raises(UsageError, match="time_zone is one such as Europe/Berlin"):
            RulesConfig(time_zone=name)
