"""What `--doctor` finds, says and ends with."""

from __future__ import annotations

import json
import math
import socket
import sys
from pathlib import Path

import numpy as np
import pytest

from realtime.clock import ManualClock
from realtime.command_line.main import main
from realtime.config import (
    PublisherConfig,
    RecordConfig,
    RuleConfig,
    RulesConfig,
    RunConfig,
    SourceConfig,
    WebConfig,
)
from realtime.doctor import devices, program
from realtime.doctor.clocks import check_clock
from realtime.doctor.examine import as_text, verdict
from realtime.doctor.finding import Finding, State, failure
from realtime.doctor.places import check_folder, check_places
from realtime.doctor.ports import check_ports
from realtime.errors import LibraryMissing

DEMO = SourceConfig(name="demo", kind="demo")


def test_each_failure_is_told_apart_from_what_to_do() -> None:
    finding = failure("camera 0", "it cannot be opened; plug it in; or give another")

    assert finding.said == "it cannot be opened; plug it in"
    assert finding.advice == "or give another"
    assert as_text(finding) == (
        "FAIL  camera 0: it cannot be opened; plug it in\n      -> or give another"
    )


def test_address_that_somebody_listens_at_is_a_failure() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        taken = PublisherConfig(bind=f"tcp://127.0.0.1:{port}")
        (finding,) = check_ports(RunConfig(source=DEMO, publisher=taken))

    assert finding.state == State.FAILURE
    assert "in use" in finding.said
    assert "--bind" in finding.advice


def test_free_addresses_are_let_go_of() -> None:
    with socket.socket() as finder:
        finder.bind(("127.0.0.1", 0))
        port = finder.getsockname()[1]
    config = RunConfig(source=DEMO, publisher=None, web=WebConfig(bind=f"127.0.0.1:{port}"))

    assert [f.state for f in check_ports(config)] == [State.OK]
    assert [f.state for f in check_ports(config)] == [State.OK]  # nobody listens there since


def test_folder_that_would_be_made_is_looked_at_and_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there"

    finding = check_folder("recordings", folder, "name another", least_mib=0)

    assert finding.state == State.OK
    assert "would be made" in finding.said
    assert list(tmp_path.iterdir()) == []


def test_folder_on_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    record = RecordConfig(directory=str(tmp_path / "file" / "events"))

    (finding,) = check_places(RunConfig(source=DEMO, record=record))

    assert finding.state == State.FAILURE
    assert finding.advice


def test_full_disk_is_a_note_with_the_room_that_is_wanted(tmp_path: Path) -> None:
    finding = check_folder("cache", tmp_path, "point it elsewhere", least_mib=1 << 40)

    assert finding.state == State.WARNING
    assert "less than" in finding.said


def test_library_that_is_not_there_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soxr", None)

    findings = {finding.name: finding for finding in program.check_libraries()}

    assert findings["soxr"].state == State.FAILURE
    assert findings["soxr"].advice == "run `pip install soxr`"
    assert findings["numpy"].state == State.OK


@pytest.mark.parametrize(
    ("camera", "state"), [("0", State.FAILURE), ("rtsp://host/a", State.WARNING)]
)
def test_opencv_keeps_a_run_from_working_that_has_a_camera_here(
    monkeypatch: pytest.MonkeyPatch, camera: str, state: State
) -> None:
    def missing() -> None:
        raise LibraryMissing("it needs libxcb.so.1, which is missing; run `apt-get install libgl1`")

    monkeypatch.setattr("realtime.sources.camera.import_cv2", missing)
    source = SourceConfig(name="a", kind="live", camera=camera)

    finding = program.check_opencv(RunConfig(source=source))

    assert finding.state == state
    assert finding.advice == "run `apt-get install libgl1`"


def test_extra_is_looked_at_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    page = RunConfig(source=DEMO, web=WebConfig(bind="127.0.0.1:8080"))

    assert list(program.check_extras(RunConfig(source=DEMO))) == []
    assert "mafnet-live[web]" in next(
        f.advice for f in program.check_extras(page) if f.name == "uvicorn"
    )


def test_apprise_is_looked_at_where_a_rule_notifies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    runs = RuleConfig(name="a", run=("/bin/true",))
    notifies = RuleConfig(name="b", notify=("ntfy://localhost/hall",))

    def found(*rules: RuleConfig) -> list[Finding]:
        return list(program.check_extras(RunConfig(source=DEMO, rules=RulesConfig(rules=rules))))

    assert found(runs) == []
    (finding,) = found(runs, notifies)
    assert finding.state == State.FAILURE
    assert "mafnet-live[notify]" in finding.advice


