"""The history: events as they are told, clips, corrections, crashes, retention, the command."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from killed import run_killed
from realtime.client.history import main
from realtime.clock import NS_PER_S, ManualClock
from realtime.config import HistoryConfig
from realtime.errors import OutputError, UsageError
from realtime.outputs.history import schema
from realtime.outputs.history.output import History
from realtime.outputs.history.reader import HistoryReader, Wanted, correct, take_back
from realtime.outputs.history.schema import open_to_read, open_to_write
from realtime.outputs.recording.sidecars import sidecar_bytes
from realtime.outputs.wire import Quality
from realtime.stats import Stats
from wire_samples import (
    LABELS,
    make_event,
    make_prediction,
    make_stamper,
    make_timeline,
)

ROOT = Path(__file__).parents[4]
QUALITY = Quality()


class Rig:
    """A history that is told events."""

    def __init__(
        self, folder: Path, keep_events: int = 100_000, *, records: bool = False, **parts: Any
    ) -> None:
        self.path = folder / "history.db"
        self.clock, self.stats = ManualClock(), Stats()
        self.stamper, self.timeline = make_stamper(self.clock), make_timeline()
        config = HistoryConfig(file=str(self.path), keep_events=keep_events)
        self.recordings = folder / "clips"
        self.recordings.mkdir(exist_ok=True)
        recordings = self.recordings if records else None
        self.history = History(config, recordings, self.clock, self.stats, **parts)
        self.history.open()

    def tell(self, number: int = 1, *, source: str = "hall", **event: Any) -> str:
        message = self.stamper.event(
            source, self.timeline, make_event(number, **event), make_prediction(), LABELS, QUALITY
        )
        self.history.write(message)
        self.history.tick()
        return str(message.body["id"])

    def wait(self, seconds: float) -> None:
        self.clock.advance(round(seconds * NS_PER_S))
        self.history.tick()

    def rows(self, wanted: Wanted | None = None) -> list[dict[str, Any]]:
        with closing(open_to_read(self.path)) as connection:
            return list(HistoryReader(connection).events(wanted or Wanted()))


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.history.close()


def test_event_is_there_from_its_onset_on_and_ends(rig: Rig) -> None:
    key = rig.tell(onset_s=10.25)
    (row,) = rig.rows()
    assert (row["id"], row["state"], row["offset_ms"]) == (key, "running", None)
    rig.tell(onset_s=10.25, offset_s=12.5)
    (row,) = rig.rows()
    assert (row["state"], row["reason"], row["label"]) == ("ended", "quiet", "Siren")
    assert row["offset_ms"] - row["onset_ms"] == 2250
    assert (row["picture"], row["sound"]) == (0.25, 0.75)
    assert json.loads(row["onset_message"])["phase"] == "onset"
    assert json.loads(row["last_message"])["phase"] == "offset"


def test_the_surest_moment_stays_when_an_event_fades(rig: Rig) -> None:
    rig.tell(onset_s=1.0, confidence=0.9)
    rig.tell(onset_s=1.0, offset_s=3.0, confidence=0.6)
    assert rig.rows()[0]["confidence"] == 0.9


def test_program_that_is_killed_loses_no_event_that_had_ended(tmp_path: Path) -> None:
    script = (
        "from test_history import Rig\n"
        "rig = Rig(folder)\n"
        "for number in range(1, 51):\n"
        "    rig.tell(number, onset_s=float(number), offset_s=number + 0.5)\n"
        "rig.tell(51, onset_s=60.0)\n"
    )
    killed = run_killed(script, tmp_path, beside=__file__)
    assert killed.returncode == -signal.SIGKILL
    with closing(open_to_read(tmp_path / "history.db")) as connection:
        before = [row["state"] for row in HistoryReader(connection).events(Wanted())]
    assert before == ["running", *["ended"] * 50]
    rig = Rig(tmp_path)
    newest = rig.rows()[0]
    assert (newest["state"], newest["offset_ms"]) == ("cut off", newest["told_ms"])
    rig.history.close()


WRITES_ON = """
import sys
from pathlib import Path
from test_history import Rig
rig = Rig(Path(sys.argv[1]))
first = int(sys.argv[2])
for number in range(first, first + 100_000):
    rig.tell(number, onset_s=number, offset_s=None)
    print("began", number, flush=True)
    rig.tell(number, onset_s=number, offset_s=number + 0.5)
    print("ended", number, flush=True)
