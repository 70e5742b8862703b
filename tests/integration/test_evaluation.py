"""Both evaluations from their commands, on a generated data folder and random weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from held_out_folder import write_data

from benchmarks.streaming.__main__ import main as streaming
from benchmarks.streaming.settle import main as settle
from extractors.__main__ import main as extractors
from mafnet.__main__ import main as mafnet
from weights.bundle import load_bundle

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


def test_thresholds_are_settled_on_the_validation_half_and_written(
    tmp_path: Path, random_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_data(tmp_path / "data", n=4)
    arguments = ["--data", str(data), "--bundle", str(random_bundle), "--to", str(tmp_path / "to")]
    arguments += ["--minutes", str(6 / 60)]

    assert settle([*arguments, "--write", str(tmp_path / "bundle")]) == 0

    settled, before = load_bundle(tmp_path / "bundle"), load_bundle(random_bundle)
    figures = json.loads((tmp_path / "to" / "settle.json").read_text())
    assert figures["chosen"] in figures["tried"]
    assert {label: pair["on"] for label, pair in settled.events.per_label.items()} == figures["on"]
    assert settled.head.sha256 == before.head.sha256
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "to").rglob("*.npz")}
    assert len(kept) == 14  # seven kinds, two folds
    capsys.readouterr()

    assert settle(arguments) == 0
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert "recognizing" not in capsys.readouterr().err
    assert settle([*arguments[2:], "--data", str(tmp_path / "none")]) == 1
    assert "--data names the folder of sounds.csv" in capsys.readouterr().err


def test_streaming_names_a_folder_without_tables_in_one_sentence(
    random_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", str(tmp_path / "none"), "--bundle", str(random_bundle)]
    assert streaming([*arguments, "--to", str(tmp_path / "to")]) == 1
    assert "--data names the folder of sounds.csv" in capsys.readouterr().err


def test_bundle_is_tested_on_a_data_folder(
    data: Path, random_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared = tmp_path / "prepared"
    arguments = ["test", "--bundle", str(random_bundle), "--data", str(data)]
    arguments += ["--prepared", str(prepared), "--cache", str(tmp_path / "cache")]
    arguments += ["--share", "0.03", "--windows", "8"]

    assert mafnet(arguments) == 0

    figures = json.loads((prepared / "test.json").read_text())
    assert figures["files"]["all"]["n"] == 6
    assert figures["trunk"]["n"] == 6
    assert set(figures["windows"]) == {
        f"{case}, T={n}"
        for case in ("both", "heard and seen", "sound only", "picture only")
        for n in (1, 4, 10)
    }
    assert figures["windows"]["both, T=4"]["all"]["n"] == 8
    assert "whole sound files" in capsys.readouterr().out


def test_sources_are_left_out_on_a_data_folder(
    data: Path, random_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["leave-out", "--bundle", str(random_bundle), "--data", str(data)]
    arguments += ["--to", str(tmp_path / "to"), "--cache", str(tmp_path / "cache")]

    assert extractors([*arguments, "--leave-out", "a"]) == 0

    tables = json.loads((tmp_path / "to" / "sources.json").read_text())
    assert tables["pictures"]["Bark, a"]["n"] == 1
    assert "with class evidence" in capsys.readouterr().out
    assert extractors([*arguments, "--leave-out", "nowhere"]) == 1
    assert "no source 'nowhere'" in capsys.readouterr().err