def test_driver_that_throws_anything_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Finding:
        raise ZeroDivisionError("rate of 0\nmore of it")

    monkeypatch.setattr(devices, "_read", broken)

    camera = SourceConfig(name="a", kind="live", camera="0")
    (finding,) = devices.check_source(camera, ManualClock())

    assert finding.state == State.FAILURE
    assert finding.said == "reading it failed (ZeroDivisionError: rate of 0)"


def test_device_that_this_torch_has_not_is_a_failure() -> None:
    import torch

    if torch.backends.mps.is_available():
        pytest.skip("this machine has one")
    (finding,) = program.check_computing(RunConfig(source=DEMO, device="mps"))

    assert finding.state == State.FAILURE


def test_clock_of_long_ago_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    from realtime.doctor import clocks

    monkeypatch.setattr(clocks, "_ask", lambda: False)
    assert check_clock().state == State.WARNING
    monkeypatch.setattr(clocks, "_ask", lambda: True)
    assert check_clock().state == State.OK


@pytest.mark.timeout(60)
def test_damaged_bundle_ends_with_1_and_one_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bundle.json").write_text("{}")

    arguments = ["--doctor", "--json", "--source", "demo", "--no-publish"]
    code = main([*arguments, "--bundle", str(tmp_path)])

    told = json.loads(capsys.readouterr().out)
    assert code == 1
    assert told["well"] is False
    assert [f["name"] for f in told["findings"] if f["state"] == "failure"] == ["bundle"]


@pytest.mark.timeout(60)
def test_file_that_is_missing_fails_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["--doctor", "--source", str(tmp_path / "none.mp4"), "--no-publish"])

    out = capsys.readouterr().out
    assert code == 1
    assert "FAIL  source none: there is no file" in out
    assert out.rstrip().endswith("1 thing would keep this run from working")


@pytest.mark.timeout(60)
def test_machine_without_devices_is_well_and_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("realtime.sources.devices.camera_numbers", lambda: [])
    monkeypatch.setattr(
        devices, "_look", lambda name, *_, **__: failure(name, "no sound input exists here; go on")
    )

    code = main(["--doctor", "--no-publish"])

    out = capsys.readouterr().out
    assert code == 0
    assert "note  camera: none found" in out
    assert "note  microphone default: no sound input exists here" in out


def test_json_without_doctor_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--json", "--source", "demo"])

    assert ended.value.code == 2
    assert "--log-json" in capsys.readouterr().err


def judged(counter: devices._Counter, *, picture: bool, sound: bool) -> Finding:
    return devices._judge("it", "a device", counter, picture=picture, sound=sound)


def test_rate_is_what_came_and_not_what_a_driver_says() -> None:
    counter = devices._Counter()
    for slot in range(31):
        counter.take_frame(slot * 100_000_000, lambda: np.zeros((48, 64, 3), np.uint8))

    finding = judged(counter, picture=True, sound=False)

    assert "pictures of 64x48 at 10.0 a second" in finding.said
    assert finding.state == State.OK


def test_level_is_that_of_a_sine_and_silence_is_a_note() -> None:
    loud, silent = devices._Counter(), devices._Counter()
    loud.take_sound(0, np.sin(np.arange(16_000) * 0.3).astype(np.float32))
    silent.take_sound(0, np.zeros(16_000, np.float32))

    assert loud.level_dbfs == pytest.approx(20 * math.log10(math.sqrt(0.5)), abs=0.01)
    assert judged(loud, picture=False, sound=True).state == State.OK
    assert judged(silent, picture=False, sound=True).state == State.WARNING


def test_nothing_that_came_is_a_failure() -> None:
    finding = judged(devices._Counter(), picture=True, sound=True)

    assert finding.state == State.FAILURE
    assert "no picture and no sound came" in finding.said


def test_verdict_counts() -> None:
    ok, note = Finding("a", State.OK, "x"), Finding("b", State.WARNING, "x")
    bad = Finding("c", State.FAILURE, "x")

    assert verdict([ok]) == "all is well"
    assert verdict([ok, note]) == "all is well; 1 note above"
    assert verdict([bad, note, bad]) == "2 things would keep this run from working"
