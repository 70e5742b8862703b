"""The folder of recordings: whose it is, who may read it, what a killed run left in it."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from record_scene import STARTED, Scene, kill_while_recording

from realtime.config import RecordConfig
from realtime.errors import OutputError
from realtime.outputs.private_files import open_private
from realtime.outputs.recording.log import EventLog
from realtime.outputs.recording.store import RecordStore

TESTS = Path(__file__).parents[3]
MADE_BY = {"made_by": "mafnet-live recorder"}


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def record_an_event(scene: Scene) -> None:
    scene.play_to(8.5)
    scene.tell("onset", 7.0)
    scene.play_to(9.5)
    scene.tell("offset", 7.0, 8.0)
    scene.play_to(16.0)
    scene.end()
    scene.recorder.finish()


def test_only_the_owner_reads_what_is_recorded(tmp_path: Path, open_umask: None) -> None:
    folder = tmp_path / "far" / "events"
    record_an_event(Scene(folder))

    modes = {
        path.relative_to(folder).name: stat.S_IMODE(path.stat().st_mode)
        for path in (folder, *folder.rglob("*"))
    }
    files = {name: mode for name, mode in modes.items() if "." in name}
    folders = {name: mode for name, mode in modes.items() if "." not in name}
    assert {Path(name).suffix for name in files} == {".mp4", ".json", ".jsonl"}
    assert set(files.values()) == {0o600}
    assert set(folders.values()) == {0o700}


def test_folders_above_are_private_where_they_were_not_there(
    tmp_path: Path, open_umask: None
) -> None:
    store = RecordStore(RecordConfig(directory=str(tmp_path / "far" / "away" / "events")))
    store.open()
    store.close()

    made = sorted(path for path in tmp_path.rglob("*") if path.is_dir())
    assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o700] * 3


def test_no_link_in_the_folder_is_followed(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "events", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    (elsewhere / "log").write_text("theirs\n")
    (folder / f"{STARTED:%Y-%m-%d}").symlink_to(elsewhere)
    (folder / "events.jsonl").symlink_to(elsewhere / "log")
    scene = Scene(folder)
    record_an_event(scene)

    assert [path.name for path in elsewhere.iterdir()] == ["log"]
    assert (elsewhere / "log").read_text() == "theirs\n"
    assert "is a link" in scene.remarks[0]


def test_a_link_in_place_of_a_streams_own_folder_is_refused(tmp_path: Path) -> None:
    elsewhere, base = tmp_path / "elsewhere", tmp_path / "events"
    elsewhere.mkdir()
    base.mkdir()
    (base / "yard").symlink_to(elsewhere)
    store = RecordStore(RecordConfig(directory=str(base)).part_of("yard", 2), base=base)

    with pytest.raises(OutputError, match="is a link, and none is followed"):
        store.open()


def test_a_sidecar_that_was_replaced_by_a_link_is_not_written_through(tmp_path: Path) -> None:
    store = RecordStore(RecordConfig(directory=str(tmp_path)))
    store.open()
    paths = store.begin(STARTED, "Bark", "ab", 1)
    precious = tmp_path / "precious"
    precious.write_text("x" * 1000)
    paths.sidecar.symlink_to(precious)

    def full(*_: object) -> None:
        raise OSError("full")

    store.write_sidecar = full  # type: ignore[method-assign]  # a disk without room for another
    with pytest.raises(OSError, match="is a link"):
        store.rewrite_sidecar(paths, {"state": "broken"})

    assert precious.read_text() == "x" * 1000
    store.close()


def test_a_folder_is_one_runs_alone_until_it_ends(tmp_path: Path) -> None:
    config = RecordConfig(directory=str(tmp_path / "events"))
    first, second = RecordStore(config), RecordStore(config)
    first.open()

    with pytest.raises(OutputError, match="is in use by another run; stop it, or give --record"):
        second.open()

    first.close()
    second.open()
    second.close()


def test_a_folder_that_another_run_took_meanwhile_is_not_written_to(tmp_path: Path) -> None:
    folder = tmp_path / "events"
    scene = Scene(folder)
    scene.play_to(5.0)
    folder.rename(tmp_path / "elsewhere")
    other = RecordStore(RecordConfig(directory=str(folder)))
    other.open()
    scene.play_to(8.5)
    scene.tell("onset", 7.0)
    scene.play_to(12.0)

    assert list(folder.iterdir()) == []
    assert "is in use by another run" in scene.remarks[-1]
    other.close()
    scene.play_to(20.0)
    assert scene.remarks[-1] == ""
    scene.end()
    scene.recorder.finish()


@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_recording_goes_on_when_events_cannot_be_logged(kind: str, tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    if kind == "folder":
        log.mkdir()
    elif kind == "link":
        log.symlink_to(tmp_path / "nowhere")
    else:
        os.mkfifo(log)
    scene = Scene(tmp_path)
    scene.play_to(8.5)
    scene.tell("onset", 7.0)
    scene.play_to(9.5)
    scene.tell("offset", 7.0, 8.0)
    scene.play_to(16.0)
    if kind == "folder":
        log.rmdir()
    else:
        log.unlink()
    scene.end()
    scene.recorder.finish()

    (sidecar,) = scene.files("*_*.json")
    assert json.loads(sidecar.read_text())["state"] == "complete"
    assert scene.remarks[0].startswith("events are not logged: ")
    assert scene.stats.snapshot().count("event_log_failures") >= 2
    assert scene.stats.snapshot().count("record_failures") == 0
    phases = [json.loads(line)["phase"] for line in log.read_text().splitlines()]
    assert phases == ["onset", "offset"]  # late, and whole


WHOLE = '{"type":"event","n":1}\n'


@pytest.mark.parametrize(
    ("end", "kept"),
    [
        ("", WHOLE),
        ('{"type":"event","n":2', WHOLE),
        ('{"type":"event","label":"M\xe9', WHOLE),
        ("\0" * 4096, WHOLE),
        ('{"type":"event","n":2}', WHOLE + '{"type":"event","n":2}\n'),
    ],
)
@pytest.mark.parametrize("while_running", [False, True])
def test_a_line_that_a_crash_left_half_spoils_no_other(
    end: str, kept: str, while_running: bool, tmp_path: Path
) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(tmp_path)
    path.write_bytes((WHOLE + end).encode("latin-1"))
    if not while_running:
        log.mend()
        assert path.read_text() == kept
    log.add(b'{"n":3}')
    log.flush()

    assert path.read_text() == kept + '{"n":3}\n'


def test_no_line_and_no_descriptor_is_lost_when_a_long_log_cannot_be_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = EventLog(tmp_path)
    monkeypatch.setattr("realtime.outputs.recording.log.MAX_LOG_BYTES", 10)
    log.add(b'{"n": 1, "is": "long"}')
    log.flush()
    log.add(b'{"n": 2}')
    opened: list[int] = []

    def open_once(path: Path, flags: int) -> int:
        if opened:
            raise OSError(errno.ENOSPC, "No space left on device")
        opened.append(open_private(path, flags))
        return opened[0]

    with monkeypatch.context() as full:
        full.setattr("realtime.outputs.recording.log.open_private", open_once)
        with pytest.raises(OSError, match="No space left"):  # and not "Bad file descriptor"
            log.flush()
    log.flush()

    assert (tmp_path / "events.jsonl").read_bytes() == b'{"n": 2}\n'
    assert (tmp_path / "events.1.jsonl").read_bytes() == b'{"n": 1, "is": "long"}\n'


def test_a_log_that_is_only_half_a_line_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text('{"half')
    log = EventLog(tmp_path)
    log.mend()
    assert (tmp_path / "events.jsonl").read_text() == ""


def test_what_a_killed_run_left_is_ended_at_the_next_start(tmp_path: Path) -> None:
    kill_while_recording(tmp_path)
    (part,) = tmp_path.rglob("*.part.mp4")
    (part.parent / f".{part.name.replace('.part', '')}.part").write_bytes(b"half a copy")
    (part.parent / f".{part.name.removesuffix('.part.mp4')}.json.x1y2z3.part").touch()

    scene = Scene(tmp_path)
    scene.play_to(1.0)

    (sidecar,) = tmp_path.rglob("*_*.json")
    told = json.loads(sidecar.read_text())
    assert (told["state"], told["file"]) == ("broken", sidecar.with_suffix(".mp4").name)
    assert told["why"] == "the program ended before it could finish it"
    assert told["events"][0]["label"] == "Bark"
    assert sorted(path.name for path in sidecar.parent.iterdir()) == [
        sidecar.name,
        sidecar.with_suffix(".mp4").name,
    ]
    with av.open(str(sidecar.with_suffix(".mp4"))) as container:
        assert [frame.time for frame in container.decode(video=0)][-1] > 13.0
    scene.end()
    scene.recorder.finish()


@pytest.mark.parametrize(
    ("name", "harm"),
    [(b"ftyp", b"ftypis\xf75"), (b"avc1", b"\0\0\0\0")],
)
def test_a_run_begins_whatever_became_of_what_a_killed_run_left(
    name: bytes, harm: bytes, tmp_path: Path
) -> None:
    kill_while_recording(tmp_path)
    (part,) = tmp_path.rglob("*.part.mp4")
    raw = part.read_bytes()
    at = raw.index(name)
    part.write_bytes(raw[:at] + harm + raw[at + len(harm) :])

    scene = Scene(tmp_path)
    scene.play_to(1.0)

    (sidecar,) = tmp_path.rglob("*_*.json")
    told = json.loads(sidecar.read_text())
    assert told["state"] == "broken"
    assert told["file"] in (None, sidecar.with_suffix(".mp4").name)
    assert not part.exists()
    scene.end()
    scene.recorder.finish()


def test_what_cannot_be_read_now_is_not_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    kill_while_recording(tmp_path)
    (part,) = tmp_path.rglob("*.part.mp4")

    def refuse(*_: object, **__: object) -> None:
        raise av.error.OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as disk:
        disk.setattr(av, "open", refuse)
        scene = Scene(tmp_path)
        scene.play_to(1.0)
        scene.end()
        scene.recorder.finish()

    assert part.exists()
    assert "cannot be mended: Input/output error" in caplog.text


@pytest.mark.parametrize(
    ("content", "has_part", "is_ours"),
    [
        (json.dumps({**MADE_BY, "state": "recording"}, indent=1)[:-3], True, True),
        (json.dumps({**MADE_BY, "state": "recording"}, indent=1)[:40], False, True),
        ("", True, True),
        ("\0" * 512, True, True),
        ("", False, False),
        ("a note of somebody's", True, False),
        (json.dumps({"made_by": "somebody", "state": "recording"}), True, False),
        (json.dumps({**MADE_BY, "state": "complete"}), True, False),
    ],
)
def test_a_torn_sidecar_is_mended_where_it_was_ours(
    content: str, has_part: bool, is_ours: bool, tmp_path: Path
) -> None:
    sidecar = tmp_path / "2026-01-01" / "120000_Bark_ab-1.json"
    sidecar.parent.mkdir()
    sidecar.write_text(content)
    if has_part:
        sidecar.with_suffix(".part.mp4").write_bytes(b"nothing in it plays")
    scene = Scene(tmp_path)
    scene.play_to(1.0)

    if is_ours:
        told = json.loads(sidecar.read_text())
        assert (told["made_by"], told["state"]) == (MADE_BY["made_by"], "broken")
        assert told["file"] is None
    else:
        assert sidecar.read_text() == content
    assert sidecar.with_suffix(".part.mp4").exists() == (has_part and not is_ours)
    scene.end()
    scene.recorder.finish()


@pytest.mark.parametrize(("n_spare", "is_copied"), [(1 << 30, True), (1000, False)])
def test_a_copy_takes_nothing_of_the_disks_reserve(
    n_spare: int, is_copied: bool, tmp_path: Path
) -> None:
    scene = Scene(tmp_path, free=lambda path: (200 << 20) + n_spare)
    record_an_event(scene)

    (recorded,) = scene.files()
    assert (b"moof" not in recorded.read_bytes()) == is_copied  # else it stays in fragments
    told = json.loads(recorded.with_suffix(".json").read_text())
    assert (told["state"], told["file"]) == ("complete", recorded.name)
    with av.open(str(recorded)) as container:
        assert len(list(container.decode(video=0))) > 100
