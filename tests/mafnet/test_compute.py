"""Devices, mixed precision and batches that threads load ahead, as far as a CPU can show them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_features import D, Silent, small_folder, small_set

from mafnet.__main__ import main
from mafnet.authors_recipe import AuthorsRecipe
from mafnet.batches import in_order, load_batches
from mafnet.compute import Compute, MixedPrecision, check_precision
from mafnet.errors import FeaturesError, MafnetError
from mafnet.feature_set import Batch, FeatureSet
from mafnet.model import MAFnet, MAFnetConfig
from mafnet.modern_recipe import ModernRecipe, _draw_mixing, _drop_senses, _mixed
from mafnet.norm import BatchNorm
from mafnet.train import train
from mafnet.train_config import TrainConfig

META = torch.device("meta")


def tensors(batch: Batch) -> list[torch.Tensor]:
    return [batch.visual, batch.audio, batch.target]


def model() -> MAFnet:
    torch.manual_seed(0)
    return MAFnet(MAFnetConfig(visual_dim=D, n_labels=3, sound_map=(1024, 3, 2)))


@pytest.mark.parametrize("n_workers", [0, 1, 3])
def test_batches_are_the_same_in_the_same_order_whoever_loads_them(n_workers: int) -> None:
    features = small_set(list(range(3)) * 5)
    rows = np.split(np.random.default_rng(0).permutation(15), 5)

    loaded = list(load_batches(features, rows, Compute(n_workers=n_workers)))

    assert len(loaded) == 5
    for own, batch in zip(rows, loaded, strict=True):
        for one, other in zip(tensors(batch), tensors(features.batch(own)), strict=True):
            assert torch.equal(one, other)


def test_last_rows_are_a_smaller_batch() -> None:
    assert [rows.tolist() for rows in in_order(5, 2)] == [[0, 1], [2, 3], [4]]


def test_no_more_is_loaded_ahead_than_one_batch_beyond_the_workers() -> None:
    asked = []

    class Counting(FeatureSet):
        def batch(self, rows: Any) -> Batch:
            asked.append(rows)
            return small_set([0, 1, 2]).batch(rows)

    whole = small_set([0, 1, 2])
    features = Counting(**{name: getattr(whole, name) for name in FeatureSet.__slots__})
    loaded = load_batches(features, in_order(3, 1) * 20, Compute(n_workers=2))

    next(loaded)
    loaded.close()  # type: ignore[attr-defined]  # a generator

    assert len(asked) <= 4  # one was taken, three waited


@pytest.mark.parametrize("n_workers", [0, 2])
def test_value_that_is_not_finite_is_told_in_one_sentence(n_workers: int) -> None:
    features = small_set([0, 1, 2])
    broken = replace(features, visual=np.full_like(features.visual, np.nan))
    with pytest.raises(FeaturesError) as told:
        list(load_batches(broken, in_order(3, 2), Compute(n_workers=n_workers)))
    assert str(told.value).startswith("0-0: the visual features of its clip 0")


@pytest.mark.parametrize("recipe", ["authors", "modern"])
def test_run_that_threads_feed_is_bit_for_bit_the_run_without(recipe: Any, tmp_path: Path) -> None:
    sets = small_set([0, 1, 2] * 3), small_set([0, 1, 2], seed=1)
    config = TrainConfig(recipe=recipe, n_epochs=2, batch_size=3)
    states = []
    for n_workers in (0, 2):
        folder = tmp_path / str(n_workers)
        with pytest.raises(KeyboardInterrupt):
            train(folder, *sets, config, Silent(1), compute=Compute(n_workers=n_workers))
        compute = Compute(n_workers=2 - n_workers)  # resumed with another number
        train(folder, *sets, config, Silent(), compute=compute, resume=True)
        states.append(torch.load(folder / "checkpoint.pt", weights_only=True)["model"])
    for name, value in states[0].items():
        assert torch.equal(states[1][name], value), name


def test_nothing_of_a_step_stays_behind_when_a_batch_is_on_another_device() -> None:
    batch = small_set([0, 1, 2]).batch(np.arange(3))
    there = replace(batch, present=torch.ones(3, 1, 2, dtype=torch.bool)).to(META)
    partner, weight = _draw_mixing(there, np.random.default_rng(0))
    visual, audio = _mixed(there, there.rows(partner), weight)
    present = _drop_senses(there, np.random.default_rng(0))
    output = model().to(META).eval()(visual, audio, present)
    assert {t.device for t in (partner, weight, present, output.logits)} == {META}
    trained = model().to(META).train()(visual, audio)
    assert trained.logits.device == META


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize("recipe", ["authors", "modern"])
def test_mixed_precision_trains_weights_that_stay_float32(recipe: str, precision: Any) -> None:
    network = model()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    mixed = MixedPrecision("cpu", precision)
    taken: AuthorsRecipe | ModernRecipe = (
        AuthorsRecipe(network, mixed=mixed)
        if recipe == "authors"
        else ModernRecipe(network, n_steps=4, mixed=mixed)
    )
    batch = replace(
        small_set([0, 1, 2]).batch(np.arange(3)),
        present=torch.tensor([[[True, False]], [[True, True]], [[False, True]]]),
    )
    losses = [taken.step(batch, np.random.default_rng(0))[0] for _ in range(4)]
    assert np.isfinite(losses).all()
    for value in network.state_dict().values():
        assert value.dtype == torch.float32
        assert torch.isfinite(value).all()
    moved = network.state_dict()["filmed_block.conv2.weight"]
    assert not torch.equal(moved, before["filmed_block.conv2.weight"])


def test_mixed_precision_is_near_float32() -> None:
    batch = small_set([0, 1, 2] * 4).batch(np.arange(12))
    losses = []
    for precision in ("float32", "bfloat16"):
        recipe = AuthorsRecipe(model(), mixed=MixedPrecision("cpu", precision))
        losses.append(recipe.step_on(batch, "all")[0])
    assert losses[1] == pytest.approx(losses[0], rel=0.02)  # 8 bits: 0.4 % a number
    assert losses[1] != losses[0]


def test_step_whose_scaled_gradients_overflow_is_left_out_and_the_scale_falls() -> None:
    weight = torch.nn.Parameter(torch.ones(1))
    optimiser = torch.optim.SGD([weight], lr=1.0)
    mixed = MixedPrecision("cpu", "float16")
    before = mixed.state_dict()["scale"]

    mixed.step((weight * float("inf")).sum(), optimiser)

    assert weight.item() == 1.0
    assert mixed.state_dict()["scale"] == before / 2
    again = MixedPrecision("cpu", "float16")
    again.load_state_dict(mixed.state_dict())
    assert again.state_dict() == mixed.state_dict()


def test_resumed_run_in_bfloat16_is_the_run_that_never_stopped(tmp_path: Path) -> None:
    sets = small_set([0, 1, 2] * 3), small_set([0, 1, 2], seed=1)
    config = TrainConfig(recipe="modern", n_epochs=2, batch_size=3)
    compute = Compute(precision="bfloat16")
    train(tmp_path / "whole", *sets, config, Silent(), compute=compute)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "halves", *sets, config, Silent(1), compute=compute)
    with pytest.raises(MafnetError, match="other settings"):
        train(tmp_path / "halves", *sets, config, Silent(), resume=True)
    train(tmp_path / "halves", *sets, config, Silent(), compute=compute, resume=True)
    whole, halves = (
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)["model"]
        for name in ("whole", "halves")
    )
    assert all(torch.equal(halves[name], value) for name, value in whole.items())


def test_statistics_of_16_bit_maps_are_taken_in_float32() -> None:
    norm = BatchNorm(2, decay=0.0)
    x = torch.full((4096, 2), 1.0, dtype=torch.bfloat16)
    x[0] = 3.0
    assert norm(x).dtype == torch.bfloat16
    assert norm.running_mean.dtype == torch.float32
    assert float(norm.running_mean[0]) == pytest.approx(1 + 2 / 4096, abs=1e-6)


@pytest.mark.parametrize(
    ("device", "precision", "message"),
    [
        ("mps", "bfloat16", "float32 alone"),
        ("cpu", "float16", "float16 is for CUDA"),
        ("cuda", "bfloat16", "this GPU has no bfloat16"),
    ],
)
def test_precision_that_a_device_has_not_is_told(
    device: str, precision: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    with pytest.raises(MafnetError, match=message):
        check_precision(torch.device(device), precision)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--device", "cuda"], 1, "--device cuda was asked for"),
        (["--device", "tpu"], 1, "--device must be auto, cpu, cuda, cuda:N or mps"),
        (["--precision", "float16"], 1, "float16 is for CUDA"),
        (["--workers", "-1"], 2, "--workers must be at least 0"),
    ],
)
def test_what_cannot_compute_stops_a_training_before_it_begins(
    arguments: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    features = small_folder(tmp_path / "features")
    to = tmp_path / "mine"
    command = ["train", "--features", str(features), "--to", str(to), "--no-bundle"]
    assert main([*command, *arguments]) == code
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert not to.exists()


@pytest.mark.parametrize("command", ["test", "predict"])
def test_device_that_is_not_here_stops_a_test(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    arguments = [command, "--features", str(tmp_path), "--bundle", "starter", "--device", "mps"]
    if command == "predict":
        arguments += ["--to", str(tmp_path / "said.npz")]
    assert main(arguments) == 1
    assert "--device mps was asked for" in capsys.readouterr().err


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is here")
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_run_on_a_gpu_goes_on_and_ends_near_the_cpus(precision: Any, tmp_path: Path) -> None:
    sets = small_set([0, 1, 2] * 3), small_set([0, 1, 2], seed=1)
    config = TrainConfig(recipe="modern", n_epochs=2, batch_size=3)
    compute = Compute(device=torch.device("cuda"), precision=precision, n_workers=2)
    there = tmp_path / "there"
    with pytest.raises(KeyboardInterrupt):
        train(there, *sets, config, Silent(1), compute=compute)
    state = train(there, *sets, config, Silent(), compute=compute, resume=True)
    here = train(tmp_path / "here", *sets, config, Silent())
    tolerance = 1e-3 if precision == "float32" else 0.1
    for one, other in zip(state.rows, here.rows, strict=True):
        assert one.train_loss == pytest.approx(other.train_loss, rel=tolerance)
