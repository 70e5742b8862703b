"""What a cluster's worker does with a shard, without a cluster."""

import os
import sys
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from extractor_fakes import FakePictureEncoder, FakeSoundEncoder, MakeVideo

from extractors.__main__ import main
from extractors.datasets import DataSet, MediaItem
from extractors.encoders import Encoders
from extractors.errors import StoreError
from extractors.extract import ExtractConfig, ExtractSummary, extract
from extractors.feature_parts import PartFolder
from extractors.file_work import FileWork, Outcome
from extractors.shard_worker import ShardJob, ShardWorker
from extractors.shards import outcomes_of, shard_of

_WORK = FileWork(n_clips=None, half=False, jpeg=False, keep_one_sense=False)
_RECIPE = {
    "visual": FakePictureEncoder.source.recipe(),
    "audio": FakeSoundEncoder.source.recipe(),
}


@dataclass
class _Choice:
    """Gives the fixture's trunks."""

    encoders: Encoders
    device: str = "cpu"

    def load(self) -> Encoders:
        return self.encoders


def _item(path: Path, split: str = "train") -> MediaItem:
    return MediaItem(id=path.name, path=path, label="bark", split=split)


def _worker(encoders: Encoders, parts: PartFolder, n_threads: int = 1) -> ShardWorker:
    job = ShardJob(
        choice=_Choice(encoders),
        work=_WORK,
        folder=parts.folder.absolute(),
        recipe=parts.recipe,
        n_threads=n_threads,
    )
    return ShardWorker(job)


def _done(worker: ShardWorker, items: Sequence[MediaItem]) -> dict[str, Outcome]:
    rows = worker(shard_of(list(enumerate(items))))
    return {outcome.item.path.name: outcome for _, outcome in outcomes_of(rows, items)}


