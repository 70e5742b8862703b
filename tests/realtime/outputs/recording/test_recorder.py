"""Events become files with exact ends, whatever comes and goes meanwhile."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

import av
import pytest
from record_scene import (
    STARTED,
    Scene,
    SmallDisk,
    flash_and_click_s,
    kill_while_recording,
    lengths_s,
)

from realtime.config import RecordConfig
from realtime.errors import OutputError
from realtime.outputs.recording.sidecars import RecordPaths
from realtime.outputs.recording.store import RecordStore

TESTS = Path(__file__).parents[3]


def sidecar(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.with_suffix(".json").read_text())
    return content


def play_one(scene: Scene, onset_s: float, offset_s: float, until_s: float) -> None:
    scene.play_to(onset_s + 1.5)
    scene.tell("onset", onset_s)
    scene.play_to(offset_s + 1.5)
    scene.tell("offset", onset_s, offset_s)
    scene.play_to(until_s)
    scene.end()


def test_recording_has_the_length_asked_and_flash_beside_click(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    play_one(scene, 7.03, 9.51, 18.0)

    (file,) = scene.files()
    for length in lengths_s(file):
        assert length == pytest.approx(5.0 + 2.48 + 5.0, abs=0.1)
    flash_s, click_s = flash_and_click_s(file)
    assert flash_s == pytest.approx(8.0 - 2.03, abs=0.04)
    assert click_s == pytest.approx(flash_s, abs=0.04)
    told = sidecar(file)
    assert (told["state"], told["file"]) == ("complete", file.name)
    assert told["sound"]["n_missing"] == 0
    assert (told["pre_roll_cut"], told["post_roll_cut"]) == (None, None)
    assert file.parent.name == "2026-01-02"


def test_cuts_are_said_when_the_stream_begins_late_and_ends_early(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    play_one(scene, 2.0, 3.0, 6.0)

    (file,) = scene.files()
    told = sidecar(file)
    assert told["pre_roll_cut"] == "the stream began"
    assert told["post_roll_cut"] == "the stream ended"
    assert told["events"][0]["pre_roll_s"] == pytest.approx(2.0)
    assert lengths_s(file)[0] == pytest.approx(6.0, abs=0.1)


def test_short_post_roll_is_exact_when_the_offset_is_told_late(tmp_path: Path) -> None:
    scene = Scene(tmp_path, pre_roll_s=1.0, post_roll_s=0.0)
    play_one(scene, 5.0, 8.0, 12.0)

    assert lengths_s(scene.files()[0])[0] == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize(("picture", "sound"), [(True, False), (False, True)])
def test_one_sense_is_recorded_when_the_other_is_missing(
    tmp_path: Path, picture: bool, sound: bool
) -> None:
    scene = Scene(tmp_path, picture=picture, sound=sound)
    play_one(scene, 7.0, 8.0, 16.0)

    lengths = lengths_s(scene.files()[0])
    assert [length is not None for length in lengths] == [picture, sound]
    assert next(x for x in lengths if x is not None) == pytest.approx(11.0, abs=0.1)


def test_overlapping_events_share_a_file_and_others_do_not(tmp_path: Path) -> None:
    scene = Scene(tmp_path, pre_roll_s=1.0, post_roll_s=1.0)
    scene.play_to(6.0)
    scene.tell("onset", 5.0, n=1)
    scene.tell("onset", 5.5, n=2, label="Siren")
    scene.play_to(9.0)
    scene.tell("offset", 5.0, 7.0, n=1)
    scene.tell("offset", 5.5, 7.5, n=2, label="Siren")
    scene.play_to(14.0)
    scene.tell("onset", 13.0, n=3)
    scene.play_to(17.0)
    scene.tell("offset", 13.0, 15.0, n=3)
    scene.play_to(20.0)
    scene.end()

    first, second = scene.files()
    assert [event["label"] for event in sidecar(first)["events"]] == ["Bark", "Siren"]
    assert len(sidecar(second)["events"]) == 1
    assert lengths_s(first)[0] == pytest.approx(4.5, abs=0.1)


def test_only_chosen_labels_are_recorded_but_all_events_are_logged(tmp_path: Path) -> None:
    scene = Scene(tmp_path, labels=("Siren",))
    play_one(scene, 7.0, 8.0, 16.0)

    assert scene.files() == []
    assert len((tmp_path / "events.jsonl").read_text().splitlines()) == 2


def test_long_recording_goes_on_in_another_file_without_a_hole(tmp_path: Path) -> None:
    scene = Scene(tmp_path, max_length_s=10.0, pre_roll_s=1.0, post_roll_s=1.0)
    play_one(scene, 2.0, 14.0, 18.0)

    first, second = (sidecar(file) for file in scene.files())
    assert first["end"] == second["start"]
    assert second["continues"]
    assert first["duration_s"] + second["duration_s"] == pytest.approx(14.0)


def test_full_disk_is_said_once_and_recording_resumes(tmp_path: Path) -> None:
    disk = SmallDisk(6_000)
    scene = Scene(tmp_path, open_sink=disk.open, max_length_s=60.0)
    scene.play_to(8.5)
    scene.tell("onset", 7.0)
    scene.play_to(16.0)
    disk.n_left = 1 << 30
    scene.play_to(24.0)
    scene.tell("offset", 7.0, 22.0)
    scene.play_to(30.0)
    scene.end()

    assert scene.remarks[0].startswith("recording stopped: No space left")
    assert scene.remarks[-1] == ""
    assert scene.stats.snapshot().count("record_failures") >= 1
    states = {json.loads(file.read_text())["state"] for file in scene.files("*_*.json")}
    assert states == {"broken", "complete"}


def test_a_disk_that_takes_names_and_nothing_more_is_one_warning_and_one_sidecar(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scene = Scene(tmp_path, open_sink=SmallDisk(100).open)
    scene.play_to(8.5)
    scene.tell("onset", 7.0)
    scene.play_to(40.0)  # tried every five seconds

    assert scene.stats.snapshot().count("record_failures") > 3
    assert scene.remarks == ["recording stopped: No space left on device"]
    assert caplog.text.count("recording stopped") == 1
    assert len(scene.files("*_*.json")) == 1


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def break_off(scene: Scene) -> None:
    """Play until the scene's disk, which takes 6 kB, has broken a recording off."""
    scene.play_to(8.5)
    scene.tell("onset", 7.0)
    scene.play_to(12.0)


