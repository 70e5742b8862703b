"""Videos with several labels: trained on by sigmoids, tested by mAP, streamed as they are."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from integration.stand_in import write_video
from mafnet.__main__ import main
from mafnet.feature_set import load_feature_set
from mafnet.metrics import measure
from mafnet.modern_recipe import label_set_losses
from weights.bundle import load_bundle

LABELS = ["Bark", "Siren", "Speech"]
SETS = np.array([[1, 0, 0], [0, 1, 0], [1, 1, 0], [0, 1, 1], [1, 0, 1], [0, 0, 1]], np.float32)


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features in the starter's shapes, in which each label has a picture and a sound channel."""
    folder = tmp_path_factory.mktemp("features")
    manifest = {"labels": LABELS, "visual_trunk": "efficientnet_lite0", "multi_label": True}
    (folder / "features.json").write_text(json.dumps(manifest))
    random = np.random.default_rng(0)
    for split, n_each in (("train", 4), ("val", 2), ("test", 2)):
        target = np.repeat(SETS, n_each, axis=0)
        visual = 0.1 * random.random((len(target), 1, 1280), np.float32)
        audio = 0.1 * random.random((len(target), 1, 3, 2, 1024), np.float32)
        for k in range(3):
            visual[:, :, 400 * k : 400 * k + 400] += target[:, k, None, None]
            audio[..., 300 * k : 300 * k + 300] += target[:, k, None, None, None, None]
        for part, array in (("visual", visual), ("audio", audio), ("target", target)):
            np.save(folder / f"{split}_{part}.npy", array)
    return folder


@pytest.fixture(scope="module")
def bundle(features: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained") / "several"
    arguments = ["train", "--features", str(features), "--to", str(folder), "--recipe", "modern"]
    assert main([*arguments, "--epochs", "3", "--batch-size", "4", "--lr", "0.003"]) == 0
    return folder


def test_bundle_of_several_labels_tells_each_by_itself(bundle: Path) -> None:
    made = load_bundle(bundle)

    assert made.activation == "sigmoid"
    assert set(made.events.per_label) == set(LABELS)


def test_test_gives_map_and_each_labels_average_precision(
    bundle: Path, features: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["test", "--features", str(features), "--bundle", str(bundle)]
    assert main([*arguments, "--results", str(tmp_path)]) == 0

    results = json.loads((tmp_path / "results.json").read_text())
    both = results["senses"]["both"]
    assert both["map"] > 0.9
    assert [(each["label"], each["n"]) for each in results["of_labels"]] == [
        ("Bark", 6),
        ("Siren", 6),
        ("Speech", 6),
    ]
    assert f"mAP {both['map']:.4f}" in capsys.readouterr().out


def test_authors_recipe_refuses_several_labels(
    features: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["train", "--features", str(features), "--to", str(tmp_path), "--batch-size", "8"]
    assert main([*arguments, "--recipe", "authors"]) == 1
    assert "use --recipe modern" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_network_of_one_label_is_not_tested_on_several(
    features: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = str(bundle / "run" / "best.safetensors")
    assert main(["test", "--features", str(features), "--weights", weights]) == 1
    assert "the network tells one" in capsys.readouterr().err


def test_target_of_several_ones_wants_a_folder_that_says_so(features: Path, tmp_path: Path) -> None:
    assert load_feature_set(features, "test").label_sets is not None
    for path in features.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    manifest = json.loads((tmp_path / "features.json").read_text())
    del manifest["multi_label"]
    (tmp_path / "features.json").write_text(json.dumps(manifest))
    with pytest.raises(Exception, match="one 1 among zeros"):
        load_feature_set(tmp_path, "test")


def test_bundle_of_several_labels_runs_live(bundle: Path, tmp_path: Path) -> None:
    from realtime import recognize

    write_video(tmp_path / "clip.mp4", "Siren", 2.0)
    told = {event.label for event in recognize(str(tmp_path / "clip.mp4"), bundle=str(bundle))}
    assert told <= set(LABELS)


def test_loss_is_the_binary_cross_entropy_of_each_label() -> None:
    logits = torch.tensor([[0.0, 2.0]])
    expected = np.log(2.0) + np.log1p(np.exp(-2.0))
    assert label_set_losses(logits, torch.tensor([[1.0, 1.0]])).item() == pytest.approx(expected)


def test_map_counts_every_label_of_a_video() -> None:
    probabilities = np.array([[0.9, 0.8], [0.2, 0.7], [0.1, 0.1]], np.float32)
    sets = np.array([[True, True], [False, False], [False, True]])

    metrics = measure(probabilities, sets.argmax(axis=1), sets)

    # Siren's places are 1 and 3 of three: (1/1 + 2/3) / 2.
    assert metrics.average_precision.tolist() == pytest.approx([1.0, 5 / 6])
    assert metrics.mean_average_precision() == pytest.approx(11 / 12)
    assert metrics.n_of_labels.tolist() == [1, 2]
