"""The real live path for as long as LIVE_S says, with what comes of it as a table.

`LIVE_S=3600 python -m pytest -m device tests/integration/test_live_path.py -s` runs for an hour.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from integration.live_devices import APART, free_port, missing_programs, picture_server, sound_card
from integration.live_path import (
    MAX_HOLE_S,
    N_PICTURES,
    PERIOD_S,
    SIREN_S,
    Findings,
    longest_holes_s,
    siren_times_s,
    write_pictures,
    write_sounds,
)
from integration.processes import command, environment
from integration.test_rtsp_camera import PYTHON, SERVER, has_server, listens

LIVE_S = float(os.environ.get("LIVE_S", "75"))
GROWTH_MB = 0.1  # a minute, after the first five; a shorter run has not settled
START_S = 180.0
LATENCY_S = 0.05  # paplay's own
UNIT_NICE = -5  # `Nice=` of realtime/mafnet-live.service

pytestmark = [
    pytest.mark.device,
    pytest.mark.timeout(2 * LIVE_S + 900),
    pytest.mark.skipif(bool(missing_programs()), reason=f"not installed: {missing_programs()}"),
    pytest.mark.skipif(not has_server(), reason="gir1.2-gst-rtsp-server-1.0 is not installed"),
]

SETTINGS = """
log_json = true
dashboard = false
[[source]]
name = "yard"
camera = "{camera}"
microphone = "default"
[[source]]
name = "gate"
media = "{gate}"
[publisher]
bind = "{endpoint}"
[record]
directory = "{folder}"
"""


def memory_mb(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def give_the_units_priority(process: subprocess.Popen[bytes]) -> None:
    """Let it run as realtime/mafnet-live.service does, where this user may."""
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, process.pid, UNIT_NICE)


def wait_for(words: str, log: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_S
    while words not in log.read_text(encoding="utf-8"):
        assert process.poll() is None, log.read_text(encoding="utf-8")
        assert time.monotonic() < deadline, log.read_text(encoding="utf-8")
        time.sleep(0.2)


def finished_events(lines: Path) -> list[dict[str, Any]]:
    events = []
    for line in lines.read_text(encoding="utf-8").splitlines():
        message = json.loads(line)
        if message["type"] == "event" and message["phase"] == "offset":
            events.append(
                {
                    "source": message["source"],
                    "label": message["label"],
                    "onset_s": _utc_s(message["onset"]["utc"]),
                    "offset_s": _utc_s(message["offset"]["utc"]),
                }
            )
    return events


def _utc_s(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_the_live_path_invents_nothing_and_records_without_holes(tmp_path: Path) -> None:
    pictures, video = write_pictures(tmp_path)
    sounds = write_sounds(tmp_path, LIVE_S + 30.0)
    findings = Findings()
    gate_port = free_port()
    with ExitStack() as stack:
        card = stack.enter_context(sound_card(tmp_path))
        camera = stack.enter_context(picture_server(video))
        gate = subprocess.Popen(
            [*APART, PYTHON, str(SERVER), str(gate_port), "", "", str(sounds.loop), "any",
             str(pictures), str(N_PICTURES)],
        )  # fmt: skip
        stack.callback(gate.wait, 10)
        stack.callback(gate.kill)
        while not listens(gate_port):
            time.sleep(0.1)
        settings = tmp_path / "stream.toml"
        settings.write_text(
            SETTINGS.format(
                camera=camera.url,
                gate=f"rtsp://127.0.0.1:{gate_port}/camera",
                endpoint=f"tcp://127.0.0.1:{free_port()}",
                folder=tmp_path / "events",
            )
        )
        out, log = tmp_path / "events.json", tmp_path / "log"
        with out.open("wb") as stdout, log.open("wb") as stderr:
            process = subprocess.Popen(
                command("--config", str(settings)),
                env=environment(**card.environment),
                stdout=stdout,
                stderr=stderr,
            )
            stack.callback(process.kill)
            give_the_units_priority(process)
            wait_for("gate sound ok", log, process)
            wait_for("yard sound ok", log, process)
            room = card.play(sounds.room)
            stack.callback(room.wait, 10)
            stack.callback(room.kill)
            began, times = time.monotonic(), []
            for onset_s in [*siren_times_s(LIVE_S), LIVE_S]:
                while time.monotonic() - began < onset_s:
                    time.sleep(max(0.0, min(10.0, began + onset_s - time.monotonic())))
                    findings.memory_mb.append(memory_mb(process.pid))
                    findings.loads.append(os.getloadavg()[0])
                if onset_s < LIVE_S:
                    onset = time.time() + LATENCY_S
                    times.append((onset, onset + SIREN_S))
                    stack.callback(card.play(sounds.siren).wait, 30)
            time.sleep(5.0)
            process.terminate()
            assert process.wait(60) == 143, log.read_text(encoding="utf-8")
    events = finished_events(out)
    for source in ("yard", "gate"):
        own = [event for event in events if event["source"] == source]
        findings.judge(source, own, times if source == "yard" else _moved(times, own))
    for recording in sorted((tmp_path / "events").glob("*/**/*.mp4")):
        name = recording.relative_to(tmp_path / "events").as_posix()
        findings.holes_s[name] = longest_holes_s(recording)
    print("\n" + "\n".join(findings.lines()))
    print(log.read_text(encoding="utf-8")[-2000:])
    assert not findings.invented
    assert findings.told["yard"] == findings.n_played["yard"]
    assert (
        findings.told["gate"] >= findings.n_played["gate"] - 1
    )  # one may begin before it is heard
    assert len(findings.holes_s) >= findings.n_played["yard"]
    assert max(missing for missing, _ in findings.holes_s.values()) <= MAX_HOLE_S
    assert all(abs(e) < 1.0 for errors in findings.onset_errors_s.values() for e in errors)
    if LIVE_S >= 1200:
        assert findings.growth_mb_a_minute() < GROWTH_MB


def _moved(
    times: list[tuple[float, float]], events: list[dict[str, Any]]
) -> list[tuple[float, float]]:
    """Move what was played to where the gate's own loop lies, by the median of its sirens."""
    onsets = [event["onset_s"] for event in events if event["label"] == "Siren"]
    if not onsets or not times:
        return times
    first = times[0][0]
    phases = [(onset - onsets[0] + PERIOD_S / 2) % PERIOD_S - PERIOD_S / 2 for onset in onsets]
    shift = (onsets[0] + statistics.median(phases) - first) % PERIOD_S
    return [(onset + shift, offset + shift) for onset, offset in times]
