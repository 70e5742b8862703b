"""A real mosquitto on loopback: states, a broker that goes and comes back, a password, Ctrl-C."""

from __future__ import annotations

import json
import logging
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.mosquitto import MOSQUITTO, WAIT_S, Broker, Listener
from integration.processes import ROOT, run_stream
from realtime.clock import NS_PER_S, ManualClock
from realtime.config import MqttConfig, ProfileConfig, RulesConfig, RunConfig, SourceConfig
from realtime.controls import Controls
from realtime.outputs.mqtt.output import PASSWORD_VARIABLE, MqttOutput
from realtime.outputs.mqtt.topics import slug
from realtime.outputs.wire import Quality, StreamState, StreamStatus
from realtime.stats import Stats
from wire_samples import (
    LABELS,
    make_event,
    make_prediction,
    make_senses,
    make_stamper,
    make_timeline,
)

pytestmark = [
    pytest.mark.device,
    pytest.mark.skipif(not Path(MOSQUITTO).exists(), reason="mosquitto is not installed"),
    pytest.mark.timeout(180),
]


class Rig:
    """An output that is told events of one source."""

    def __init__(self, broker: Broker, **settings: Any) -> None:
        self.stats, self.stamper = Stats(), make_stamper()
        self.timeline, self.clock = make_timeline(), ManualClock(NS_PER_S)
        self.level_db = -30.0
        self.controls = Controls(
            RunConfig(
                source=SourceConfig(name="hall", kind="demo"),
                rules=RulesConfig(profiles=(ProfileConfig(name="away", weekdays=("mon",)),)),
            )
        )
        config = MqttConfig(host="127.0.0.1", port=broker.port, **settings)
        self.output = MqttOutput(
            config,
            "1.2",
            self.stats,
            self.controls,
            records=True,
            has_rules=True,
            levels=lambda: {"hall": self.level_db},
            clock=self.clock,
        )
        self.output.open()

    def tick(self, after_s: float = 1.0) -> None:
        self.clock.advance(round(after_s * NS_PER_S))
        self.output.tick()

    def status(self, state: StreamState = StreamState.RUNNING) -> None:
        status = StreamStatus(
            state=state,
            senses=make_senses(),
            bundle="starter",
            bundle_version="7",
            labels=LABELS,
            background="Background",
            hop_s=0.25,
            window_clips=10,
            device="cpu",
            backend="torch",
        )
        self.output.write(self.stamper.status("hall", status))

    def event(self, number: int, *, label: str = "Siren", ends: bool = False) -> None:
        event = make_event(number, label=label, onset_s=1.0, offset_s=2.0 if ends else None)
        message = self.stamper.event(
            "hall", self.timeline, event, make_prediction(), LABELS, Quality()
        )
        self.output.write(message)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    yield broker
    broker.stop()


def test_states_follow_events_and_the_last_will_says_offline(broker: Broker) -> None:
    listener, rig = Listener(broker), Rig(broker)
    siren = f"mafnet/hall/label/{slug('Siren')}"
    rig.status()
    listener.wait_for("mafnet/status", "online")
    listener.wait_for("mafnet/hall/available", "online")
    listener.wait_for(siren, "OFF")
    rig.event(1)
    listener.wait_for(siren, "ON")
    rig.event(1, ends=True)
    listener.wait_for(siren, "OFF")
    listener.wait_for_events(2)
    assert [event["phase"] for event in listener.events] == ["onset", "offset"]
    devices = [topic for topic in listener.states if topic.startswith("homeassistant/")]
    assert len(devices) == len(LABELS) - 1 + 2 + 3
    rig.output.close()
    listener.wait_for("mafnet/status", "offline")
    listener.close()


def test_light_of_the_example_is_on_while_an_event_goes_on(broker: Broker) -> None:
    example = ROOT / "examples" / "light_by_mqtt.py"
    topics = [f"mafnet/+/label/{slug('Siren')}", "cmnd/hall/POWER"]
    light = subprocess.Popen(
        [sys.executable, str(example), *topics, "--port", str(broker.port)],
        stdout=subprocess.PIPE,
        text=True,
    )
    listener, rig = Listener(broker), Rig(broker)
    rig.status()
    rig.event(1)
    listener.wait_for(topics[1], "ON")
    rig.event(1, ends=True)
    listener.wait_for(topics[1], "OFF")
    light.send_signal(signal.SIGINT)
    said, _ = light.communicate(timeout=WAIT_S)
    rig.output.close()
    listener.close()

    assert said == "on\noff\n"
    assert light.returncode == 0


def test_nothing_is_lost_and_states_are_right_when_the_broker_goes_and_comes_back(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    listener, rig = Listener(broker), Rig(broker)
    rig.status()
    listener.wait_for("mafnet/hall/available", "online")
    for number in range(1, 251):
        rig.event(number)
        rig.event(number, ends=True)
    listener.wait_for_events(500)
    broker.stop()
    listener.states.clear()
    for number in range(251, 501):
        rig.event(number)
        rig.event(number, ends=True)
    rig.event(501, label="Bark")
    broker.start()
    listener.wait_for(f"mafnet/hall/label/{slug('Bark')}", "ON")
    listener.wait_for(f"mafnet/hall/label/{slug('Siren')}", "OFF")
    listener.wait_for("mafnet/status", "online")
    until = time.monotonic() + WAIT_S
    while True:
        seen = {event["seq"] for event in listener.events}
        if len(seen) >= 1001 or time.monotonic() > until:
            break
        time.sleep(0.05)
    assert rig.stats.counts().get("mqtt_lost", 0) == 0
    assert rig.stats.counts()["mqtt_published"] == 1001
    warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) <= 2, [r.message for r in warnings]
    assert len(seen) == 1001, f"{1001 - len(seen)} were lost"
    rig.output.close()
    listener.close()