class FullStore(RecordStore):
    """A folder in which no sidecar can be written anew, as soon as one recording has begun."""

    n_written = 0

    def write_sidecar(
        self, paths: RecordPaths, content: dict[str, object], n_spare: int = 0
    ) -> None:
        self.n_written += 1
        if self.n_written > 1:
            no_space()
        super().write_sidecar(paths, content, n_spare)


def test_sidecar_says_broken_when_the_disk_has_no_room_for_another(tmp_path: Path) -> None:
    scene = Scene(tmp_path, open_sink=SmallDisk(6_000).open, store_type=FullStore)
    break_off(scene)

    (told,) = scene.files("*_*.json")
    content = json.loads(told.read_text())
    assert (content["state"], content["why"]) == ("broken", "No space left on device")
    assert scene.stats.snapshot().count("broken_recordings") == 1


def test_sidecar_says_broken_at_the_end_when_it_could_not_before(tmp_path: Path) -> None:
    class StiffStore(RecordStore):
        is_full = True

        def rewrite_sidecar(self, paths: RecordPaths, content: dict[str, object]) -> None:
            if self.is_full:
                no_space()
            super().rewrite_sidecar(paths, content)

    scene = Scene(tmp_path, open_sink=SmallDisk(6_000).open, store_type=StiffStore)
    break_off(scene)
    (told,) = scene.files("*_*.json")
    assert json.loads(told.read_text())["state"] == "recording"

    StiffStore.is_full = False
    scene.recorder.finish()

    assert json.loads(told.read_text())["state"] == "broken"


@pytest.mark.parametrize(("n_bytes", "n_files"), [(100, 0), (20_000, 1)])
def test_broken_recording_stays_only_when_something_in_it_plays(
    tmp_path: Path, n_bytes: int, n_files: int
) -> None:
    scene = Scene(tmp_path, open_sink=SmallDisk(n_bytes).open)
    scene.play_to(8.5)
    scene.tell("onset", 7.0)
    scene.play_to(40.0)

    told = [json.loads(path.read_text()) for path in scene.files("*_*.json")]
    assert {content["state"] for content in told} == {"broken"}
    assert len(scene.files()) == n_files
    assert [content["file"] is not None for content in told].count(True) == n_files


def test_no_sidecar_is_left_when_its_recording_cannot_be_opened(tmp_path: Path) -> None:
    scene = Scene(tmp_path, open_sink=no_space)
    break_off(scene)

    assert scene.files("*_*.json") == []


def test_folder_is_made_again_when_it_was_moved_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "events"
    scene = Scene(
        folder,
        pre_roll_s=1.0,
        post_roll_s=1.0,
        min_free_mib=0,
        free=lambda path: shutil.disk_usage(path).free,
    )
    scene.play_to(8.5)
    scene.tell("onset", 7.0)
    scene.play_to(10.0)
    folder.rename(tmp_path / "elsewhere")
    scene.play_to(18.0)
    scene.tell("offset", 7.0, 17.0)
    scene.play_to(20.0)
    scene.end()

    (file,) = scene.files()
    assert sidecar(file)["state"] == "complete"
    assert len(scene.files("*_*.json")) == 1
    assert scene.remarks == ["recording stopped: No such file or directory", ""]
    assert "moved or removed" in caplog.text
    assert "make room" not in caplog.text


def test_the_folder_that_streams_share_is_made_again_with_a_stream_s_own(tmp_path: Path) -> None:
    shared = tmp_path / "events"
    config = RecordConfig(directory=str(shared)).part_of("yard", 4)
    store = RecordStore(config, base=shared)
    store.open()
    shared.rename(tmp_path / "elsewhere")

    store.restore()

    assert Path(config.directory) == shared / "yard"
    assert (shared / "yard").is_dir()
    assert config.keep_gib == RecordConfig(directory="x").keep_gib / 4
    tmp_path.joinpath("events", "yard").rmdir()
    lost = RecordStore(
        RecordConfig(directory=str(shared / "gone" / "yard")), base=shared / "gone/x"
    )
    with pytest.raises(FileNotFoundError):  # the one above the shared folder is not ours to make
        lost.restore()


