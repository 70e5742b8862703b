import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mafnet.__main__ import main
from mafnet.ablate import VARIANTS, WHOLE, ablate
from mafnet.errors import RunError
from mafnet.feature_set import FeatureSet
from mafnet.load import load_model
from mafnet.modern_recipe import ModernRecipe
from mafnet.run_folder import EpochRow, RunState
from mafnet.train import make_model
from mafnet.train_config import TrainConfig

CONFIG = TrainConfig(recipe="modern", n_epochs=1, batch_size=4)


def _set(seed: int, n: int = 8) -> FeatureSet:
    random = np.random.default_rng(seed)
    return FeatureSet(
        labels=("Bark", "Cat"),
        visual=random.random((n, 2, 5), np.float32),
        audio=random.random((n, 2, 3, 2, 1024), np.float32),
        target=np.arange(n) % 2,
        present=None,
        names=tuple(f"{seed}-{k}" for k in range(n)),
        visual_trunk="efficientnet_lite0",
    )


SETS = {split: _set(seed) for seed, split in enumerate(("train", "val", "test"))}


class Watch:
    def __init__(self) -> None:
        self.runs: list[tuple[str, int]] = []

    def of_variant(self, name: str, seed: int) -> "Watch":
        self.runs.append((name, seed))
        return self

    def on_step(self, epoch: int, step: int, n_steps: int) -> None:
        pass

    def on_epoch(self, row: EpochRow, state: RunState) -> None:
        self.runs.append(("trained", row.epoch))


def test_every_variant_is_trained_with_every_seed_and_compared_with_the_whole(
    tmp_path: Path,
) -> None:
    watch = Watch()

    rows = ablate(tmp_path, SETS, list(VARIANTS), CONFIG, 2, watch.of_variant)

    assert [row.variant for row in rows] == list(VARIANTS)
    assert all(row.n_seeds == 2 for row in rows)
    assert [row.beside_whole is None for row in rows] == [True] + [False] * 5
    forms = {
        name: load_model(tmp_path / name / "seed-1" / "run" / "best.safetensors").config
        for name in VARIANTS
    }
    assert not forms["no-film"].film
    assert forms["no-attention"].attention == "none"
    assert forms["attention-per-sense"].attention == "per_sense"
    with (tmp_path / "ablation.csv").open(newline="") as file:
        table = list(csv.reader(file))
    assert float(table[1][2]) == pytest.approx(rows[0].accuracy)
    assert len(table) == 1 + len(VARIANTS)


def test_ablation_that_was_stopped_goes_on(tmp_path: Path) -> None:
    first, second = Watch(), Watch()
    before = ablate(tmp_path, SETS, [WHOLE], CONFIG, 1, first.of_variant)

    after = ablate(tmp_path, SETS, [WHOLE, "no-film"], CONFIG, 1, second.of_variant)

    assert after[0] == before[0]
    assert second.runs == [(WHOLE, 0), ("no-film", 0), ("trained", 0)]
    with pytest.raises(RunError, match="other settings or features"):
        ablate(tmp_path, SETS, [WHOLE], replace(CONFIG, lr=0.5), 1, second.of_variant)


@pytest.mark.parametrize(("senses", "other"), [("sound", "visual"), ("picture", "audio")])
def test_sense_that_is_left_out_is_not_looked_at(senses: Any, other: str) -> None:
    alone = _set(0).alone(senses)
    changes: dict[str, Any] = {other: 1 - getattr(alone, other)}
    losses = []
    for features in (alone, replace(alone, **changes)):
        recipe = ModernRecipe(make_model(features, CONFIG), n_steps=2)
        batch = features.batch(np.arange(8))
        losses.append([recipe.step(batch, np.random.default_rng(k))[0] for k in range(2)])
    assert losses[0] == losses[1]


def test_only_sense_of_a_video_is_never_dropped() -> None:
    features = _set(0, n=64).alone("sound")  # of 64 videos some lose a sense
    model = make_model(features, CONFIG)
    seen: list[torch.Tensor] = []
    model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[2]))
    batch = features.batch(np.arange(64))

    ModernRecipe(model, n_steps=2).step(batch, np.random.default_rng(0))

    assert batch.present is not None
    assert torch.equal(seen[0], batch.present)


def test_ablation_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "features.json").write_text(
        '{"labels": ["Bark", "Cat"], "visual_trunk": "efficientnet_lite0"}'
    )
    for split, features in SETS.items():
        np.save(tmp_path / f"{split}_visual.npy", features.visual)
        np.save(tmp_path / f"{split}_audio.npy", features.audio)
        np.save(tmp_path / f"{split}_target.npy", np.eye(2, dtype=np.uint8)[features.target])
    arguments = ["ablate", "--features", str(tmp_path), "--to", str(tmp_path / "out")]
    arguments += ["--recipe", "modern", "--epochs", "1", "--batch-size", "4"]

    assert main([*arguments, "--seeds", "1", "--variants", "whole", "no-film"]) == 0

    captured = capsys.readouterr()
    assert "no-film" in captured.out
    assert "8 test videos" in captured.out
    assert "whole, seed 0, epoch 1: loss" in captured.err
    assert main([*arguments, "--seeds", "0"]) == 2
    assert "--seeds must be at least 1" in capsys.readouterr().err