"""


def test_writer_that_is_killed_while_it_writes_loses_the_running_event_alone(
    tmp_path: Path,
) -> None:
    paths = [str(ROOT), str(ROOT / "tests"), str(Path(__file__).parent)]
    n_told = 0
    for n_lines in (31, 102, 257, 64):  # SIGKILL comes from outside, wherever the writer is
        words = [sys.executable, "-c", WRITES_ON, str(tmp_path), str(n_told + 1)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment) as writer:
            assert writer.stdout is not None
            told = [next(writer.stdout).split() for _ in range(n_lines)]
            writer.kill()
            told += [line.split() for line in writer.stdout if line.endswith("\n")]
        n_ended = int(next(n for what, n in reversed(told) if what == "ended"))
        with closing(open_to_read(tmp_path / "history.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
            rows = {row["id"]: row for row in HistoryReader(connection).events(Wanted())}
        for number in range(n_told + 1, n_ended + 1):
            row = rows.pop(f"a1b2c3d4-hall-{number}")
            assert (row["state"], row["offset_t_s"]) == ("ended", number + 0.5)
        newer = [row for row in rows.values() if row["onset_t_s"] > n_ended]
        assert len(newer) <= 2  # one that ended as the signal came, one that went on
        n_told = n_ended + len(newer)
    last = Rig(tmp_path)
    assert {row["state"] for row in last.rows()} <= {"cut off", "ended"}
    last.history.close()


def test_empty_history_is_said_to_be_empty(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", str(rig.path)]) == 0
    assert "the history is empty" in capsys.readouterr().err
    rig.tell(onset_s=1.0, offset_s=2.0)
    assert main(["list", str(rig.path), "--label", "Bark"]) == 0
    assert "none of the 1 events fits" in capsys.readouterr().err


def test_history_of_recordings_stays_its_own_until_the_last_clip_is_told(tmp_path: Path) -> None:
    rig = Rig(tmp_path, records=True)
    key = rig.tell(onset_s=1.0, offset_s=2.0)
    rig.history.close()
    with pytest.raises(OutputError, match="another run writes"):
        Rig(tmp_path)
    write_sidecar(rig, 1, [key])  # the recorder ends last
    rig.history.conclude()
    assert rig.rows()[0]["recording"] is not None
    Rig(tmp_path).history.close()


def test_two_runs_do_not_write_to_one_history(rig: Rig, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="another run writes to the history"):
        Rig(tmp_path)
    rig.tell(onset_s=1.0)
    assert rig.rows()[0]["state"] == "running"  # the refused one has ended nothing


def test_file_that_is_no_history_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE mine (x)")
        other.commit()
    before = path.read_bytes()
    with pytest.raises(OutputError, match="is a database of something else"):
        open_to_write(path)
    assert path.read_bytes() == before
    path.write_bytes(b"no database at all, but long enough to have a header" * 20)
    for open_it in (open_to_write, open_to_read):
        with pytest.raises(OutputError, match="cannot be used"):
            open_it(path)


def test_history_of_a_newer_version_is_refused(rig: Rig) -> None:
    rig.history.close()
    with closing(sqlite3.connect(rig.path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    for open_it in (open_to_write, open_to_read):
        with pytest.raises(OutputError, match="newer version"):
            open_it(rig.path)


def test_event_keeps_what_it_rested_on_and_takes_it_along(tmp_path: Path) -> None:
    rig = Rig(tmp_path, keep_events=100, trace_of=lambda body: str(body["id"]).encode())
    keys = [rig.tell(n, onset_s=float(n), offset_s=n + 0.5) for n in range(1, 201)]
    running = rig.tell(900, onset_s=900.0, offset_s=None)
    with closing(open_to_read(rig.path)) as connection:
        reader = HistoryReader(connection)
        assert reader.trace(keys[-1]) == keys[-1].encode()
        assert reader.trace(running) is None
        assert reader.trace(keys[0]) is None  # it went with its event
        ((n_traces,),) = connection.execute("SELECT count(*) FROM traces").fetchall()
        assert n_traces == 100
    rig.history.close()


def test_older_history_is_brought_forward_whole(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.tell(onset_s=1.0, offset_s=2.0)
    rig.history.close()
    steps = (*schema.MIGRATIONS, "ALTER TABLE events ADD COLUMN note TEXT;")
    monkeypatch.setattr(schema, "MIGRATIONS", steps)
    with pytest.raises(OutputError, match="older version"):
        open_to_read(rig.path)
    with closing(open_to_write(rig.path)) as connection:
        assert connection.execute("SELECT label, note FROM events").fetchall() == [("Siren", None)]
    broken = (*steps, "ALTER TABLE events ADD COLUMN more TEXT; ALTER TABLE none RENAME TO x;")
    monkeypatch.setattr(schema, "MIGRATIONS", broken)
    with pytest.raises(OutputError, match="cannot be used"):
        open_to_write(rig.path)
    with closing(sqlite3.connect(rig.path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(steps),)
        names = [row[1] for row in connection.execute("PRAGMA table_info(events)")]
    assert "more" not in names


def test_only_its_owner_reads_it(rig: Rig) -> None:
    rig.tell(onset_s=1.0)
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in rig.path.parent.glob("history.db*")}
    assert set(modes.values()) == {0o600}, modes


def test_locked_file_stops_nothing_and_is_written_later(
    rig: Rig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rig.history._store is not None
    rig.history._store._connection.execute("PRAGMA busy_timeout = 1")
    with closing(sqlite3.connect(rig.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        rig.tell(1, onset_s=1.0, offset_s=2.0)
        rig.tell(2, onset_s=3.0, offset_s=4.0)
        rig.wait(6.0)
        other.execute("COMMIT")
    assert rig.stats.counts()["history_failures"] == 2  # not at each message
    assert sum("cannot be written" in record.message for record in caplog.records) == 1
    rig.wait(6.0)
    assert len(rig.rows()) == 2


def test_oldest_of_too_many_go_but_not_what_somebody_corrected(tmp_path: Path) -> None:
    rig = Rig(tmp_path, keep_events=50)
    first = rig.tell(1, onset_s=1.0, offset_s=1.5)
    with closing(open_to_write(rig.path)) as connection:
        correct(connection, first, "wrong")
    for number in range(2, 202):
        rig.tell(number, onset_s=float(number), offset_s=number + 0.5)
    rows = rig.rows()
    assert len(rows) <= 52
    assert rows[-1]["id"] == first
    assert rows[0]["onset_t_s"] == 201.0
    rig.history.close()


def write_sidecar(rig: Rig, number: int, events: list[str], state: str = "complete") -> Path:
    day = rig.recordings / "2026-01-02"
    day.mkdir(exist_ok=True)
    sidecar = day / f"03041{number}_Siren_a1b2-{number}.json"
    content = {
        "v": 1, "state": state, "file": sidecar.with_suffix(".mp4").name, "source": "hall",
        "events": [{"id": key, "pre_roll_s": 5.0} for key in events],
    }  # fmt: skip
    sidecar.write_bytes(sidecar_bytes(content))
    sidecar.with_suffix(".mp4").touch()
    return sidecar


def test_events_know_their_clip_and_go_with_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path, records=True)
    shown = rig.tell(1, onset_s=1.0, offset_s=2.0)
    unshown = rig.tell(2, onset_s=30.0, offset_s=31.0)
    sidecar = write_sidecar(rig, 1, [shown], state="recording")
    write_sidecar(rig, 2, [])
    rig.wait(6.0)
    rig.history.close()
    rig.history.conclude()  # before the recorder is done
    sidecar.write_bytes(sidecar.read_bytes().replace(b'"recording"', b'"complete"'))
    rig = Rig(tmp_path, records=True)
    rig.wait(6.0)
    assert rig.history._store is not None
    assert set(rig.history._store.recordings().values()) == {"complete"}
    by_id = {row["id"]: row["recording"] for row in rig.rows()}
    assert by_id == {shown: "2026-01-02/030411_Siren_a1b2-1.mp4", unshown: None}
    sidecar.unlink()
    rig.wait(6.0)
    assert [row["id"] for row in rig.rows()] == [unshown]
    rig.history.conclude()


def test_corrected_event_stays_when_its_clip_is_deleted(tmp_path: Path) -> None:
    rig = Rig(tmp_path, records=True)
    key = rig.tell(1, onset_s=1.0, offset_s=2.0)
    sidecar = write_sidecar(rig, 1, [key])
    write_sidecar(rig, 2, [])
    rig.wait(6.0)
    with closing(open_to_write(rig.path)) as connection:
        correct(connection, key, "other", "Kettle")
    sidecar.unlink()
    rig.wait(6.0)
    (row,) = rig.rows()
    assert (row["corrected"], row["recording"]) == ("Kettle", None)
    rig.history.conclude()


def test_disk_that_is_away_takes_no_event_along(tmp_path: Path) -> None:
    rig = Rig(tmp_path, records=True)
    key = rig.tell(1, onset_s=1.0, offset_s=2.0)
    write_sidecar(rig, 1, [key])
    rig.wait(6.0)
    rig.recordings.rename(tmp_path / "away")
    rig.wait(6.0)
    rig.recordings.mkdir()  # an empty mount point
    rig.wait(6.0)
    assert [row["id"] for row in rig.rows()] == [key]
    rig.history.conclude()


def test_newest_word_counts_and_can_be_taken_back(rig: Rig) -> None:
    key = rig.tell(onset_s=1.0, offset_s=2.0)
    with closing(open_to_write(rig.path)) as connection:
        correct(connection, key, "right")
        correct(connection, key, "other", "Kettle")
        assert rig.rows()[0]["corrected"] == "Kettle"
        assert [r["id"] for r in rig.rows(Wanted(labels=("kettle",)))] == [key]
        assert rig.rows(Wanted(labels=("Siren",))) == []
        assert take_back(connection, key)
        assert (rig.rows()[0]["verdict"], rig.rows()[0]["corrected"]) == ("right", None)
        assert take_back(connection, key)
        assert not take_back(connection, key)
        with pytest.raises(UsageError, match="has no event"):
            correct(connection, "none", "right")
        with pytest.raises(UsageError, match="a label is given where"):
            correct(connection, key, "other")


def test_pages_and_filters_find_each_event_once(rig: Rig) -> None:
    for number in range(1, 31):
        rig.tell(
            number,
            source=("hall", "yard")[number % 2],
            label=("Siren", "Bark")[number % 3 == 0],
            onset_s=float(number // 2),
            offset_s=number // 2 + 0.25,
            confidence=0.5 + number / 100,
        )
    seen: list[str] = []
    page = rig.rows(Wanted(limit=7))
    while page:
        seen += [row["id"] for row in page]
        page = rig.rows(Wanted(limit=7, before=seen[-1]))
    assert len(seen) == len(set(seen)) == 30
    assert len(rig.rows(Wanted(sources=("yard",)))) == 15
    assert len(rig.rows(Wanted(labels=("bark",)))) == 10
    assert len(rig.rows(Wanted(least_confidence=0.7))) == 11
    assert rig.rows(Wanted(reviewed=True)) == []
    middle = rig.rows()[15]["onset_ms"]
    early, late = rig.rows(Wanted(until_ms=middle)), rig.rows(Wanted(since_ms=middle))
    assert len(early) + len(late) == 30


def test_command_lists_exports_counts_and_corrects(
    rig: Rig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = rig.tell(1, onset_s=1.0, offset_s=2.5)
    rig.tell(2, label="Bark", onset_s=4.0, offset_s=4.5)
    path = str(rig.path)
    assert main(["correct", path, key, "--was", "=Kettle()"]) == 0
    assert main(["list", path]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("2026-01-02T03:04:06.000Z hall Siren 0.97 1.5 s [=Kettle()]")
    assert " Bark " in second
    assert main(["export", path, "--to", str(tmp_path / "out.csv")]) == 0
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text("utf-8"))))
    assert [row["label"] for row in rows] == ["Bark", "Siren"]
    assert rows[1]["corrected"] == "'=Kettle()"  # a spreadsheet shows it and does not run it
    assert main(["export", path, "--format", "jsonl", "--label", "bark"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["onset"] == "2026-01-02T03:04:09.000Z"
    assert main(["stats", path, "--by", "hour", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["what"], told["events"], told["seconds"]) == ("2026-01-02 03:00", 2, 2.0)
    assert told["wrong"] == 1
    assert main(["correct", path, key, "--undo"]) == 0
    assert main(["correct", path, key, "--undo"]) == 2
    assert "nobody said anything" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["list", "none.db"], 1, "there is no history none.db"),
        (["correct", "none.db", "x", "--right"], 1, "there is no history none.db"),
    ],
)
def test_file_that_is_not_there_is_one_sentence(
    words: list[str],
    code: int,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == code
    assert told in capsys.readouterr().err
    assert os.listdir(tmp_path) == []  # noqa: PTH208


@pytest.mark.parametrize("words", [["list", "x", "--since", "soon"], ["list", "x", "--limit", "0"]])
def test_flag_that_cannot_work_is_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 2
