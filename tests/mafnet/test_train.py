import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mafnet.__main__ import main
from mafnet.authors_recipe import PATHS, AuthorsRecipe
from mafnet.errors import FeaturesError, RunError
from mafnet.feature_set import Batch, FeatureSet, load_feature_set
from mafnet.load import load_head, load_model
from mafnet.model import MAFnet, MAFnetConfig
from mafnet.modern_recipe import ModernRecipe
from mafnet.results import read_said
from mafnet.run_bundle import tune
from mafnet.run_folder import EpochRow, RunState
from mafnet.test import answer
from mafnet.train import train, validate
from mafnet.train_config import TrainConfig
from weights.bundle import (
    AudioSpec,
    Bundle,
    EventSpec,
    HeadSpec,
    VisualSpec,
    load_bundle,
    write_bundle,
)
from weights.bundle_spec import SOUND_MAPS
from weights.trunk_file import trunk_file

T, D = 1, 6
LABELS = ("Bark", "Cat", "Background")
# Zero in theory: biases before a batch norm, and the scorer's before a softmax. Rounding decides.
NO_GRADIENT = (
    "attention.scorer.bias",
    "filmed_block.conv2.bias",
    "head.bias",
    "picture_dense.bias",
    "sound_dense.bias",
)


def _write_split(folder: Path, split: str, n_videos: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    target = np.arange(n_videos) % len(LABELS)
    visual = random.random((n_videos, T, D), np.float32)
    visual[np.arange(n_videos), :, target] += 3
    np.save(folder / f"{split}_visual.npy", visual)
    audio = random.random((n_videos, T, 12, 8, 512), np.float32)
    np.save(folder / f"{split}_audio.npy", audio.astype(np.float16))
    np.save(folder / f"{split}_target.npy", np.eye(len(LABELS), dtype=np.uint8)[target])
    frames = random.integers(0, 255, (n_videos, T, 6, 8, 3), np.uint8)
    np.save(folder / f"{split}_frames.npy", frames)


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("features")
    manifest = {"labels": LABELS, "visual_trunk": "densenet201"}
    (folder / "features.json").write_text(json.dumps(manifest))
    for seed, (split, n_videos) in enumerate((("train", 9), ("val", 6), ("test", 6))):
        _write_split(folder, split, n_videos, seed)
    return folder


@pytest.fixture(scope="module")
def trunks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trunks")
    (folder / "any.safetensors").write_bytes(b"weights that no test opens")
    file = folder / "any.safetensors"
    bundle = Bundle(
        name="trunks",
        version="1",
        path=folder,
        labels=("a",),
        background=None,
        activation="softmax",
        temperature=1.0,
        sample_rate=16000,
        visual=VisualSpec(trunk="densenet201", dim=D, weights=file),
        audio=AudioSpec(trunk="vggish", sound_map=SOUND_MAPS["vggish"], weights=file),
        head=HeadSpec(weights=file),
        events=EventSpec(),
        licence="CC0-1.0",
        provenance="made for a test",
    )
    return write_bundle(bundle, folder / "bundle").path


@pytest.fixture
def vggish_file(tmp_path: Path) -> Path:
    state = {}
    channels = (1, 64, 128, 256, 256, 512, 512)
    layers = ("conv1", "conv2", "conv3_1", "conv3_2", "conv4_1", "conv4_2")
    for layer, n_in, n_out in zip(layers, channels[:-1], channels[1:], strict=True):
        state[f"{layer}.weight"] = torch.zeros(n_out, n_in, 3, 3)
        state[f"{layer}.bias"] = torch.zeros(n_out)
    torch.save(state, tmp_path / "vggish.pth")
    return tmp_path / "vggish.pth"


class Silent:
    def on_step(self, epoch: int, step: int, n_steps: int) -> None:
        pass

    def on_epoch(self, row: EpochRow, state: RunState) -> None:
        pass


class StopAfter(Silent):
    def __init__(self, n_epochs: int) -> None:
        self._n_epochs = n_epochs

    def on_epoch(self, row: EpochRow, state: RunState) -> None:
        if state.epoch == self._n_epochs:
            raise KeyboardInterrupt


@pytest.fixture
def sets(features: Path) -> tuple[FeatureSet, FeatureSet]:
    return load_feature_set(features, "train"), load_feature_set(features, "val")


@pytest.mark.parametrize("recipe", ["authors", "modern"])
def test_resumed_run_ends_with_the_weights_of_one_that_never_stopped(
    recipe: Any, sets: tuple[FeatureSet, FeatureSet], tmp_path: Path
) -> None:
    config = TrainConfig(recipe=recipe, n_epochs=2, batch_size=4, seed=5)
    whole = train(tmp_path / "whole", *sets, config, Silent())
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "halves", *sets, config, StopAfter(1))

    resumed = train(tmp_path / "halves", *sets, config, Silent(), resume=True)

    states = [
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)["model"]
        for name in ("whole", "halves")
    ]
    for name, value in states[0].items():
        torch.testing.assert_close(states[1][name], value, atol=0, rtol=0)
    assert [row.val_loss for row in resumed.rows] == [row.val_loss for row in whole.rows]
    with (tmp_path / "halves" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert all(0 < float(row["lr"]) <= 5e-4 for row in rows)


def test_run_is_not_overwritten_without_resume(
    sets: tuple[FeatureSet, FeatureSet], tmp_path: Path
) -> None:
    config = TrainConfig(n_epochs=1, batch_size=4)
    train(tmp_path, *sets, config, Silent())
    with pytest.raises(RunError, match="there is a run already"):
        train(tmp_path, *sets, config, Silent())
    with pytest.raises(RunError, match="other settings or features"):
        train(tmp_path, *sets, TrainConfig(seed=2, n_epochs=1, batch_size=4), Silent(), resume=True)
    (tmp_path / "checkpoint.pt").write_bytes(b"damaged")
    with pytest.raises(RunError, match="damaged"):
        train(tmp_path, *sets, config, Silent(), resume=True)


def test_resume_without_a_run_is_told(sets: tuple[FeatureSet, FeatureSet], tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run to resume"):
        train(tmp_path, *sets, TrainConfig(batch_size=4), Silent(), resume=True)


def test_too_few_videos_for_a_batch_is_told(
    sets: tuple[FeatureSet, FeatureSet], tmp_path: Path
) -> None:
    with pytest.raises(FeaturesError, match="9 videos are fewer than a batch of 32"):
        train(tmp_path, *sets, TrainConfig(), Silent())


def test_features_that_are_not_finite_stop_the_run_and_write_nothing(
    sets: tuple[FeatureSet, FeatureSet], tmp_path: Path
) -> None:
    training, validation = sets
    broken = replace(training, visual=np.full_like(training.visual, np.nan))
    config = TrainConfig(recipe="modern", n_epochs=1, batch_size=4)
    with pytest.raises(FeaturesError, match="visual features of its clip 0 hold values that are"):
        train(tmp_path, broken, validation, config, Silent())
    assert not list(tmp_path.iterdir())


def test_one_value_that_is_not_finite_is_named_by_its_video(
    sets: tuple[FeatureSet, FeatureSet], tmp_path: Path
) -> None:
    audio = np.array(sets[1].audio)
    audio[4, 0, 11, 7, 511] = np.inf
    broken = replace(sets[1], audio=audio)
    config = TrainConfig(recipe="modern", n_epochs=1, batch_size=4)
    with pytest.raises(FeaturesError, match="video 4: the audio features of its clip 0"):
        train(tmp_path, sets[0], broken, config, Silent())


def test_what_stands_for_a_missing_sense_need_not_be_finite(
    sets: tuple[FeatureSet, FeatureSet],
) -> None:
    visual = np.full_like(sets[1].visual, np.nan)
    present = np.zeros((6, 1, 2), np.bool_)
    present[:, :, 1] = True
    batch = replace(sets[1], visual=visual, present=present).batch(np.arange(6))
    model = MAFnet(MAFnetConfig(visual_dim=D, n_labels=3)).eval()
    assert torch.isfinite(model(batch.visual, batch.audio, batch.present).logits).all()


def test_one_label_alone_cannot_be_learnt(
    sets: tuple[FeatureSet, FeatureSet], tmp_path: Path
) -> None:
    alone = replace(sets[0], target=np.zeros_like(sets[0].target))
    with pytest.raises(FeaturesError, match="one label alone"):
        train(tmp_path, alone, sets[1], TrainConfig(batch_size=4), Silent())


@pytest.mark.parametrize("background", ["Background", None])
def test_thresholds_leave_room_for_nothing(
    background: str | None, sets: tuple[FeatureSet, FeatureSet]
) -> None:
    torch.manual_seed(0)
    model = MAFnet(MAFnetConfig(visual_dim=D, n_labels=3)).eval()

    temperature, events = tune(model, sets[1], background)

    scores = torch.softmax(torch.from_numpy(answer(model, sets[1]).logits) / temperature, 1).numpy()
    labels = [label for label in LABELS if label != background]
    assert sorted(events.per_label) == sorted(labels)
    for label in labels:
        on, k = events.thresholds(label)[0], LABELS.index(label)
        assert on >= 0.5
        of_nothing = scores[sets[1].target == LABELS.index("Background"), k]
        assert not (background and (of_nothing > on).any())


def test_first_epoch_only_sets_the_bar_for_the_authors() -> None:
    state = RunState()
    assert not state.note(0.5, 1.0, patience=50, as_authors=True)
    assert not state.note(0.50005, 0.1, patience=50, as_authors=True)
    assert state.note(0.6, 2.0, patience=50, as_authors=True)
    assert state.n_without == 0


def test_first_epoch_is_saved_and_the_lower_loss_breaks_a_tie_for_the_modern_recipe() -> None:
    state = RunState()
    noted = [
        state.note(accuracy, loss, patience=50, as_authors=False)
        for accuracy, loss in ((0.5, 1.0), (0.5, 1.5), (0.5, 0.9), (0.4, 0.1), (0.6, 2.0))
    ]
    assert noted == [True, False, True, False, True]


def test_run_stops_after_51_epochs_in_a_row_without_a_better_one() -> None:
    state = RunState(bar=0.5, bar_loss=1.0)
    n_epochs = 0
    while not state.stopped:
        state.note(0.5, 1.0, patience=50, as_authors=True)
        n_epochs += 1
    assert n_epochs == 51


@pytest.mark.parametrize("recipe", ["authors", "modern"])
@pytest.mark.parametrize("seed", [0, 1])
def test_accuracy_that_a_run_claims_is_that_of_the_weights_it_saved(
    recipe: Any, seed: int, sets: tuple[FeatureSet, FeatureSet], tmp_path: Path
) -> None:
    config = TrainConfig(recipe=recipe, n_epochs=3, batch_size=4, seed=seed)
    state = train(tmp_path, *sets, config, Silent())
    loss, accuracy = validate(load_model(tmp_path / "best.safetensors"), sets[1])
    assert state.saved.val_accuracy == accuracy
    assert state.saved.val_loss == pytest.approx(loss, rel=1e-5)


def _batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(
        visual=torch.rand(2, T, D, generator=generator),
        audio=torch.rand(2, T, 512, 12, 8, generator=generator),
        present=None,
        target=torch.tensor([0, 1]),
    )


@pytest.mark.parametrize("path", list(PATHS))
def test_path_updates_its_variables_and_every_moving_average(path: str) -> None:
    torch.manual_seed(0)
    model = MAFnet(MAFnetConfig(visual_dim=D, n_labels=3))
    for name, value in model.named_parameters():
        if name.endswith("bias"):  # away from zero, where ReLUs pass gradients
            torch.nn.init.uniform_(value, -0.1, 0.1)
    before = {name: value.clone() for name, value in model.state_dict().items()}

    AuthorsRecipe(model).step_on(_batch(), path)

    for name, value in model.state_dict().items():
        left_alone = bool(PATHS[path]) and name.startswith(PATHS[path]) and "running" not in name
        if left_alone:
            assert torch.equal(value, before[name]), name
        elif name not in NO_GRADIENT:
            assert not torch.equal(value, before[name]), name


@pytest.mark.parametrize("recipe", [AuthorsRecipe, lambda model: ModernRecipe(model, n_steps=2)])
def test_maps_that_repeat_train_the_same_when_they_are_convolved_once(recipe: Any) -> None:
    batch = _batch()
    batch = Batch(
        visual=batch.visual.repeat(1, 3, 1),
        audio=batch.audio.repeat(1, 3, 1, 1, 1),  # a looped sound, T = 3
        present=None,
        target=batch.target,
    )
    states, losses = [], []
    for shares in (False, True):
        torch.manual_seed(0)
        model = MAFnet(MAFnetConfig(visual_dim=D, n_labels=3))
        model.filmed_block.shares_repeats = shares
        losses.append(recipe(model).step(batch, np.random.default_rng(1))[0])
        states.append(model.state_dict())
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    for name, value in states[0].items():
        if "running" in name:
            torch.testing.assert_close(states[1][name], value, atol=1e-6, rtol=1e-4)


def test_maps_that_repeat_give_the_same_gradients_when_they_are_convolved_once() -> None:
    maps = torch.rand(2, 512, 12, 8, generator=torch.Generator().manual_seed(1))
    audio, gradients = maps[[0, 1, 0, 0]], []
    gamma, beta = torch.rand(4, 512), torch.rand(4, 512)
    block = MAFnet(MAFnetConfig(visual_dim=D, n_labels=3)).filmed_block.train()
    for shares in (False, True):
        block.shares_repeats = shares
        block.zero_grad()
        block(audio, gamma, beta).square().sum().backward()
        gradients.append([value.grad.clone() for value in block.parameters()])  # type: ignore[union-attr]
    for shared, whole in zip(gradients[1], gradients[0], strict=True):
        scale = float(whole.abs().max()) + 1.0  # conv2's bias has none in theory
        assert float((shared - whole).abs().max()) < 1e-4 * scale


def test_modern_recipe_copes_with_features_that_lack_senses() -> None:
    batch = _batch()
    present = torch.tensor([[[True, False]], [[True, True]]])
    batch = Batch(visual=batch.visual, audio=batch.audio, present=present, target=batch.target)
    model = MAFnet(MAFnetConfig(visual_dim=D, n_labels=3))
    recipe = ModernRecipe(model, n_steps=2)
    for _ in range(2):
        loss, _ = recipe.step(batch, np.random.default_rng(0))
        assert np.isfinite(loss)
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


def test_train_then_test_from_the_command_line(
    features: Path, trunks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "mine"
    arguments = ["train", "--features", str(features), "--to", str(to), "--recipe", "modern"]
    arguments += ["--epochs", "2", "--batch-size", "4", "--trunks", str(trunks)]
    assert main(arguments) == 0
    bundle = load_bundle(to)
    assert (bundle.name, bundle.labels, bundle.background) == ("mine", LABELS, "Background")
    assert load_file(bundle.head.weights)["head.weight"].shape == (3, 1024)
    out = capsys.readouterr().out
    told = re.search(r"the weights are epoch \d's, validation accuracy ([\d.]+)%", out)
    _, accuracy = validate(load_head(bundle), load_feature_set(features, "val"))
    assert told is not None
    assert float(told[1]) == pytest.approx(100 * accuracy, abs=0.005)
    assert f"validation accuracy {accuracy:.4f}" in bundle.provenance

    report = tmp_path / "report"
    arguments = ["test", "--features", str(features), "--bundle", str(to)]
    arguments += ["--results", str(tmp_path / "results")]
    assert main([*arguments, "--report", str(report)]) == 0
    assert len(read_said(tmp_path / "results", "sound").videos) == 6
    out = capsys.readouterr().out
    assert "95 % interval" in out
    assert "sound only: accuracy" in out
    assert "confusion matrix" in out
    assert sorted(path.name for path in report.iterdir()) == [
        "attention.png",
        "confusion.png",
        "reliability.png",
        "report.html",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "--features", "/no/such", "--to", "x"], 1, "no such folder of features"),
        (["train", "--features", "x", "--to", "x", "--lr", "-1"], 2, "lr must be above 0"),
        (["train", "--features", "x", "--to", "x", "--batch-size", "1"], 2, "must be at least 2"),
        (["test", "--features", "/no/such", "--bundle", "starter"], 1, "no such folder"),
        (["predict", "--weights", "/no", "--features", "x", "--to", "y"], 1, "safetensors"),
    ],
)
def test_command_line_fails_with_one_sentence(
    arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ({"visual_trunk": "efficientnet_lite0"}, "features were made with efficientnet_lite0"),
        ({"visual_trunk": "densenet201"}, "no label 'Cough': there are Bark, Cat, Background"),
        (
            {"visual_trunk": "densenet201", "trunks": {"audio": {"sha256": "0" * 64}}},
            "features were made with other audio weights",
        ),
    ],
)
def test_what_would_make_no_bundle_stops_before_the_first_step(
    features: Path,
    trunks: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    manifest: dict[str, Any],
    message: str,
) -> None:
    other = tmp_path / "features"
    other.mkdir()
    for file in features.iterdir():
        (other / file.name).symlink_to(file)
    (other / "features.json").unlink()
    (other / "features.json").write_text(json.dumps({"labels": LABELS, **manifest}))
    to = tmp_path / "mine"
    arguments = ["train", "--features", str(other), "--to", str(to), "--trunks", str(trunks)]
    if "Cough" in message:
        arguments += ["--background", "Cough"]
    arguments += ["--epochs", "1", "--batch-size", "4"]
    assert main(arguments) == 1
    assert message in capsys.readouterr().err
    assert not to.exists()

    if "Cough" not in message:
        assert main([*arguments, "--no-bundle"]) == 0
        assert (to / "run" / "best.safetensors").exists()
        assert not (to / "bundle.json").exists()


