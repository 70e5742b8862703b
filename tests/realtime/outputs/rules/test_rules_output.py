"""Rules as an output: what goes to which target, and that no target keeps anybody waiting."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loopback import silent_server, wait_until, web_server
from rule_scene import event_body, make_config, make_rule

from realtime.clock import NS_PER_S, ManualClock, MonotonicClock
from realtime.config import RecordConfig, RunConfig, SourceConfig
from realtime.controls import Controls, Profiles
from realtime.errors import LibraryMissing, OutputError, UsageError
from realtime.output_threads import OutputThreads
from realtime.outputs.recording.sidecars import sidecar_bytes
from realtime.outputs.rules.output import RulesOutput
from realtime.outputs.rules.record_gate import RecordGate
from realtime.outputs.wire import Message
from realtime.packets import GridFrame
from realtime.stats import Stats

LABELS = ("Background", "Siren", "Bark")


def make_output(*rules: Any, stats: Stats | None = None, **settings: Any) -> RulesOutput:
    config = make_config(*rules)
    return RulesOutput(
        config,
        Profiles(config),
        **{
            "live": True,
            "labels": LABELS,
            "recordings": None,
            "post_roll_s": 5.0,
            "newest_frame": lambda source: None,
            "clock": MonotonicClock(),
            "stats": stats or Stats(),
            **settings,
        },
    )


def message(*args: Any, **settings: Any) -> Message:
    body = event_body(*args, **settings)
    return Message(f"event/{body['source']}/", body)


def test_each_rule_tells_its_own_targets() -> None:
    with web_server() as server:
        output = make_output(
            make_rule("a", run=(), post=f"{server.url}/a", labels=("siren",)),
            make_rule("b", run=(), post=f"{server.url}/b", labels=("Bark",)),
            live=False,
        )
        output.open()
        output.write(message(1))
        output.write(message(2, label="Bark"))
        output.write(message(3, label="Bark", phase="update"))
        output.close()
    paths = sorted((path, json.loads(body)["event"]["label"]) for path, _, body in server.asked)
    assert paths == [("/a", "Siren"), ("/b", "Bark")]


def test_dead_and_hanging_targets_keep_neither_the_run_nor_the_others_waiting() -> None:
    stats, stop = Stats(), threading.Event()
    with silent_server() as hangs, web_server() as server:
        output = make_output(
            make_rule(
                "hangs", run=(), post=f"http://127.0.0.1:{hangs}/", timeout_s=60.0, per_hour=1000
            ),
            make_rule("sleeps", run=("sleep", "60"), timeout_s=60.0, per_hour=1000),
            make_rule("refuses", run=(), post="http://127.0.0.1:1/", per_hour=1000),
            make_rule("works", run=(), post=server.url, per_hour=1000),
            stats=stats,
        )
        threads = OutputThreads(
            live=True, stop=stop, on_error=lambda: None, clock=MonotonicClock(), stats=stats
        )
        threads.open_output(output)
        threads.start()
        for number in range(100):
            threads.emit(message(number))
            wait_until(lambda: len(server.asked) > number)  # noqa: B023 - at once
        # The others still hang at their first event, whose limit is a minute.
        assert stats.counts()["rules_told"] <= 100
        assert stats.counts()["rules_held"] == 400
        assert stats.counts().get("dropped_messages", 0) == 0
        threads.close(time.monotonic() + 1.5)
        assert threads.workers[0].error is None


def test_picture_goes_along_when_it_is_asked_for() -> None:
    frame = GridFrame(slot=1, time_ns=0, image=np.zeros((224, 224, 3), np.uint8))
    asked: list[str] = []

    def newest(source: str) -> GridFrame:
        asked.append(source)
        return frame

    pytest.importorskip("apprise")
    with web_server() as server:
        output = make_output(
            make_rule(run=(), notify=(f"ntfy://127.0.0.1:{server.port}/t",), attach="picture"),
            newest_frame=newest,
            live=False,
        )
        output.open()
        output.write(message(source="yard"))
        output.close()
    assert asked == ["yard"]
    assert server.asked[0][2].startswith(b"\xff\xd8")


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    day = tmp_path / "2026-11-30"
    day.mkdir()
    return tmp_path


def write_clip(folder: Path, event: str, state: str) -> Path:
    file = folder / "2026-11-30" / "110000_Siren_a1b2c3d4-1.mp4"
    content: dict[str, object] = {
        "state": state,
        "file": file.name if state != "recording" else None,
        "source": "hall",
        "events": [{"id": event, "pre_roll_s": 1.0}],
    }
    file.with_suffix(".json").write_bytes(sidecar_bytes(content))
    if state != "recording":
        file.write_bytes(b"a whole clip")
    return file


def test_clip_is_waited_for_and_attached(recordings: Path) -> None:
    pytest.importorskip("apprise")
    clock = ManualClock(NS_PER_S)
    with web_server() as server:
        rule = make_rule(
            run=(), notify=(f"ntfy://127.0.0.1:{server.port}/t",), phase="offset", attach="clip"
        )
        output = make_output(rule, recordings=recordings, clock=clock)
        output.open()
        told = event_body(phase="offset")
        output.write(message())
        output.write(Message("event/hall/", told))
        write_clip(recordings, str(told["id"]), "recording")
        clock.advance(NS_PER_S)
        output.tick()
        assert server.asked == []
        write_clip(recordings, str(told["id"]), "complete")
        clock.advance(NS_PER_S)
        output.tick()
        wait_until(lambda: len(server.asked) == 1)
        output.close()
    assert server.asked[0][2] == b"a whole clip"


def test_notification_goes_without_a_clip_that_never_comes(recordings: Path) -> None:
    pytest.importorskip("apprise")
    clock = ManualClock(NS_PER_S)
    with web_server() as server:
        rule = make_rule(
            run=(), notify=(f"ntfy://127.0.0.1:{server.port}/t",), phase="offset", attach="clip"
        )
        output = make_output(rule, recordings=recordings, clock=clock)
        output.open()
        output.write(message(phase="offset"))
        clock.advance(66 * NS_PER_S)
        output.tick()
        wait_until(lambda: len(server.asked) == 1)
        output.close()
    assert b"Siren at hall" in server.asked[0][2]


def test_rule_for_a_label_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="'Sirne'; it has Background; Siren; Bark"):
        make_output(make_rule(labels=("Sirne",)))


def test_missing_library_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "apprise", None)
    with pytest.raises(LibraryMissing, match=r"pip install mafnet-live\[notify\]"):
        make_output(make_rule(run=(), notify=("ntfy://h/t",))).open()


def test_missing_address_is_said_before_the_run() -> None:
    with pytest.raises(OutputError, match="env:NO_SUCH_HOOK: the variable is not set"):
        make_output(make_rule(run=(), post="env:NO_SUCH_HOOK")).open()


def test_recorder_hears_of_what_rules_record_alone() -> None:
    config = make_config(
        make_rule(run=(), record=True, labels=("Siren",), confidence=0.8),
        make_rule("other", labels=("Bark",)),
    )
    source = SourceConfig(name="hall", kind="demo")
    record = RecordConfig(directory="somewhere")
    gate = RecordGate(config, Controls(RunConfig(source=source, record=record, rules=config)))

    def passed(*args: Any, **settings: Any) -> list[tuple[str, str]]:
        got = gate.pass_on(message(*args, **settings))
        return [(str(each.body["label"]), str(each.body["phase"])) for each in got]

    assert passed(1) == [("Siren", "onset")]
    assert passed(1, phase="update") == [("Siren", "update")]
    assert passed(1, phase="offset") == [("Siren", "offset")]
    for phase in ("onset", "update", "offset"):
        assert passed(2, label="Bark", phase=phase) == []
    assert passed(3, confidence=0.5) == []
    assert passed(3, confidence=0.9, phase="update") == [("Siren", "onset"), ("Siren", "update")]
    assert passed(3, phase="offset") == [("Siren", "offset")]
    prediction = Message("prediction/hall/", {"type": "prediction"})
    assert list(gate.pass_on(prediction)) == [prediction]


def test_close_may_be_called_again_and_ends_what_waits() -> None:
    output = make_output(make_rule(run=(), post="http://127.0.0.1:1/"))
    output.open()
    output.write(message())
    output.close()
    output.close()
