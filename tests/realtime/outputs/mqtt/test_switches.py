"""What a broker may switch, without one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from realtime.config import ProfileConfig, RecordConfig, RulesConfig, RunConfig, SourceConfig
from realtime.controls import Controls
from realtime.outputs.mqtt.switches import Switches
from realtime.outputs.mqtt.topics import Topics

RULES = RulesConfig(
    time_zone="Europe/Berlin", profiles=(ProfileConfig(name="night", times=("23:00-06:00",)),)
)


def make_switches(**settings: Any) -> tuple[Switches, Controls]:
    controls = Controls(
        RunConfig(
            source=SourceConfig(name="hall", kind="demo"),
            more_sources=(SourceConfig(name="Yard", kind="demo"),),
            record=RecordConfig(directory="somewhere"),
            rules=RULES,
        )
    )
    switches = Switches(
        Topics("mafnet", "homeassistant", "1.2"),
        controls,
        **{
            "control": True,
            "records": True,
            "has_rules": True,
            "now": lambda: datetime(2026, 11, 30, 23, 0, tzinfo=UTC),
            **settings,
        },
    )
    return switches, controls


def states(switches: Switches) -> dict[str, str]:
    return {said.topic.removeprefix("mafnet/"): said.payload for said in switches.states()}


def test_switches_stand_as_the_run_does() -> None:
    switches, controls = make_switches()
    assert states(switches) == {
        "hall/pause": "OFF",
        "hall/recording": "ON",
        "yard/pause": "OFF",
        "yard/recording": "ON",
        "profile": "auto",
        "profile/now": "night",
    }
    controls.pause("hall", True)
    controls.profiles.choose("home")
    after = states(switches)
    assert (after["hall/pause"], after["profile"], after["profile/now"]) == ("ON", "home", "home")


def test_commands_are_obeyed() -> None:
    switches, controls = make_switches()
    for topic, word in (
        ("mafnet/hall/pause/set", b"ON"),
        ("mafnet/hall/recording/set", b"off"),
        ("mafnet/profile/set", b"night"),
    ):
        assert topic in switches.command_topics
        assert switches.obey(topic, word)
    assert controls.is_paused("hall")
    assert not controls.records("hall")
    assert controls.records("Yard")
    assert controls.profiles.chosen == "night"


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        ("mafnet/hall/pause/set", b"maybe"),
        ("mafnet/hall/pause/set", b"\xff\xfe" * 1000),
        ("mafnet/hall/pause/set", b""),
        ("mafnet/profile/set", b"nowhere\x1b[2J"),
        ("mafnet/cellar/pause/set", b"ON"),
        ("mafnet/hall/pause", b"ON"),
    ],
)
def test_what_is_no_command_changes_nothing(
    topic: str, payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    switches, _ = make_switches()
    before = states(switches)
    assert not switches.obey(topic, payload)
    assert states(switches) == before
    assert "\x1b" not in caplog.text


def test_nothing_can_be_switched_where_that_is_off() -> None:
    switches, controls = make_switches(control=False)
    assert switches.command_topics == ()
    assert not switches.obey("mafnet/hall/pause/set", b"ON")
    assert not controls.is_paused("hall")
    assert states(switches) == {"profile/now": "night"}
    kinds = [said.topic.split("/")[1] for said in switches.source_entities("hall", has_level=True)]
    assert kinds == ["sensor"]
    assert [said.topic.split("/")[1] for said in switches.run_entities()] == ["sensor"]


def test_recording_has_no_switch_where_nothing_is_recorded() -> None:
    switches, _ = make_switches(records=False, has_rules=False)
    assert set(states(switches)) == {"hall/pause", "yard/pause"}
    assert list(switches.run_entities()) == []


def test_home_assistant_finds_switches_select_and_level() -> None:
    switches, _ = make_switches()
    found = {
        said.topic: json.loads(said.payload)
        for said in (*switches.source_entities("hall", has_level=True), *switches.run_entities())
    }
    pause = found["homeassistant/switch/mafnet_hall/pause/config"]
    assert (pause["command_topic"], pause["state_topic"]) == (
        "mafnet/hall/pause/set",
        "mafnet/hall/pause",
    )
    assert found["homeassistant/switch/mafnet_hall/recording/config"]["unique_id"] == (
        "mafnet_hall_recording"
    )
    level = found["homeassistant/sensor/mafnet_hall/sound_level/config"]
    assert level["unit_of_measurement"] == "dBFS"
    select = found["homeassistant/select/mafnet/profile/config"]
    assert select["options"] == ["home", "night", "auto"]
    assert select["availability"] == [{"topic": "mafnet/status"}]
    assert len(found) == 5


def test_sound_level_is_not_told_in_a_pause() -> None:
    switches, controls = make_switches()
    said = switches.level("hall", -31.26)
    assert said == ("mafnet/hall/sound_level", "-31.3")
    controls.pause("hall", True)
    assert switches.level("hall", -31.26) is None