def test_store_by_shards_has_the_bytes_of_the_plain_one(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # names as a user may give them, from here
    for k in range(5):
        make_video(f"{k}.mkv", n_frames=16 * (1 + k % 3), level=0.1 * k)
    Path("broken.mp4").write_bytes(b"nothing")
    names = [*(f"{k}.mkv" for k in range(5)), "broken.mp4", "absent.mp4"]
    data = DataSet(labels=("bark",), items=tuple(_item(Path(name)) for name in names))

    def shards(items: Sequence[MediaItem], work: FileWork, parts: PartFolder) -> Generator[Outcome]:
        worker = _worker(encoders, parts, n_threads=2)
        numbered = list(enumerate(items))
        for first in range(0, len(items), 3):
            for _, outcome in outcomes_of(worker(shard_of(numbered[first : first + 3])), items):
                yield outcome

    def made(to: str, *more: object) -> ExtractSummary:
        config = ExtractConfig(n_clips=1)
        return extract(data, encoders, Path(to), config, lambda *_: None, *more)  # type: ignore[arg-type]

    plain, by_shards = made("plain"), made("sharded", shards)

    assert sorted(each["file"] for each in plain.left_out) == ["absent.mp4", "broken.mp4"]
    assert sorted(by_shards.left_out, key=str) == sorted(plain.left_out, key=str)
    arrays = sorted(path.name for path in Path("plain").glob("*.npy"))
    for name in [*arrays, "train_items.json", "files.json"]:
        assert Path("plain", name).read_bytes() == Path("sharded", name).read_bytes(), name
    assert {path.name for path in Path("plain").iterdir()} == {
        path.name for path in Path("sharded").iterdir()
    }


def test_parts_that_are_there_are_not_computed_again(make_video: MakeVideo, tmp_path: Path) -> None:
    picture = FakePictureEncoder()
    encoders = Encoders(picture=picture, sound=FakeSoundEncoder())  # type: ignore[arg-type]
    parts = PartFolder(tmp_path / "parts", _RECIPE)
    first, second = _item(make_video("a.mkv")), _item(make_video("b.mkv"))
    _done(_worker(encoders, parts), [first])
    n_frames = picture.n_frames

    done = _done(_worker(encoders, parts), [first, second])

    assert picture.n_frames == 2 * n_frames
    assert all(outcome.reason is None for outcome in done.values())
    assert parts.has(first)
    assert parts.has(second)


def test_file_that_ended_its_process_once_is_tried_again_and_twice_is_left_out(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    parts = PartFolder(tmp_path / "parts", _RECIPE)
    once, twice = _item(make_video("once.mkv")), _item(make_video("twice.mkv"))
    parts.note_of(once).write_text("1")
    parts.note_of(twice).write_text("2")

    done = _done(_worker(encoders, parts), [once, twice])

    assert done["once.mkv"].reason is None
    assert "ended the process that decoded it, 2 times" in str(done["twice.mkv"].reason)
    assert not parts.note_of(once).exists()


def test_notes_of_an_earlier_run_are_forgotten(make_video: MakeVideo, tmp_path: Path) -> None:
    parts = PartFolder(tmp_path / "parts", _RECIPE)
    item = _item(make_video())
    parts.note_of(item).write_text("2")

    parts.forget_notes()

    assert not parts.note_of(item).exists()


def test_machine_that_does_not_see_the_folder_says_so(encoders: Encoders, tmp_path: Path) -> None:
    parts = PartFolder(tmp_path / "parts", _RECIPE)
    parts.remove()

    with pytest.raises(StoreError, match=r"parts is not there: .* the same path on every machine"):
        _done(_worker(encoders, parts), [_item(tmp_path / "a.mkv")])

    assert not parts.folder.exists()


def test_machine_that_does_not_see_a_file_stops_and_a_file_of_nobody_is_left_out(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    parts = PartFolder(tmp_path / "parts", _RECIPE)
    item = _item(make_video())
    rows = _worker(encoders, parts)(shard_of([(0, _item(tmp_path / "elsewhere.mkv"))]))

    with pytest.raises(StoreError, match=r"does not see .*video\.mkv: files must be shared"):
        list(outcomes_of(rows, [item]))

    ((_, outcome),) = outcomes_of(rows, [_item(tmp_path / "elsewhere.mkv")])
    assert "there is no file" in str(outcome.reason)


def test_machine_with_other_weights_is_refused(encoders: Encoders, tmp_path: Path) -> None:
    recipe = {**_RECIPE, "visual": {**FakePictureEncoder.source.recipe(), "sha256": "q" * 64}}
    parts = PartFolder(tmp_path / "parts", recipe)

    with pytest.raises(StoreError, match="the visual trunk here has other weights"):
        _done(_worker(encoders, parts), [_item(tmp_path / "a.mkv")])


def test_names_that_are_not_utf8_come_through(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    odd = tmp_path / os.fsdecode(b"odd-\xff.mkv")
    make_video().rename(odd)
    parts = PartFolder(tmp_path / "parts", _RECIPE)
    absent = _item(tmp_path / os.fsdecode(b"absent-\xff.mkv"))

    done = _done(_worker(encoders, parts), [_item(odd), absent])

    assert done[odd.name].reason is None
    str(done[absent.path.name].reason).encode()


def test_shard_holds_names_alone(tmp_path: Path) -> None:
    shard = shard_of([(3, _item(tmp_path / "a.mkv"))])

    np.testing.assert_array_equal(shard["index"], [3])
    assert list(shard["path"]) == [os.fsencode(tmp_path / "a.mkv")]


def test_actors_without_a_cluster_are_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["extract", "--folders", str(tmp_path), "--to", str(tmp_path / "to"), "--actors", "2"]

    with pytest.raises(SystemExit, match="2"):
        main(flags)

    assert "--actors is for --ray ADDRESS" in capsys.readouterr().err


def test_missing_package_is_one_sentence(
    make_video: MakeVideo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_video("set/bark/a.mkv")
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "extractors.on_ray", raising=False)

    to = ["--to", str(tmp_path / "to"), "--ray", "local"]
    code = main(["extract", "--folders", str(tmp_path / "set"), *to])

    assert code == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: --ray wants the package ray: pip install 'mafnet-live[ray]', on every machine"
    )
