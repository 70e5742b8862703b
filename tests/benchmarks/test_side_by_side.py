import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks.side_by_side import main

T, D, LABELS = 2, 4, ("a", "b")


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, random = tmp_path_factory.mktemp("features"), np.random.default_rng(0)
    manifest = {"labels": LABELS, "visual_trunk": "densenet201"}
    (folder / "features.json").write_text(json.dumps(manifest))
    for split in ("train", "val", "test"):
        np.save(folder / f"{split}_visual.npy", random.random((4, T, D), np.float32))
        audio = random.random((4, T, 12, 8, 512), np.float32)
        np.save(folder / f"{split}_audio.npy", audio.astype(np.float16))
        np.save(folder / f"{split}_target.npy", np.eye(2, dtype=np.float32)[[0, 1, 0, 1]])
    return folder


def _run(features: Path, to: Path, seeds: int, *more: str) -> int:
    arguments = ["--features", str(features), "--to", str(to), "--seeds", str(seeds)]
    return main([*arguments, "--epochs", "1", "--batch-size", "4", *more])


def test_table_and_json_tell_both_recipes_with_their_intervals(
    features: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(features, tmp_path / "out", 1) == 0
    first = json.loads((tmp_path / "out" / "side_by_side.json").read_text())
    assert first["summary"]["loss_both"]["modern"]["low"] is None  # of one seed

    assert _run(features, tmp_path / "out", 2) == 0

    told = capsys.readouterr().out
    content = json.loads((tmp_path / "out" / "side_by_side.json").read_text())
    losses = [result["loss_both"] for result in content["results"]["authors"]]
    low, high = stats.t.interval(0.95, 1, np.mean(losses), stats.sem(losses))
    assert content["summary"]["loss_both"]["authors"]["low"] == pytest.approx(low)
    assert content["summary"]["loss_both"]["authors"]["high"] == pytest.approx(high)
    assert content["results"]["authors"][0] == first["results"]["authors"][0]  # not done again
    assert told.count("authors-0: epoch 1") == 1
    assert "| accuracy, both senses |" in told
    assert not list((tmp_path / "out" / "runs").iterdir())


def test_other_settings_are_refused_in_a_folder_that_was_begun(
    features: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "settings.json").write_text('{"labels": ["c"]}')
    assert _run(features, tmp_path, 1) == 1
    error = capsys.readouterr().err
    assert "results of other settings" in error
    assert len(error.splitlines()) == 1


def test_features_that_are_not_there_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(tmp_path / "absent", tmp_path / "out", 1) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "out").exists()