def test_train_without_the_shipped_trunks_says_how_to_do_without(
    features: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MAFNET_HOME", str(tmp_path / "nothing fetched"))
    arguments = ["train", "--features", str(features), "--to", str(tmp_path / "mine")]

    assert main([*arguments, "--batch-size", "4"]) == 1

    error = capsys.readouterr().err.splitlines()[-1]
    assert "python -m weights fetch ave" in error
    assert "--no-bundle trains without trunks" in error


def _linked(features: Path, to: Path, **manifest: object) -> Path:
    to.mkdir()
    for file in features.iterdir():
        (to / file.name).symlink_to(file)
    (to / "features.json").unlink()
    (to / "features.json").write_text(json.dumps(manifest))
    return to


def test_bundle_of_trunk_files_says_that_nobody_vouches_for_them(
    features: Path, vggish_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "picture.safetensors"
    picture.write_bytes(b"weights that no test opens")
    _, sha256 = trunk_file("vggish", vggish_file, tmp_path)
    own = _linked(
        features,
        tmp_path / "features",
        labels=LABELS,
        visual_trunk="densenet201",
        trunks={"audio": {"sha256": sha256}},  # of the tensors, as extraction writes it
    )
    arguments = ["train", "--features", str(own), "--to", str(tmp_path / "mine"), "--epochs", "1"]
    arguments += ["--batch-size", "4", "--densenet201", str(picture), "--vggish", str(vggish_file)]

    assert main(arguments) == 0

    bundle = load_bundle(tmp_path / "mine")
    assert bundle.audio.sha256 == sha256
    assert bundle.unverified == (
        "densenet201: the file picture.safetensors is no publisher's",
        "vggish: the file vggish.pth is no publisher's",
    )
    assert "not verified: vggish" in capsys.readouterr().err

    tested = ["test", "--features", str(own), "--bundle", str(tmp_path / "mine")]
    assert main([*tested, "--report", str(tmp_path / "report")]) == 0
    assert "not verified: vggish" in capsys.readouterr().err
    assert "Not verified: vggish" in (tmp_path / "report" / "report.html").read_text()


def test_train_warns_of_what_a_result_suffers_from(
    features: Path, trunks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = _linked(
        features, tmp_path / "f", labels=["Bark", "Cat", "Cough"], visual_trunk="densenet201"
    )
    for part in ("visual", "audio", "target", "frames"):
        (own / f"val_{part}.npy").unlink()
        array = np.load(features / f"train_{part}.npy")[:2]  # of Bark and Cat, all trained on
        np.save(own / f"val_{part}.npy", array)
    arguments = ["train", "--features", str(own), "--to", str(tmp_path / "mine"), "--epochs", "1"]

    assert main([*arguments, "--batch-size", "4", "--trunks", str(trunks)]) == 0

    error = capsys.readouterr().err
    assert "no label is a background" in error
    assert "val has no video of Cough" in error
    assert "2 of 2 validation videos are training videos too (the first: video 0)" in error
