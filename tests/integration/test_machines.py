"""Machines as they are: wall clocks that are set, disks that are full, homes that are read-only.

They want what a root user of a Debian machine has: libfaketime, `mount`, `setpriv`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import av
import pytest

from integration.processes import ROOT, command, environment, start_stream

pytestmark = [pytest.mark.device, pytest.mark.timeout(1800)]

FAKETIME = next(iter(Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)
DAYS_400 = timedelta(days=400)
SETTINGS = """
[record]
pre_roll_s = 1.0
post_roll_s = 1.0
max_length_s = 10.0
min_free_mib = 0
"""
is_root = os.name == "posix" and os.geteuid() == 0


class Machine:
    """The program on a machine whose wall clock the test sets."""

    def __init__(self, folder: Path, bundle: Path, events: Path | None = None) -> None:
        self._offset = folder / "offset"
        self.set_ahead(0)
        self.events = folder / "events" if events is None else events
        settings = folder / "stream.toml"
        settings.write_text(SETTINGS)
        self._flags = [
            "--source", "demo", "--pace", "--loop", "--hop", "1", "--log-json", "--no-publish",
            "--bundle", str(bundle), "--config", str(settings), "--record", str(self.events),
        ]  # fmt: skip

    def set_ahead(self, days: int) -> None:
        # The file is replaced whole: the program may read it at any time.
        new = self._offset.with_suffix(".new")
        new.write_text(f"{days:+d}d\n")
        new.replace(self._offset)

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        faked = {
            "LD_PRELOAD": str(FAKETIME),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_TIMESTAMP_FILE": str(self._offset),
        }
        process = start_stream(*self._flags, **(faked if FAKETIME is not None else {}))
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    def sidecars(self) -> dict[str, dict[str, Any]]:
        found = {path.name: json.loads(path.read_text()) for path in self.events.rglob("*_*.json")}
        return {name: told for name, told in found.items() if told["state"] != "recording"}


def utc_of(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def next_event(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate()[1]
    told: dict[str, Any] = json.loads(line)
    return told


def wait_for_recordings(machine: Machine, process: subprocess.Popen[str], n: int) -> None:
    """Read on until so many are there, however loaded this machine is."""
    while len(machine.sidecars()) < n:
        next_event(process)


@pytest.mark.skipif(FAKETIME is None, reason="libfaketime is not installed")
def test_nothing_is_lost_when_the_wall_clock_jumps_by_400_days_both_ways(
    random_bundle: Path, tmp_path: Path
) -> None:
    machine = Machine(tmp_path, random_bundle)
    with machine.running() as process:
        for n, days in enumerate((0, 400, -400, 0)):
            machine.set_ahead(days)
            wait_for_recordings(machine, process, n + 1)
            event = next_event(process)
            wall = datetime.now(UTC) + timedelta(days=days)
            assert abs(utc_of(event["sent"]["utc"]) - wall) < timedelta(seconds=5)
            assert abs(utc_of(event["onset"]["utc"]) - wall) < timedelta(minutes=10)
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 143
    assert said.count("the wall clock was set") == 3
    assert "the wall clock was set ahead by 400 days" in said
    before = machine.sidecars()
    assert len(before) >= 4
    assert {told["state"] for told in before.values()} == {"complete"}
    for told in before.values():
        lasted = utc_of(told["end"]["utc"]) - utc_of(told["start"]["utc"])
        assert lasted.total_seconds() == pytest.approx(told["duration_s"], abs=0.01)

    for days in (400, -400, 0):  # the next starts, by any of these clocks
        machine.set_ahead(days)
        with machine.running() as process:
            wait_for_recordings(machine, process, len(machine.sidecars()) + 1)
            process.terminate()
            process.communicate(timeout=60)
        assert before.keys() <= machine.sidecars().keys()
    assert len(machine.sidecars()) >= len(before) + 3
    for path in machine.events.rglob("*.mp4"):
        with av.open(str(path)) as container:
            assert sum(1 for _ in container.decode(video=0)) > 0


@contextmanager
def small_disk(folder: Path, n_mib: int) -> Iterator[Path]:
    """A file system of its own in memory, with so much room; unmounted afterwards."""
    folder.mkdir()
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={n_mib}m", "tmpfs", str(folder)], check=True
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def can_mount() -> bool:
    if not is_root:
        return False
    with tempfile.TemporaryDirectory() as folder:
        try:
            with small_disk(Path(folder, "disk"), 1):
                return True
        except (subprocess.CalledProcessError, FileNotFoundError):  # a container may not
            return False


@pytest.mark.skipif(not can_mount(), reason="nothing can be mounted here")
def test_recording_stops_and_goes_on_when_a_real_disk_is_full(
    random_bundle: Path, tmp_path: Path
) -> None:
    # Room for all that is recorded after the filler, and for the history with its write-ahead log.
    with small_disk(tmp_path / "disk", 32) as disk:
        machine = Machine(tmp_path, random_bundle, disk / "events")
        filler = disk / "filler"
        with machine.running() as process:
            wait_for_recordings(machine, process, 1)
            with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))
            while not any(told["state"] == "broken" for told in machine.sidecars().values()):
                next_event(process)
            for _ in range(10):  # events are told all the while
                next_event(process)
            filler.unlink()
            n_complete = n_of(machine, "complete")
            while n_of(machine, "complete") < n_complete + 2:
                next_event(process)
            process.terminate()
            _, said = process.communicate(timeout=60)
        assert process.returncode == 143
        assert "Traceback" not in said
        assert said.count("recording stopped: No space left on device; make room") == 1
        assert "recording goes on" in said
        assert {told["state"] for told in machine.sidecars().values()} == {"complete", "broken"}
        for line in (machine.events / "events.jsonl").read_text().splitlines():
            assert json.loads(line)["type"] == "event"
        for path in machine.events.rglob("*.mp4"):
            with av.open(str(path)) as container:
                assert sum(1 for _ in container.decode(audio=0)) > 0


def n_of(machine: Machine, state: str) -> int:
    return sum(told["state"] == state for told in machine.sidecars().values())


@pytest.mark.skipif(not is_root or shutil.which("setpriv") is None, reason="wants root, setpriv")
@pytest.mark.parametrize("home", ["read-only", "missing"])
def test_the_program_runs_as_another_user_whose_home_cannot_be_written(
    random_bundle: Path, home: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is root's alone
        place = Path(folder)
        place.chmod(0o755)
        bundle = shutil.copytree(random_bundle, place / "bundle")
        (place / "work").mkdir()
        shutil.chown(place / "work", "nobody")
        (place / "home").mkdir(0o555)
        environ = {"HOME": str(place / ("home" if home == "read-only" else "gone"))}
        environ |= {"XDG_CACHE_HOME": "", "MAFNET_HOME": "", "PYTHONDONTWRITEBYTECODE": "1"}
        result = subprocess.run(
            [
                "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                *command("--source", "demo", "--duration", "6", "--no-publish", "--bundle",
                         str(bundle), "--record", str(place / "work" / "events")),
            ],
            cwd=ROOT,
            env=environment(**environ),
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )  # fmt: skip

        assert "Traceback" not in result.stderr
        assert result.returncode == 0, result.stderr
        assert list((place / "work" / "events").rglob("*.mp4"))
        assert list((place / "home").iterdir()) == []
        assert not (place / "gone").exists()
