"""What a broker is told, without one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.command_line.flags import make_parser
from realtime.command_line.settings import make_config
from realtime.errors import UsageError
from realtime.outputs.mqtt.topics import Topics, slug
from realtime.outputs.wire import Quality
from wire_samples import LABELS, make_event, make_prediction, make_stamper, make_timeline

TOPICS = Topics("mafnet", "homeassistant", "1.2")


@given(st.lists(st.text(max_size=200), min_size=2, max_size=20, unique_by=str.lower))
def test_names_that_differ_in_more_than_case_are_plain_and_stay_different(names: list[str]) -> None:
    slugs = [slug(name) for name in names]
    assert len(set(slugs)) == len(names)
    assert all(0 < len(each) <= 71 and each.replace("_", "").isalnum() for each in slugs)
    assert all(each.isascii() for each in slugs)


def test_event_makes_its_label_on_and_off() -> None:
    stamper, timeline = make_stamper(), make_timeline()
    message = stamper.event(
        "hall", timeline, make_event(label="Bark"), make_prediction(), LABELS, Quality()
    )
    attributes, state = TOPICS.label_states(message.body, running=True)
    assert (state.topic, state.payload) == (f"mafnet/hall/label/{slug('Bark')}", "ON")
    assert attributes.topic == f"{state.topic}/attributes"
    told = json.loads(attributes.payload)
    assert told["confidence"] == 0.97
    assert told["evidence"]["sound"] == 0.75
    assert "offset" not in told


@pytest.mark.parametrize(
    ("state", "picture", "sound", "available"),
    [
        ("running", "ok", "ok", "online"),
        ("running", "lost", "ok", "online"),
        ("running", "lost", "lost", "offline"),
        ("running", "absent", "ok", "online"),
        ("ended", "ended", "ended", "offline"),
        ("failed", "ok", "ok", "offline"),
    ],
)
def test_source_is_there_while_it_runs_and_has_a_sense(
    state: str, picture: str, sound: str, available: str
) -> None:
    senses = {"picture": {"state": picture}, "sound": {"state": sound}}
    body = {"source": "hall", "state": state, "senses": senses}
    told = dict(TOPICS.stream(body))
    assert told["mafnet/hall/available"] == available
    assert (told["mafnet/hall/picture"], told["mafnet/hall/sound"]) == (picture, sound)


def test_home_assistant_gets_a_device_with_a_sensor_a_label() -> None:
    told = dict(TOPICS.devices("Front door", ["Bark", "Male speech, man speaking"]))
    configs = {topic: json.loads(payload) for topic, payload in told.items()}
    assert len(configs) == 4
    ids = {config["unique_id"] for config in configs.values()}
    assert len(ids) == 4
    assert {config["device"]["name"] for config in configs.values()} == {"Front door"}
    speech = next(c for c in configs.values() if c["name"].startswith("Male"))
    assert speech["state_topic"] == TOPICS.label("Front door", "Male speech, man speaking")
    assert speech["availability"][0] == {"topic": "mafnet/status"}
    assert all(topic.endswith("/config") for topic in configs)
    assert all(topic.startswith("homeassistant/") for topic in configs)


def test_without_discovery_nothing_is_announced() -> None:
    assert list(Topics("mafnet", None, "1").devices("hall", ["Bark"])) == []


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("localhost", ("localhost", 1883)),
        ("broker:8883", ("broker", 8883)),
        ("[::1]", ("::1", 1883)),
        ("[::1]:8883", ("::1", 8883)),
    ],
)
def test_broker_of_the_flag(flag: str, told: tuple[str, int]) -> None:
    mqtt = make_config(make_parser().parse_args(["--source", "demo", "--mqtt", flag])).mqtt
    assert mqtt is not None
    assert (mqtt.host, mqtt.port) == told


def test_broker_of_which_nobody_can_tell_the_port_is_refused() -> None:
    with pytest.raises(UsageError, match="an IPv6 address stands in brackets"):
        make_config(make_parser().parse_args(["--source", "demo", "--mqtt", "::1"]))
