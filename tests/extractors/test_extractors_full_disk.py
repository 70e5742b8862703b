from pathlib import Path

import pytest
from extractor_fakes import MakeVideo

from extractors.datasets import DataSet, MediaItem
from extractors.encoders import Encoders
from extractors.errors import StoreError
from extractors.extract import ExtractConfig, extract
from full_disk import files_in, room_for

CONFIG = ExtractConfig(n_clips=1, n_workers=1)


def _quiet(n_done: int, n_files: int, sentence: str | None) -> None:
    pass


@pytest.fixture
def data(make_video: MakeVideo) -> DataSet:
    names = ("a.mkv", "b.mkv")
    items = (
        MediaItem(id=name, path=make_video(name), label="bark", split="train") for name in names
    )
    return DataSet(labels=("bark",), items=tuple(items))


def test_extraction_leaves_nothing_half_when_the_disk_is_full(
    data: DataSet, encoders: Encoders, tmp_path: Path
) -> None:
    with room_for(50_000), pytest.raises(StoreError, match="cannot write"):
        extract(data, encoders, tmp_path / "out", CONFIG, _quiet)
    assert [Path(name).name for name in files_in(tmp_path / "out")] == ["recipe.json"]


def test_extraction_keeps_its_parts_when_the_disk_is_full_at_the_joining(
    data: DataSet, encoders: Encoders, tmp_path: Path
) -> None:
    # A file's part has one sound map, the joined array two.
    with room_for(300_000), pytest.raises(StoreError, match="cannot write"):
        extract(data, encoders, tmp_path / "out", CONFIG, _quiet)
    parts = [name for name in files_in(tmp_path / "out") if name.endswith(".npz")]
    assert len(parts) == 2
    assert not (tmp_path / "out" / "features.json").exists()
    assert not [name for name in files_in(tmp_path / "out") if name.endswith(".part")]

    summary = extract(data, encoders, tmp_path / "out", CONFIG, _quiet)

    assert (summary.n_resumed, summary.n_windows["train"]) == (2, 2)
