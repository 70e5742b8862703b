import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_features import D, Silent, small_set, write_small

from mafnet.__main__ import main
from mafnet.balance import balanced_order, label_weights, unrecognised
from mafnet.model import MAFnet, MAFnetConfig
from mafnet.modern_recipe import ModernRecipe
from mafnet.train import train
from mafnet.train_config import TrainConfig

RARE = np.array([0] * 12 + [1] * 5 + [3] * 2)  # nothing of label 2


def test_weights_make_labels_count_alike_and_videos_one_on_average() -> None:
    weights = label_weights(RARE, 4)

    of_labels = weights * np.bincount(RARE, minlength=4)
    np.testing.assert_allclose(of_labels[[0, 1, 3]], len(RARE) / 3, rtol=1e-6)
    assert weights[2] == 0
    assert weights[RARE].mean() == pytest.approx(1)


@pytest.mark.parametrize("seed", range(5))
def test_balanced_epoch_shows_each_label_equally_often(seed: int) -> None:
    order = balanced_order(RARE, np.random.default_rng(seed))

    assert len(order) == len(RARE)
    shown = Counter(RARE[order].tolist())
    assert set(shown) == {0, 1, 3}
    assert max(shown.values()) - min(shown.values()) <= 1
    times = Counter(order.tolist())
    assert {times[row] for row in range(12)} <= {0, 1}  # a frequent label's come once at most
    assert all(times[row] >= 2 for row in (17, 18))  # a rare one's again, all as often
    assert abs(times[17] - times[18]) <= 1


def test_balanced_order_is_the_seeds() -> None:
    one, same, other = (balanced_order(RARE, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.tolist() == same.tolist() != other.tolist()


def test_weights_multiply_their_videos_losses() -> None:
    batch = small_set([0, 1, 2]).batch(np.arange(3))
    losses = []
    for weights in (None, torch.full((3,), 2.0)):
        torch.manual_seed(0)
        model = MAFnet(MAFnetConfig(visual_dim=D, n_labels=3, sound_map=(1024, 3, 2)))
        recipe = ModernRecipe(model, 2, label_weights=weights)
        losses.append(recipe.step(batch, np.random.default_rng(0))[0])
    assert losses[1] == pytest.approx(2 * losses[0], rel=1e-6)


@pytest.mark.parametrize("balance", ["weights", "sampling"])
def test_balanced_run_resumes_bit_for_bit(balance: Any, tmp_path: Path) -> None:
    sets = small_set([0] * 5 + [1] * 2 + [2]), small_set([0, 1, 2], seed=1)
    config = TrainConfig(recipe="modern", n_epochs=2, batch_size=4, balance=balance)
    plain = TrainConfig(recipe="modern", n_epochs=2, batch_size=4)
    train(tmp_path / "whole", *sets, config, Silent())
    train(tmp_path / "plain", *sets, plain, Silent())
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "halves", *sets, config, Silent(1))
    train(tmp_path / "halves", *sets, config, Silent(), resume=True)
    whole, halves, unbalanced = (
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)["model"]
        for name in ("whole", "halves", "plain")
    )
    assert all(torch.equal(halves[name], value) for name, value in whole.items())
    assert not all(torch.equal(unbalanced[name], value) for name, value in whole.items())


def test_authors_recipe_takes_no_balance(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--features", "x", "--to", "y", "--balance", "weights"]) == 2
    assert "--balance is for --recipe modern" in capsys.readouterr().err


def test_label_that_is_never_recognised_is_told_by_training_and_test(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = small_set([0] * 6)  # all look and sound alike: one label is named, two are lost
    same = replace(
        same,
        visual=np.repeat(same.visual[:1], 6, axis=0),
        audio=np.repeat(same.audio[:1], 6, axis=0),
        target=np.array([0, 1, 2] * 2),
    )
    sets = {"train": small_set([0, 1, 2] * 2, seed=1), "val": same, "test": same}
    features = write_small(tmp_path / "features", sets)
    to = tmp_path / "mine"
    command = ["train", "--features", str(features), "--to", str(to), "--no-bundle"]
    command += ["--recipe", "modern", "--epochs", "1", "--batch-size", "3"]
    assert main(command) == 0
    told = r"video was named rightly of \w+ \(2\), \w+ \(2\): the recall is 0"
    assert re.search(f"no validation {told}; more videos, or --balance", capsys.readouterr().err)

    weights = str(to / "run" / "best.safetensors")
    assert main(["test", "--features", str(features), "--weights", weights]) == 0
    assert re.search(f"no test {told}", capsys.readouterr().err)


def test_only_labels_with_videos_and_nothing_right_are_named() -> None:
    assert unrecognised("abcd", np.array([0, 1, 0, 3]), np.array([2, 2, 0, 3])) == ["a (2)"]