def test_broker_that_is_away_at_the_start_is_waited_for(
    broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    broker.stop()
    rig = Rig(broker)
    rig.status()
    rig.event(1)
    time.sleep(0.5)
    broker.start()
    listener = Listener(broker)
    listener.wait_for(f"mafnet/hall/label/{slug('Siren')}", "ON")
    assert "cannot be reached" in caplog.text
    rig.output.close()
    listener.close()


def test_home_assistant_that_starts_later_is_told_again(broker: Broker) -> None:
    rig = Rig(broker)
    rig.status()
    listener = Listener(broker)
    listener.wait_for("mafnet/status", "online")
    listener.wait_for("mafnet/hall/available", "online")
    listener.states.clear()
    listener._client.publish("homeassistant/status", "online", qos=1)
    listener.wait_for("mafnet/hall/available", "online")
    assert any(topic.endswith("/config") for topic in listener.states)
    rig.output.close()
    listener.close()


def test_switches_and_profile_are_obeyed_and_their_states_retained(broker: Broker) -> None:
    listener, rig = Listener(broker), Rig(broker)
    rig.status()
    rig.tick()
    for topic, payload in (("hall/pause", "OFF"), ("hall/recording", "ON"), ("profile", "auto")):
        listener.wait_for(f"mafnet/{topic}", payload)
    for topic, payload in (("hall/pause", "ON"), ("hall/recording", "OFF"), ("profile", "away")):
        listener._client.publish(f"mafnet/{topic}/set", payload, qos=1)
        listener.wait_for(f"mafnet/{topic}", payload)
    assert rig.controls.is_paused("hall")
    assert not rig.controls.records("hall")
    assert rig.controls.profiles.chosen == "away"
    assert rig.stats.counts()["mqtt_commands"] == 3
    listener.wait_for("mafnet/profile/now", "away")
    later = Listener(broker)  # Home Assistant that starts later
    later.wait_for("mafnet/hall/pause", "ON")
    found = json.loads(later.states["homeassistant/select/mafnet/profile/config"])
    assert found["options"] == ["home", "away", "auto"]
    listener._client.publish("mafnet/profile/set", "nowhere", qos=1)
    listener._client.publish("mafnet/hall/pause/set", "OFF", qos=1)
    listener.wait_for("mafnet/hall/pause", "OFF")
    assert rig.controls.profiles.chosen == "away"
    rig.output.close()
    listener.close()
    later.close()


def test_retained_command_is_not_obeyed(broker: Broker) -> None:
    listener = Listener(broker)
    listener._client.publish("mafnet/hall/pause/set", "ON", qos=1, retain=True)
    listener.wait_for("mafnet/hall/pause/set", "ON")
    rig = Rig(broker)
    rig.status()
    rig.tick()
    listener.wait_for("mafnet/hall/pause", "OFF")
    listener._client.publish("mafnet/hall/recording/set", "OFF", qos=1)
    listener.wait_for("mafnet/hall/recording", "OFF")  # it came after the retained one
    assert not rig.controls.is_paused("hall")
    rig.output.close()
    listener.close()


def test_sound_level_is_told_now_and_then(broker: Broker) -> None:
    listener, rig = Listener(broker), Rig(broker)
    rig.status()
    listener.wait_for("mafnet/status", "online")
    rig.tick()
    listener.wait_for("mafnet/hall/sound_level", "-30.0")
    rig.level_db = -10.0
    rig.tick(2.0)  # too soon
    rig.level_db = -20.0
    rig.tick(3.0)
    listener.wait_for("mafnet/hall/sound_level", "-20.0")
    rig.controls.pause("hall", True)
    rig.level_db = -1.0
    rig.tick(6.0)
    listener.wait_for("mafnet/hall/pause", "ON")
    assert listener.states["mafnet/hall/sound_level"] == "-20.0"
    rig.output.close()
    listener.close()


@pytest.mark.skipif(shutil.which("mosquitto_passwd") is None, reason="mosquitto_passwd is missing")
def test_password_comes_from_a_file_or_the_environment_and_is_never_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "correct horse"
    broker = Broker(tmp_path, password=secret)
    word = tmp_path / "word"
    word.write_text(f"{secret}\n")
    word.chmod(0o600)
    try:
        for settings in ({"password_file": str(word)}, {}):
            monkeypatch.setenv(PASSWORD_VARIABLE, secret)
            rig = Rig(broker, user="hall", **settings)
            until = time.monotonic() + WAIT_S
            while not rig.stats.counts().get("mqtt_connects"):
                assert time.monotonic() < until
                time.sleep(0.02)
            rig.output.close()
        monkeypatch.setenv(PASSWORD_VARIABLE, "wrong")
        rig = Rig(broker, user="hall")
        until = time.monotonic() + WAIT_S
        while "refuses" not in caplog.text:
            assert time.monotonic() < until
            time.sleep(0.02)
        rig.output.close()
    finally:
        broker.stop()
    assert secret not in caplog.text


def test_run_tells_the_demo(broker: Broker) -> None:
    listener = Listener(broker)
    result = run_stream(
        "--source", "demo", "--no-dashboard", "--no-publish", "--mqtt", f"127.0.0.1:{broker.port}"
    )
    assert result.returncode == 0, result.stderr
    listener.wait_for("mafnet/status", "offline")
    listener.wait_for_events(6)
    labels = [event["label"] for event in listener.events if event["phase"] == "onset"]
    assert labels == ["Siren", "Car horn", "Clock"]
    listener.close()
