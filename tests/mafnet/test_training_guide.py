"""The commands of docs/guide/training.md run as they stand there, on a small set of features."""

from pathlib import Path

import pytest
from small_features import small_folder

from integration.readme_blocks import shell_commands
from mafnet.__main__ import main

GUIDE = "docs/guide/training.md"
# Features that no trunk made have no bundle; the last flag of a kind holds.
SMALL = ["--epochs", "1", "--batch-size", "2", "--no-bundle"]


def run_section(section: str) -> int:
    """Run a section's training commands; returns how many there were."""
    n_run = 0
    for words in shell_commands(GUIDE, section):
        if words[0] == "mafnet-train":
            assert main(["train", *words[1:], *SMALL]) == 0
            n_run += 1
    return n_run


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own with `features` in it."""
    monkeypatch.chdir(tmp_path)
    small_folder(tmp_path / "features")
    return tmp_path


def test_choosing_what_computes(place: Path) -> None:
    assert run_section("Choose what computes") == 1
    assert (place / "my-bundle" / "run" / "best.safetensors").is_file()


def test_a_background_from_a_folder_of_its_own(place: Path) -> None:
    small_folder(place / "others-features")
    assert run_section("Give it a background") == 1


def test_beginning_with_a_bundles_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small_folder(tmp_path / "features", dim=1280)
    assert run_section("Begin with a bundle's weights") == 2


def test_features_in_several_folders(place: Path) -> None:
    for day in ("monday", "tuesday"):
        small_folder(place / day)
    assert run_section("Features in several folders") == 1


def test_rare_labels(place: Path) -> None:
    assert run_section("Rare labels") == 1
    assert (place / "my-bundle" / "run" / "metrics.csv").is_file()


def test_watching_the_curves(place: Path) -> None:
    pytest.importorskip("tensorboard")
    assert run_section("Watch the curves") == 1
    assert list((place / "my-bundle" / "run" / "tensorboard").glob("events.out.*"))
