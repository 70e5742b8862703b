"""The command of docs/guide/extraction.md on changed files, as it stands there, by real trunks."""

from pathlib import Path

import pytest
from extractor_fakes import MakeVideo

from extractors.__main__ import main
from integration.readme_blocks import shell_commands

SMALL = ["--clips", "1", "--backend", "torch"]


def test_adding_changing_and_removing_files(
    make_video: MakeVideo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (words,) = shell_commands("docs/guide/extraction.md", "Add, change and remove files")
    assert words[:3] == ["python", "-m", "extractors"]
    for name in ("bark/a.mkv", "bark/b.mkv", "cat/c.mkv"):
        make_video(f"data/{name}", n_frames=4, seconds=0.5)
    assert main([*words[3:], *SMALL]) == 0
    assert "files:" not in capsys.readouterr().out
    (tmp_path / "data" / "cat" / "c.mkv").unlink()
    make_video("data/bark/b.mkv", n_frames=4, seconds=0.75)
    make_video("data/cat/d.mkv", n_frames=8, seconds=0.5)

    assert main([*words[3:], *SMALL]) == 0

    assert "files: 1 added, 1 changed, 1 removed, 1 as before" in capsys.readouterr().out