def test_nothing_is_written_while_the_disk_keeps_its_reserve(tmp_path: Path) -> None:
    scene = Scene(tmp_path, free=lambda path: 1 << 20)
    play_one(scene, 7.0, 8.0, 16.0)

    assert scene.files() == []
    assert scene.stats.snapshot().count("lost_recordings") == 1


def test_opened_folder_is_empty_until_something_happens(tmp_path: Path) -> None:
    Scene(tmp_path)

    assert list(tmp_path.iterdir()) == []


def keep_an_old_one(folder: Path, day: str = "2025-01-01") -> Path:
    """Put a recording there that an earlier run made; return its MP4."""
    stem = folder / day / "120000_Bark_ab-1"
    stem.parent.mkdir()
    stem.with_suffix(".mp4").write_bytes(b"x")
    stem.with_suffix(".json").write_text(json.dumps({"made_by": "mafnet-live recorder"}))
    return stem.with_suffix(".mp4")


def test_old_recordings_make_room_when_the_disk_is_below_its_reserve(tmp_path: Path) -> None:
    old = keep_an_old_one(tmp_path)
    scene = Scene(tmp_path, free=lambda path: 1 << 20 if old.exists() else 1 << 40)
    play_one(scene, 7.0, 8.0, 16.0)

    assert not old.exists()
    assert len(scene.files()) == 1
    assert scene.remarks == []


def test_recording_goes_on_in_its_file_when_old_ones_make_room_for_it(tmp_path: Path) -> None:
    scene = Scene(tmp_path, free=lambda path: 1 << 20 if any(path.glob("2025-*")) else 1 << 40)
    scene.play_to(8.5)
    scene.tell("onset", 7.0)
    scene.play_to(10.0)
    keep_an_old_one(tmp_path)
    scene.play_to(12.0)
    scene.tell("offset", 7.0, 11.0)
    scene.play_to(18.0)
    scene.end()

    (file,) = scene.files()
    assert sidecar(file)["post_roll_cut"] is None


def test_retention_deletes_the_oldest_of_ours_and_nothing_else(tmp_path: Path) -> None:
    scene = Scene(tmp_path, keep_days=30.0)
    day = tmp_path / "2025-01-01"
    day.mkdir()
    mine, foreign = day / "120000_Bark_ab-1", day / "120000_Bark_ab-2"
    for stem in (mine, foreign):
        stem.with_suffix(".mp4").write_bytes(b"x")
    mine.with_suffix(".json").write_text(json.dumps({"made_by": "mafnet-live recorder"}))
    foreign.with_suffix(".json").write_text("{}")

    assert scene.store.prune(STARTED) == 1
    assert sorted(file.name for file in day.iterdir()) == [
        "120000_Bark_ab-2.json",
        "120000_Bark_ab-2.mp4",
    ]


def test_retention_deletes_the_oldest_when_there_are_too_many_bytes(tmp_path: Path) -> None:
    scene = Scene(tmp_path, keep_gib=0.01)  # 10.7 MB
    day = tmp_path / "2026-01-01"
    day.mkdir()
    for hour in ("10", "11", "12"):
        stem = day / f"{hour}0000_Bark_ab-1"
        stem.with_suffix(".mp4").write_bytes(b"x" * 5_000_000)
        stem.with_suffix(".json").write_text(json.dumps({"made_by": "mafnet-live recorder"}))

    assert scene.store.prune(STARTED) == 1
    assert sorted(file.name for file in day.glob("*.mp4")) == [
        "110000_Bark_ab-1.mp4",
        "120000_Bark_ab-1.mp4",
    ]


def test_encoder_that_refuses_is_a_remark_and_not_the_end(tmp_path: Path) -> None:
    class Refusing:
        def write(self, data: bytes) -> int:
            raise OutputError("the encoder refused (it is broken)")

        def close(self) -> None:
            pass

    def open_sink(path: Path) -> Refusing:
        path.touch()
        return Refusing()

    scene = Scene(tmp_path, open_sink=open_sink)
    play_one(scene, 7.0, 8.0, 16.0)

    assert scene.remarks[0] == "recording stopped: the encoder refused (it is broken)"
    assert scene.stats.snapshot().count("record_failures") >= 1


def test_what_was_recorded_stays_readable_when_the_process_is_killed(tmp_path: Path) -> None:
    result = kill_while_recording(tmp_path)

    assert result.returncode == -9, result.stderr
    (part,) = tmp_path.rglob("*.part.mp4")
    with av.open(str(part)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    picture_s, sound_s = lengths_s(part)
    assert times[-1] > 13.0  # 2 s to 20 s, less what was not sure and the last fragment
    assert picture_s is not None
    assert sound_s == pytest.approx(picture_s, abs=2.5)
    assert json.loads(next(tmp_path.rglob("*_*.json")).read_text())["state"] == "recording"
