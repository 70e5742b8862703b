import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mafnet.__main__ import main
from mafnet.errors import FeaturesError, RunError
from mafnet.evidence import EvidenceClasses
from mafnet.feature_set import FeatureSet
from mafnet.model import MAFnet, MAFnetConfig
from mafnet.run_folder import EpochRow, RunState, save_weights
from mafnet.start import PARTS, Start, load_start
from mafnet.train import make_model, train
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

D = 5
THEIRS = ("Bark", "Cat", "Cough")
OURS = ("Cat", "Knife", "Bark", "Background")


class Silent:
    def on_step(self, epoch: int, step: int, n_steps: int) -> None:
        pass

    def on_epoch(self, row: EpochRow, state: RunState) -> None:
        pass


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("start")
    (folder / "any.safetensors").write_bytes(b"weights that no test opens")
    torch.manual_seed(7)
    model = MAFnet(MAFnetConfig(visual_dim=D, n_labels=len(THEIRS)))
    for value in model.state_dict().values():
        torch.nn.init.uniform_(value, 0.5, 1.5)
    save_weights(model, folder / "head.safetensors")
    trunk = folder / "any.safetensors"
    return write_bundle(
        Bundle(
            name="theirs",
            version="1",
            path=folder,
            labels=THEIRS,
            background=None,
            activation="softmax",
            temperature=1.0,
            sample_rate=16_000,
            visual=VisualSpec(trunk="densenet201", dim=D, weights=trunk),
            audio=AudioSpec(trunk="vggish", sound_map=SOUND_MAPS["vggish"], weights=trunk),
            head=HeadSpec(weights=folder / "head.safetensors"),
            events=EventSpec(),
            licence="CC0-1.0",
            provenance="made for a test",
            unverified=("vggish: nobody vouches for it",),
        ),
        folder / "bundle",
    )


def _set(seed: int, n: int = 8, n_clips: int = 2) -> FeatureSet:
    random = np.random.default_rng(seed)
    return FeatureSet(
        labels=OURS,
        visual=random.random((n, n_clips, D), np.float32),
        audio=random.random((n, n_clips, 12, 8, 512), np.float32).astype(np.float16),
        target=np.arange(n) % len(OURS),
        present=None,
        names=tuple(f"{seed}-{k}" for k in range(n)),
        visual_trunk="densenet201",
    )


def test_all_but_new_labels_begin_with_the_bundles_weights(bundle: Bundle) -> None:
    start = load_start(str(bundle.path), _set(0))
    model = make_model(_set(0), TrainConfig())
    drawn = {name: value.clone() for name, value in model.state_dict().items()}

    start.apply(model, OURS)

    theirs = start.model.state_dict()
    assert start.shared(OURS) == ["Cat", "Bark"]
    for name, value in model.state_dict().items():
        if name.split(".")[0] not in ("head", "head_norm"):
            assert torch.equal(value, theirs[name]), name
        else:
            assert torch.equal(value[[0, 2]], theirs[name][[1, 0]]), name  # Cat, Bark
            assert torch.equal(value[[1, 3]], drawn[name][[1, 3]]), name


@pytest.mark.parametrize("recipe", ["authors", "modern"])
@pytest.mark.parametrize("part", list(PARTS))
def test_frozen_part_stays_as_it_is_and_the_rest_learns(
    recipe: Any, part: str, bundle: Bundle, tmp_path: Path
) -> None:
    start = load_start(str(bundle.path), _set(0), [part])
    config = TrainConfig(recipe=recipe, n_epochs=1, batch_size=4, lr=1e-2)

    train(tmp_path, _set(0), _set(1), config, Silent(), start=start)

    trained = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["model"]
    theirs = start.model.state_dict()
    changed = {
        name.split(".")[0] for name in theirs if not torch.equal(trained[name], theirs[name])
    }
    modules = {module for modules in PARTS.values() for module in modules}
    assert changed >= {"head"}
    assert not changed & set(PARTS[part])
    # The authors' recipe draws a path for each batch: not all of the rest need have moved.
    assert recipe == "authors" or changed == {"head", "head_norm"} | modules - set(PARTS[part])


