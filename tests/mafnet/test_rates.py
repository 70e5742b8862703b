from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_features import D, Silent, small_set

from mafnet.authors_recipe import AuthorsRecipe
from mafnet.errors import RunError
from mafnet.model import MAFnet, MAFnetConfig
from mafnet.modern_recipe import ModernRecipe
from mafnet.rates import by_factor, read_rates
from mafnet.start import PARTS
from mafnet.train import train
from mafnet.train_config import TrainConfig


def model() -> MAFnet:
    torch.manual_seed(0)
    return MAFnet(MAFnetConfig(visual_dim=D, n_labels=3, sound_map=(1024, 3, 2)))


def moved(recipe: Any, rates: dict[str, float]) -> dict[str, torch.Tensor]:
    """Return how far each parameter moved in a step; Adam's first is of the rate's size."""
    network = model()
    before = {name: value.clone() for name, value in network.named_parameters()}
    batch = small_set([0, 1, 2]).batch(np.arange(3))
    recipe(network, rates).step(batch, np.random.default_rng(0))
    return {name: value.detach() - before[name] for name, value in network.named_parameters()}


@pytest.mark.parametrize(
    "recipe",
    [
        lambda network, rates: AuthorsRecipe(network, rates=rates),
        lambda network, rates: ModernRecipe(network, 4, rates=rates),
    ],
    ids=["authors", "modern"],
)
@pytest.mark.parametrize("part", list(PARTS))
def test_step_of_a_part_is_as_small_as_its_factor_and_the_rest_as_before(
    part: str, recipe: Any
) -> None:
    plain, slowed = moved(recipe, {}), moved(recipe, {part: 0.25})

    for name, step in plain.items():
        factor = 0.25 if name.split(".")[0] in PARTS[part] else 1.0
        # Weights of size 1 are rounded to 1e-7, steps are from 1e-5 on.
        torch.testing.assert_close(slowed[name], factor * step, rtol=1e-3, atol=2e-7)


def test_each_parameter_is_in_one_group() -> None:
    network = model()
    groups = by_factor(network.named_parameters(), {"film": 0.1, "sound": 0.1, "picture": 2.0})
    assert sorted(groups) == [0.1, 1.0, 2.0]
    assert sum(map(len, groups.values())) == len(list(network.parameters()))
    assert len(by_factor(network.named_parameters(), {})) == 1


def test_rates_are_read() -> None:
    assert read_rates(["sound=0.1", "film=2"]) == {"sound": 0.1, "film": 2.0}


@pytest.mark.parametrize("text", ["sound", "sound=", "sound=x", "sound=0", "sound=-1", "head=0.1"])
def test_rate_that_cannot_be_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="wants PART=FACTOR with a part of film, sound"):
        read_rates([text])


def test_part_that_is_named_twice_is_told() -> None:
    with pytest.raises(ValueError, match="film twice"):
        read_rates(["film=1", "film=2"])


@pytest.mark.parametrize("recipe", ["authors", "modern"])
def test_run_with_rates_resumes_bit_for_bit_and_tells_the_runs_own_rate(
    recipe: Any, tmp_path: Path
) -> None:
    sets = small_set([0, 1, 2] * 3), small_set([0, 1, 2], seed=1)
    settings: dict[str, Any] = {"recipe": recipe, "n_epochs": 2, "batch_size": 3}
    config = TrainConfig(rates=(("sound", 0.1),), **settings)
    whole = train(tmp_path / "whole", *sets, config, Silent())
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "halves", *sets, config, Silent(1))
    with pytest.raises(RunError, match="other settings"):
        train(tmp_path / "halves", *sets, TrainConfig(**settings), Silent(), resume=True)
    train(tmp_path / "halves", *sets, config, Silent(), resume=True)
    plain = train(tmp_path / "plain", *sets, TrainConfig(**settings), Silent())

    one, other = (
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)["model"]
        for name in ("whole", "halves")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert [row.lr for row in whole.rows] == [row.lr for row in plain.rows]
