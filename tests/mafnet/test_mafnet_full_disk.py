import json
from pathlib import Path

import numpy as np
import pytest

from full_disk import files_in, room_for
from mafnet.errors import RunError
from mafnet.feature_set import FeatureSet, load_feature_set
from mafnet.run_folder import EpochRow, RunState
from mafnet.train import train
from mafnet.train_config import TrainConfig

T, D, LABELS = 1, 4, ("a", "b")
CONFIG = TrainConfig(recipe="modern", n_epochs=2, batch_size=2, patience=2)


class Silent:
    def on_step(self, epoch: int, step: int, n_steps: int) -> None:
        pass

    def on_epoch(self, row: EpochRow, state: RunState) -> None:
        pass


class StopAfterOne(Silent):
    def on_epoch(self, row: EpochRow, state: RunState) -> None:
        raise KeyboardInterrupt


@pytest.fixture
def sets(tmp_path: Path) -> tuple[FeatureSet, FeatureSet]:
    folder, random = tmp_path / "features", np.random.default_rng(0)
    folder.mkdir()
    manifest = {"labels": LABELS, "visual_trunk": "densenet201"}
    (folder / "features.json").write_text(json.dumps(manifest))
    for split in ("train", "val"):
        np.save(folder / f"{split}_visual.npy", random.random((2, T, D), np.float32))
        audio = random.random((2, T, 12, 8, 512), np.float32)
        np.save(folder / f"{split}_audio.npy", audio)
        np.save(folder / f"{split}_target.npy", np.eye(2, dtype=np.float32))
    return load_feature_set(folder, "train"), load_feature_set(folder, "val")


def test_run_is_one_sentence_and_leaves_nothing_when_the_disk_is_full_at_once(
    sets: tuple[FeatureSet, FeatureSet], tmp_path: Path
) -> None:
    with room_for(100_000), pytest.raises(RunError, match="make room") as caught:
        train(tmp_path / "run", *sets, CONFIG, Silent())
    assert len(str(caught.value).splitlines()) == 1
    assert files_in(tmp_path / "run") == []


def test_run_goes_on_from_its_last_epoch_when_the_disk_was_full_later(
    sets: tuple[FeatureSet, FeatureSet], tmp_path: Path
) -> None:
    whole = train(tmp_path / "whole", *sets, CONFIG, Silent())
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "run", *sets, CONFIG, StopAfterOne())
    before = (tmp_path / "run" / "checkpoint.pt").read_bytes()

    with room_for(100_000), pytest.raises(RunError, match="cannot write"):
        train(tmp_path / "run", *sets, CONFIG, Silent(), resume=True)
    assert (tmp_path / "run" / "checkpoint.pt").read_bytes() == before
    assert not [name for name in files_in(tmp_path / "run") if name.endswith(".part")]

    resumed = train(tmp_path / "run", *sets, CONFIG, Silent(), resume=True)
    assert [row.val_loss for row in resumed.rows] == [row.val_loss for row in whole.rows]


def test_folder_that_cannot_be_made_is_one_sentence(
    sets: tuple[FeatureSet, FeatureSet], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("a file where a folder should be")
    with pytest.raises(RunError, match="cannot make the folder"):
        train(tmp_path / "file" / "run", *sets, CONFIG, Silent())
