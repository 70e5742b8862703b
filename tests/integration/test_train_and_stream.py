"""From labelled files to a stream that names them, each step a process as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from processes import json_lines, run_module, run_stream
from stand_in import write_ave, write_tables, write_video


def _run(*arguments: str) -> str:
    done = run_module(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _train(features: Path, to: Path, trunks: Path) -> str:
    arguments = ["--recipe", "modern", "--epochs", "2", "--batch-size", "2", "--seed", "3"]
    arguments += ["--trunks", str(trunks), "--to", str(to)]
    _run("mafnet", "train", "--features", str(features), *arguments)
    manifest = json.loads((to / "bundle.json").read_text())
    return str(manifest["head"]["sha256"])


@pytest.mark.timeout(900)
def test_sounds_and_pictures_become_a_bundle_that_a_stream_loads(
    random_bundle: Path, tmp_path: Path
) -> None:
    tables, features = write_tables(tmp_path), tmp_path / "features"
    extract = ["--pair", "--clips", "1", "--bundle", str(random_bundle), "--per-label", "2"]
    told = _run(
        "extractors", "extract", "--tables", *map(str, tables), *extract, "--to", str(features)
    )
    assert "train 4, val 4, test 4" in told

    hashes = [_train(features, tmp_path / name, random_bundle) for name in ("mine", "again")]
    assert hashes[0] == hashes[1]  # the same seed gives the same bytes

    mine, report = str(tmp_path / "mine"), tmp_path / "report"
    told = _run(
        "mafnet", "test", "--features", str(features), "--bundle", mine, "--report", str(report)
    )
    assert "both: accuracy" in told
    assert (report / "report.html").is_file()

    write_video(tmp_path / "clip.mp4", "Bark", 2.0)
    stream = run_stream("--source", str(tmp_path / "clip.mp4"), "--bundle", mine, "--log-json")
    assert stream.returncode == 0, stream.stderr
    assert {message["label"] for message in json_lines(stream.stdout)} <= {"Bark", "Siren"}


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_the_shipped_trunks_are_what_a_user_trains_on_who_names_none(tmp_path: Path) -> None:
    tables, features = write_tables(tmp_path), tmp_path / "features"
    extract = ["--pair", "--clips", "1", "--per-label", "2", "--to", str(features)]
    _run("extractors", "extract", "--tables", *map(str, tables), *extract)
    mine = tmp_path / "mine"
    arguments = ["--recipe", "modern", "--epochs", "1", "--batch-size", "2", "--to", str(mine)]
    _run("mafnet", "train", "--features", str(features), *arguments)

    for which in ("--bundle", str(mine)), ("--weights", str(mine / "run" / "best.safetensors")):
        told = _run("mafnet", "test", "--features", str(features), *which)
        assert "both: accuracy" in told

    write_video(tmp_path / "clip.mp4", "Bark", 2.0)
    stream = run_stream("--source", str(tmp_path / "clip.mp4"), "--bundle", str(mine), "--log-json")
    assert stream.returncode == 0, stream.stderr
    one = str(tmp_path / "one.npz")
    _run("extractors", "features", str(tmp_path / "clip.mp4"), "--to", one)
    for bundle in ("starter", str(mine)):
        _run("mafnet", "predict", "--features", one, "--bundle", bundle, "--to", one + ".said.npz")


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_aves_layout_is_extracted_trained_on_and_tested(
    random_bundle: Path, tmp_path: Path
) -> None:
    write_ave(tmp_path / "ave")
    features = tmp_path / "features"
    arguments = ["--ave", str(tmp_path / "ave"), "--bundle", str(random_bundle), "--pickles"]
    told = _run("extractors", "extract", *arguments, "--clips", "2", "--to", str(features))
    assert "train 6, val 4, test 4" in told

    _train(features, tmp_path / "ours", random_bundle)
    told = _run("mafnet", "test", "--features", str(features), "--bundle", str(tmp_path / "ours"))

    assert "both: accuracy" in told
    assert sorted(path.name for path in (features / "pickles").iterdir()) == sorted(
        f"{split}Set_{part}.p"
        for split in ("train", "val", "test")
        for part in ("visual", "audio", "target")
    )
