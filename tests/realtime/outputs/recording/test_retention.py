"""No recording is deleted because a wall clock says so; all are, once they are old."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from realtime.clock import NS_PER_S, ManualClock, WallClock
from realtime.config import RecordConfig
from realtime.outputs.recording.mend import mend
from realtime.outputs.recording.store import RecordStore

TODAY = datetime(2026, 11, 24, 18, 0, 0, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAYS_400 = timedelta(days=400)
MADE_BY = {"made_by": "mafnet-live recorder"}


class Run:
    """A run that records one event whenever it is told to, on a machine whose clock is set."""

    def __init__(
        self, folder: Path, utc: datetime, keep_days: float = 30.0, keep_gib: float = 10.0
    ) -> None:
        config = RecordConfig(directory=str(folder), keep_days=keep_days, keep_gib=keep_gib)
        self.store = RecordStore(config, lambda path: 1 << 40)
        self.store.open()
        self.clock = ManualClock(50 * NS_PER_S)  # the machine booted before
        self._ahead = utc - EPOCH - timedelta(seconds=50)
        self.wall = WallClock(self.clock, self._read_ns)
        self.n = 0

    def _read_ns(self) -> int:
        return self.clock.now_ns() + self._ahead // timedelta(microseconds=1) * 1000

    def pass_time(self, **units: float) -> None:
        self.clock.advance(round(timedelta(**units).total_seconds()) * NS_PER_S)
        self.tell()

    def set_ahead(self, by: timedelta) -> None:
        self._ahead += by
        self.tell()

    def tell(self) -> datetime:
        now_ns = self.clock.now_ns()
        earliest, latest = self.wall.utc_within(now_ns)
        self.store.age.tell(now_ns, earliest, latest)
        self.store.age.keep_now_and_then()
        return earliest

    def record(self, n_bytes: int = 1000) -> Path:
        """Record an event as the recorder does; return its MP4."""
        self.store.prune(self.tell())
        self.n += 1
        utc = self.wall.utc(self.clock.now_ns())
        paths = self.store.begin(utc, "Bark", f"run{id(self) % 9999}", self.n)
        place = self.store.age.next_place()
        self.store.write_sidecar(paths, {"state": "complete", "folder": place})
        paths.final.write_bytes(b"x" * n_bytes)
        self.store.age.keep()
        return paths.final

    def end(self, *, killed: bool = False) -> None:
        if killed:
            self.store.age.is_kept = False  # nothing more is written down
        self.store.close()


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A folder in which an earlier run has recorded, yesterday."""
    run = Run(tmp_path, TODAY - timedelta(days=1))
    run.record()
    run.end()
    return tmp_path


def there(folder: Path) -> int:
    return len(list(folder.rglob("*.mp4")))


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("then", [TODAY, TODAY + DAYS_400, TODAY - DAYS_400])
@pytest.mark.parametrize("step", [DAYS_400, -DAYS_400, EPOCH - TODAY, timedelta(days=20_000)])
def test_nothing_is_lost_when_the_clock_is_set_while_recording_nor_at_the_next_start(
    step: timedelta, then: datetime, killed: bool, earlier: Path
) -> None:
    run = Run(earlier, TODAY)
    run.record()
    run.pass_time(minutes=5)
    run.set_ahead(step)
    run.record()
    run.pass_time(minutes=5)
    run.record()
    run.end(killed=killed)
    assert there(earlier) == 4

    following = Run(earlier, then)
    following.record()
    following.pass_time(hours=3)
    following.record()
    following.end()

    assert there(earlier) == 6


@pytest.mark.parametrize("wrong", [EPOCH, TODAY - DAYS_400, datetime(2040, 1, 1, tzinfo=UTC)])
def test_nothing_is_lost_when_the_machine_boots_with_a_wrong_clock(
    wrong: datetime, earlier: Path
) -> None:
    run = Run(earlier, wrong)
    run.record()
    run.pass_time(minutes=2)
    run.record()
    run.set_ahead(TODAY - wrong)  # NTP
    run.pass_time(minutes=20)
    run.record()
    run.end()

    following = Run(earlier, TODAY + timedelta(hours=1))
    following.pass_time(hours=1)
    following.record()
    following.end()

    assert there(earlier) == 5


def test_the_clock_is_set_to_and_fro_all_the_time(earlier: Path) -> None:
    run = Run(earlier, TODAY)
    for k in range(20):
        run.record()
        run.set_ahead(DAYS_400 if k % 2 else -DAYS_400)
        run.pass_time(minutes=1)
    run.end()

    assert there(earlier) == 21


