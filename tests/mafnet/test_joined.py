"""Shards and backgrounds: several folders of features as one set that is read as it is needed."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_features import LABELS, Silent, small_folder, small_set, write_small

from mafnet.__main__ import main
from mafnet.errors import FeaturesError, RunError
from mafnet.feature_set import load_feature_set
from mafnet.joined import add_background, load_joined
from mafnet.load import load_model
from mafnet.shards import Shards
from mafnet.train import train
from mafnet.train_config import TrainConfig


def test_shards_are_the_arrays_one_after_another() -> None:
    random = np.random.default_rng(0)
    parts = [random.random((n, 2, 3), np.float32) for n in (3, 1, 4)]
    shards, whole = Shards(parts), np.concatenate(parts)

    assert (len(shards), shards.shape, shards.dtype) == (8, (8, 2, 3), np.float32)
    rows = random.integers(0, 8, 20)
    np.testing.assert_array_equal(shards[rows], whole[rows])
    np.testing.assert_array_equal(shards[5], whole[5])
    np.testing.assert_array_equal(np.stack(list(shards)), whole)
    with pytest.raises(IndexError):
        shards[8]
    with pytest.raises(ValueError, match="must agree"):
        Shards([parts[0], parts[1][:, :1]])


def _shards(folder: Path, n_shards: int, n_each: int) -> list[Path]:
    return [
        write_small(
            folder / f"part-{k}",
            {
                split: small_set([row % 3 for row in range(n_each)], seed=2 * k + place)
                for place, split in enumerate(("train", "val"))
            },
        )
        for k in range(n_shards)
    ]


def test_shards_train_the_same_weights_as_one_folder(tmp_path: Path) -> None:
    folders = _shards(tmp_path, 3, 4)
    sets = {split: load_joined(folders, split) for split in ("train", "val")}
    merged = {
        split: replace(
            joined,
            visual=np.concatenate([load_feature_set(f, split).visual for f in folders]),
            audio=np.concatenate([load_feature_set(f, split).audio for f in folders]),
        )
        for split, joined in sets.items()
    }
    one = write_small(tmp_path / "one", merged)
    config = TrainConfig(recipe="modern", n_epochs=1, batch_size=4)
    train(tmp_path / "shards", sets["train"], sets["val"], config, Silent())
    whole = [load_feature_set(one, split) for split in ("train", "val")]
    train(tmp_path / "whole", whole[0], whole[1], config, Silent())

    assert sets["train"].names == whole[0].names
    ours, theirs = (
        load_model(tmp_path / name / "best.safetensors").state_dict()
        for name in ("shards", "whole")
    )
    assert all(np.array_equal(ours[name], theirs[name]) for name in theirs)


def test_store_of_many_shards_is_trained_on_without_being_loaded_whole(tmp_path: Path) -> None:
    folders = _shards(tmp_path, 24, 15)
    training, validation = load_joined(folders, "train"), load_joined(folders[:1], "val")
    n_bytes = sum(file.stat().st_size for folder in folders for file in folder.glob("train_*.npy"))
    config = TrainConfig(recipe="modern", n_epochs=1, batch_size=20)

    watcher = Peak()

    tracemalloc.start()
    train(tmp_path / "run", training, validation, config, watcher)
    tracemalloc.stop()

    assert all(isinstance(part, np.memmap) for part in training.audio._parts)  # type: ignore[union-attr]
    assert watcher.n_steps == 18
    assert n_bytes > 4_000_000
    assert watcher.peak < n_bytes / 4  # batches of 20 rows in float32, and what gathers them


class Peak(Silent):
    """Notes the most that was held at once while steps were taken; what saving needs is not."""

    peak = 0
    _held_before = 0

    def on_step(self, epoch: int, step: int, n_steps: int) -> None:
        super().on_step(epoch, step, n_steps)
        held, peak = tracemalloc.get_traced_memory()
        if step == 1:  # the first one imports what torch's optimisers want
            tracemalloc.reset_peak()
            self._held_before = held
        self.peak = peak - self._held_before


def test_labels_are_joined_by_name_and_a_missing_split_is_passed_over(tmp_path: Path) -> None:
    one = write_small(tmp_path / "one", {"train": small_set([0, 1, 2]), "val": small_set([0])})
    own = small_set([0, 1], seed=5, labels=("Siren", "Drum"))
    two = write_small(tmp_path / "two", {"train": own})

    training, validation = load_joined([one, two], "train"), load_joined([one, two], "val")

    assert training.labels == validation.labels == (*LABELS, "Drum")
    assert training.target.tolist() == [0, 1, 2, 2, 3]
    assert validation.target.tolist() == [0]
    with pytest.raises(FeaturesError, match="test_visual"):
        load_joined([one, two], "test")


def test_names_that_are_in_two_shards_are_told_apart(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_small(tmp_path / name, {"train": small_set([0, 1])})
    joined = load_joined([tmp_path / "a", tmp_path / "b"], "train")
    assert joined.names == ("a: 0-0", "a: 0-1", "b: 0-0", "b: 0-1")


def test_a_sense_that_one_shard_lacks_is_masked_there_alone(tmp_path: Path) -> None:
    write_small(tmp_path / "a", {"train": small_set([0])})
    write_small(tmp_path / "b", {"train": small_set([1])})
    np.save(tmp_path / "b" / "train_present.npy", np.array([[[True, False]]]))
    present = load_joined([tmp_path / "a", tmp_path / "b"], "train").present
    assert present is not None
    assert present.tolist() == [[[True, True]], [[True, False]]]


def test_shards_of_other_trunks_or_clips_are_refused(tmp_path: Path) -> None:
    sets = {"train": small_set([0, 1])}
    one = write_small(tmp_path / "one", sets, trunks={"audio": {"sha256": "a" * 64}})
    other = write_small(tmp_path / "other", sets, trunks={"audio": {"sha256": "b" * 64}})
    with pytest.raises(FeaturesError, match="differ in the audio weights"):
        load_joined([one, other], "train")
    longer = {"train": replace(sets["train"], **_of_two_clips(sets["train"]))}
    two = write_small(tmp_path / "two", longer)
    with pytest.raises(FeaturesError, match="differ in clips a video"):
        load_joined([one, two], "train")


def _of_two_clips(features: object) -> dict[str, np.ndarray]:
    return {name: np.repeat(getattr(features, name), 2, axis=1) for name in ("visual", "audio")}


def test_background_features_are_one_label_whatever_theirs_are(tmp_path: Path) -> None:
    features = small_folder(tmp_path / "features")
    others = write_small(tmp_path / "others", {"train": small_set([0, 1, 2, 1], seed=9)})
    events = load_feature_set(features, "train")

    joined = add_background(events, "features", [others], "train", None)
    named = add_background(events, "features", [others], "train", "Siren")

    assert joined.labels == (*LABELS, "Background")
    assert joined.target.tolist() == [*events.target.tolist(), 3, 3, 3, 3]
    assert joined.background() == "Background"
    assert named.labels == LABELS
    assert named.target.tolist()[-4:] == [2] * 4
    with pytest.raises(FeaturesError, match="background has no videos of the split val"):
        add_background(events, "features", [others], "val", None)


def test_a_network_learns_a_background_from_a_folder_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    features = small_folder(tmp_path / "features")
    others = small_folder(tmp_path / "others", 3)
    given = ["--features", str(features), "--background-features", str(others)]
    to = tmp_path / "mine"
    command = ["train", *given, "--to", str(to), "--no-bundle", "--recipe", "modern"]
    assert main([*command, "--epochs", "1", "--batch-size", "3"]) == 0
    assert "no label is a background" not in capsys.readouterr().err

    weights = to / "run" / "best.safetensors"
    assert load_model(weights).config.n_labels == 4
    assert main(["test", *given, "--weights", str(weights)]) == 0
    assert "Background" in capsys.readouterr().out


@pytest.mark.parametrize("recipe", ["authors", "modern"])
def test_run_is_made_longer(recipe: str, tmp_path: Path) -> None:
    sets = small_set([0, 1, 2] * 3), small_set([0, 1, 2], seed=1)

    def config(n_epochs: int, seed: int = 0) -> TrainConfig:
        return TrainConfig(
            recipe=recipe,  # type: ignore[arg-type]
            n_epochs=n_epochs,
            patience=n_epochs,
            batch_size=3,
            seed=seed,
        )

    train(tmp_path / "run", *sets, config(1), Silent())
    longer = train(tmp_path / "run", *sets, config(3), Silent(), resume=True)
    assert [row.epoch for row in longer.rows] == [0, 1, 2]
    again = train(tmp_path / "run", *sets, config(3), Silent(), resume=True)
    assert again.rows == longer.rows
    with pytest.raises(RunError, match="begun with --epochs 3"):
        train(tmp_path / "run", *sets, config(2), Silent(), resume=True)

    if recipe == "authors":  # whose rate does not depend on the length
        whole = train(tmp_path / "whole", *sets, config(3), Silent())
        assert [row.val_loss for row in whole.rows] == [row.val_loss for row in longer.rows]


def test_run_whose_patience_ran_out_goes_on_with_more(tmp_path: Path) -> None:
    sets = small_set([0, 1, 2] * 2), small_set([0, 1, 2], seed=1)
    settings = {"n_epochs": 4, "batch_size": 3, "lr": 1e-9}
    stopped = train(tmp_path, *sets, TrainConfig(patience=0, **settings), Silent())  # type: ignore[arg-type]
    assert stopped.stopped
    assert stopped.epoch < 4
    more = TrainConfig(patience=4, **settings)  # type: ignore[arg-type]
    assert train(tmp_path, *sets, more, Silent(), resume=True).epoch == 4
