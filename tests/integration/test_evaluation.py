"""The evaluation on streams, from its command, on generated data and random weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from held_out_folder import write_data

from research.streaming.__main__ import main as streaming

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("held-out"))


def test_streams_are_composed_recognized_and_scored_and_not_done_again(
    data: Path, random_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", str(data), "--bundle", str(random_bundle), "--to", str(tmp_path)]
    arguments += ["--minutes", str(20 / 60), "--kinds", "both", "--backend", "torch"]
    arguments += ["--on", "0.05", "--off", "0.01"]  # what random weights reach

    assert streaming(arguments) == 0

    figures = json.loads((tmp_path / "streaming.json").read_text())
    truth = json.loads((tmp_path / "both.truth.json").read_text())["events"]
    assert figures["streams"]["both"]["seconds"] == 20.0
    assert figures["streams"]["both"]["events"] == len(truth) > 0
    assert figures["streams"]["both"]["detections"] > 0
    assert not (tmp_path / "both.mkv").exists()
    page = (tmp_path / "streaming.html").read_text()
    assert page.count("data:image/png") >= 2
    events = tmp_path / "both.events.jsonl"
    written = events.stat().st_mtime_ns

    assert streaming(arguments) == 0
    assert events.stat().st_mtime_ns == written
    assert streaming([*arguments, "--seed", "9"]) == 1
    error = capsys.readouterr().err
    assert "holds results of other settings" in error


def test_streaming_names_a_folder_without_tables_in_one_sentence(
    random_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", str(tmp_path / "none"), "--bundle", str(random_bundle)]
    assert streaming([*arguments, "--to", str(tmp_path / "to")]) == 1
    assert "--data names the folder of sounds.csv" in capsys.readouterr().err