def test_old_recordings_go_in_a_run_that_lasts_for_months(tmp_path: Path) -> None:
    run = Run(tmp_path, EPOCH)
    for _ in range(100):
        run.record()
        run.pass_time(days=1)
    run.set_ahead(TODAY - EPOCH)
    run.record()
    run.end()

    assert there(tmp_path) == 31


def test_old_recordings_go_when_each_day_has_its_run(tmp_path: Path) -> None:
    for day in range(60):
        run = Run(tmp_path, TODAY + timedelta(days=day))
        run.record()
        run.pass_time(hours=8)
        run.end()

    assert there(tmp_path) == 31


def test_old_recordings_go_after_a_long_pause_once_the_clock_has_stood_for_a_while(
    earlier: Path,
) -> None:
    run = Run(earlier, TODAY + DAYS_400)
    run.record()
    run.pass_time(minutes=59)
    run.record()
    assert there(earlier) == 3
    run.pass_time(minutes=2)
    run.record()
    run.end()

    assert there(earlier) == 3  # those of this run


def test_the_newest_stay_when_there_are_too_many_bytes_whatever_their_dates(
    tmp_path: Path,
) -> None:
    run = Run(tmp_path, TODAY, keep_gib=0.01)  # 10.7 MB
    first = run.record(5_000_000)
    run.end()
    run = Run(tmp_path, EPOCH, keep_gib=0.01)
    second = run.record(5_000_000)
    third = run.record(5_000_000)
    run.pass_time(minutes=1)
    fourth = run.record(1000)
    run.end()

    assert [path.exists() for path in (first, second, third, fourth)] == [False, True, True, True]


@pytest.mark.parametrize("content", [None, "", "{", '{"age_s": 1e999}', '{"age_s": -5}', "[1]"])
def test_nothing_is_lost_when_the_folders_age_is_lost_or_torn(
    content: str | None, tmp_path: Path
) -> None:
    run = Run(tmp_path, TODAY)
    for _ in range(5):
        run.record()
        run.pass_time(days=5)
    run.end()
    if content is None:
        (tmp_path / "age.json").unlink()
    else:
        (tmp_path / "age.json").write_text(content)

    run = Run(tmp_path, TODAY + DAYS_400)
    newest = run.record()
    run.end()

    assert there(tmp_path) == 6
    told = json.loads(newest.with_suffix(".json").read_text())["folder"]
    assert told["number"] == 6
    assert told["age_s"] >= 20 * 86_400


@pytest.mark.parametrize("told", [{"number": 1, "age_s": "x"}, {"number": True}, [], "x", None])
def test_a_recording_without_an_age_has_its_dates(told: object, tmp_path: Path) -> None:
    run = Run(tmp_path, TODAY)
    for day, name in (("2025-01-01", "old"), ("2026-11-20", "new"), ("1970-01-01", "undated")):
        sidecar = tmp_path / day / f"120000_{name}_ab-1.json"
        sidecar.parent.mkdir()
        sidecar.write_text(json.dumps({**MADE_BY, "folder": told}))
    run.record()
    run.set_ahead(DAYS_400)
    run.record()
    run.end()
    following = Run(tmp_path, TODAY + DAYS_400)
    following.record()
    following.end()

    left = {path.name.split("_")[1] for path in tmp_path.rglob("*_ab-1.json")}
    assert left == {"new", "undated"}


def test_a_recording_whose_sidecar_was_torn_stays_as_long_as_others(tmp_path: Path) -> None:
    run = Run(tmp_path, TODAY - timedelta(days=40))
    run.record()
    run.pass_time(days=40)
    torn = run.record().with_suffix(".json")
    run.end()
    torn.write_text(torn.read_text()[:40])

    run = Run(tmp_path, TODAY + timedelta(hours=1))
    run.tell()
    assert mend(run.store) == 1
    newer = run.record()
    assert torn.with_suffix(".mp4").exists()
    assert json.loads(torn.read_text())["folder"]["number"] == 3
    run.pass_time(days=29)
    run.record()
    assert torn.with_suffix(".mp4").exists()
    run.pass_time(days=2)
    run.record()

    assert not torn.with_suffix(".mp4").exists()
    assert not newer.exists()
    run.end()


def test_what_cannot_be_deleted_keeps_nothing_new_from_being_recorded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    run = Run(tmp_path, TODAY - timedelta(days=40))
    stays, goes = run.record(), run.record()
    stays.unlink()
    stays.mkdir()  # as a file of another user's, or one that may not be deleted
    run.pass_time(days=40)

    newest = [run.record() for _ in range(3)]

    assert stays.exists()
    assert not goes.exists()
    assert all(path.exists() for path in newest)
    assert caplog.text.count("cannot be deleted") == 1
    run.end()
