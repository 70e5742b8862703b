"""Data sets whose files and tables have unusual names and text."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from extractor_fakes import MakeVideo

from extractors.datasets import read_folders, read_tables
from extractors.encoders import Encoders
from extractors.extract import ExtractConfig, extract
from extractors.media import probe, read_frames

NAMES = [b"10:20:30.mkv", b"lat\xefn.mkv", b"a\nb.mkv", b"a%03d.mkv", b"what?#.mkv", b"-v.mkv"]


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_video_is_read_whatever_its_name(
    make_video: MakeVideo, monkeypatch: pytest.MonkeyPatch, name: bytes
) -> None:
    path = make_video().rename(make_video().parent / os.fsdecode(name))
    monkeypatch.chdir(path.parent)

    for given in (path, Path(path.name)):
        assert probe(given).has_picture
        assert len(list(read_frames(given))) == 16


def test_folders_of_files_whose_names_are_no_text_are_extracted(
    make_video: MakeVideo, encoders: Encoders, tmp_path: Path
) -> None:
    root = tmp_path / os.fsdecode(b"donn\xe9es")
    for label in (b"bark", b"caf\xe9"):
        (root / os.fsdecode(label)).mkdir(parents=True)
        for name in NAMES:
            make_video().rename(root / os.fsdecode(label) / os.fsdecode(name))

    data = read_folders(root)
    said: list[str | None] = []
    config = ExtractConfig(n_clips=1)
    summary = extract(data, encoders, tmp_path / "to", config, lambda *told: said.append(told[2]))

    assert data.labels == ("bark", "caf\\xe9")
    assert {os.fsencode(item.path.name) for item in data.items} == set(NAMES)
    assert "caf\\xe9/lat\\xefn.mkv" in {item.id for item in data.items}
    assert not summary.left_out
    assert not any(said)
    names = json.loads((tmp_path / "to" / "train_names.json").read_text(encoding="utf-8"))
    assert len(names) == len(set(names)) == len(np.load(tmp_path / "to" / "train_visual.npy"))


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_table_is_read_however_a_spreadsheet_writes_it(
    tmp_path: Path, ends: str, mark: bytes
) -> None:
    lines = ["file,label", '"a\u2028b.wav",Bark', '"c,d.wav",Siren', '"e\nf.wav",Bark', ""]
    (tmp_path / "t.csv").write_bytes(mark + ends.join(lines).encode())

    items = read_tables([tmp_path / "t.csv"]).items

    assert {item.path.name for item in items} == {"a\u2028b.wav", "c,d.wav", "e\nf.wav"}