def test_resumed_fine_tuning_ends_as_one_that_never_stopped(bundle: Bundle, tmp_path: Path) -> None:
    class Stop(Silent):
        def on_epoch(self, row: EpochRow, state: RunState) -> None:
            raise KeyboardInterrupt

    start = load_start(str(bundle.path), _set(0), ["film"])
    config = TrainConfig(recipe="modern", n_epochs=2, batch_size=4)
    train(tmp_path / "whole", _set(0), _set(1), config, Silent(), start=start)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "halves", _set(0), _set(1), config, Stop(), start=start)
    with pytest.raises(RunError, match="other settings"):
        train(tmp_path / "halves", _set(0), _set(1), config, Silent(), resume=True)

    train(tmp_path / "halves", _set(0), _set(1), config, Silent(), resume=True, start=start)

    one, other = (
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)["model"]
        for name in ("whole", "halves")
    )
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_start_of_another_width_or_trunk_is_refused(bundle: Bundle) -> None:
    start = load_start(str(bundle.path), _set(0))
    with pytest.raises(FeaturesError, match="has film True, this run False"):
        start.apply(make_model(_set(0), TrainConfig(film=False)), OURS)
    with pytest.raises(RunError, match="features were made with densenet201"):
        load_start("starter", _set(0))


def test_head_that_only_corrects_evidence_is_not_taken_over(bundle: Bundle) -> None:
    classes = EvidenceClasses(sound=((0,), (1,), (2,)), picture=((), (), ()))
    own = MAFnet(MAFnetConfig(visual_dim=D, n_labels=3, evidence=classes))
    start = Start(bundle=bundle, model=own)
    model = make_model(_set(0), TrainConfig())
    head = model.head.weight.clone()

    start.apply(model, OURS)

    assert start.shared(OURS) == []
    assert torch.equal(model.head.weight, head)
    assert torch.equal(model.sound_dense.weight, own.sound_dense.weight)


def test_fine_tuning_from_the_command_line(
    bundle: Bundle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    features = tmp_path / "features"
    features.mkdir()
    manifest = {"labels": OURS, "visual_trunk": "densenet201"}
    (features / "features.json").write_text(json.dumps(manifest))
    for seed, split in enumerate(("train", "val")):
        own = _set(seed, n_clips=3)
        np.save(features / f"{split}_visual.npy", own.visual)
        np.save(features / f"{split}_audio.npy", own.audio)
        np.save(features / f"{split}_target.npy", np.eye(4, dtype=np.uint8)[own.target])
    arguments = ["train", "--features", str(features), "--to", str(tmp_path / "mine"), "--recipe"]
    arguments += ["modern", "--epochs", "1", "--batch-size", "4"]

    assert main([*arguments, "--freeze", "film"]) == 2
    assert "--freeze needs --start" in capsys.readouterr().err
    assert main([*arguments, "--rate", "film=0.1"]) == 2
    assert "--rate needs --start" in capsys.readouterr().err
    begun = [*arguments, "--start", str(bundle.path), "--freeze", "film", "sound"]
    assert main([*begun, "--rate", "sound=0.1"]) == 2
    assert "--freeze leaves sound as it is" in capsys.readouterr().err
    assert main([*begun, "--rate", "picture=0.1"]) == 0

    assert "2 of 4 labels are the bundle's" in capsys.readouterr().out
    mine = load_bundle(tmp_path / "mine")
    assert mine.labels == OURS
    assert mine.visual.sha256 == bundle.visual.sha256
    assert "fine-tuned from the bundle theirs (made for a test)" in mine.provenance
    assert mine.unverified == bundle.unverified
