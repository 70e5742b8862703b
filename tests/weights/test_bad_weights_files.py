"""Every bad weights file from the command line: exit code 1, one sentence, nothing written."""

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from full_disk import files_in
from weights.__main__ import main

Arrays = dict[str, NDArray[np.float32]]
Writer = Callable[..., Path]


def _checkpoint(write: Writer, folder: Path, arrays: Arrays) -> Path:
    return write(folder / "model" / "net", arrays)


def _cut_data(path: Path) -> None:
    data = path.with_name(f"{path.name}.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[: data.stat().st_size // 2])


def _cut_index(path: Path) -> None:
    index = path.with_name(f"{path.name}.index")
    index.write_bytes(index.read_bytes()[:-20])


def _without_data(path: Path) -> None:
    path.with_name(f"{path.name}.data-00000-of-00001").unlink()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_cut_data, "truncated"),
        (_cut_index, "not an undamaged checkpoint index"),
        (_without_data, "cannot be read"),
    ],
)
def test_damaged_checkpoint(
    damage: Callable[[Path], None],
    message: str,
    write_checkpoint: Writer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arrays = {"conv1/kernel": np.ones((3, 3, 1, 64), np.float32)}
    prefix = _checkpoint(write_checkpoint, tmp_path, arrays)
    damage(prefix)
    _refused(prefix, "vggish", message, tmp_path, capsys)


HEAD = {"multimodal_fc_1/kernel": (1024, 28)}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"FILM_for_sound_fc/kernel": (2, 1024), **HEAD}, "no variable for"),
        ({**HEAD, "resnet/kernel": (1, 1)}, "an unknown variable"),
        ({"conv1/kernel": (3, 3, 1, 64)}, "unknown variable"),
        ({"beta1_power": ()}, "not MAFnet's weights"),
    ],
)
def test_checkpoint_of_something_else(
    arrays: dict[str, tuple[int, ...]],
    message: str,
    write_checkpoint: Writer,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    values = {name: np.zeros(shape, np.float32) for name, shape in arrays.items()}
    prefix = _checkpoint(write_checkpoint, tmp_path, values)
    _refused(prefix, "mafnet", message, tmp_path, capsys)


def test_checkpoint_with_a_variable_of_the_wrong_shape(
    write_checkpoint: Writer,
    vggish_arrays: Arrays,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    few = {name: array[..., :1] for name, array in vggish_arrays.items()}
    prefix = _checkpoint(write_checkpoint, tmp_path, few)
    _refused(prefix, "vggish", "must be (", tmp_path, capsys)


class _Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def _text(path: Path) -> None:
    path.write_text("<html>not weights</html>")


def _empty(path: Path) -> None:
    path.touch()


def _old_checkpoint(path: Path) -> None:
    path.write_bytes(bytes(100) + bytes.fromhex("57fb808b247547db"))


def _other_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "not weights")


def _list(path: Path) -> None:
    torch.save([torch.zeros(1)], path)


def _state_of_texts(path: Path) -> None:
    torch.save({"conv1.weight": "not a tensor"}, path)


def _resnet(path: Path) -> None:
    state = {"conv1.weight": torch.zeros(64, 3, 7, 7), "layer1.0.conv1.weight": torch.zeros(1)}
    torch.save(state, path)


def _trap(path: Path) -> None:
    torch.save({"features.0.weight": _Trap(path.with_name("sprung"))}, path)


def _whole_module(path: Path) -> None:
    torch.save(torch.nn.Linear(1, 1), path)


def _plain_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("kernel", data=np.zeros(3))


def _cut_hdf5(path: Path) -> None:
    _plain_hdf5(path)
    path.write_bytes(path.read_bytes()[:600])


@pytest.mark.parametrize(
    ("write", "kind", "message"),
    [
        (_text, "vggish", "neither a TensorFlow checkpoint, a Keras .h5 nor a torch .pth"),
        (_empty, "vggish", "neither a TensorFlow checkpoint"),
        (_old_checkpoint, "vggish", "of the old kind, a single file"),
        (_other_zip, "densenet201", "not an undamaged torch file"),
        (_list, "vggish", "holds no state dict"),
        (_state_of_texts, "vggish", "holds no state dict"),
        (_resnet, "densenet201", "unknown variable"),
        (_resnet, "mafnet", "no TensorFlow checkpoint"),
        (_trap, "vggish", "would run code"),
        (_whole_module, "vggish", "would run code"),
        (_plain_hdf5, "vggish", "not an undamaged Keras weights file"),
        (_cut_hdf5, "densenet201", "not an undamaged Keras weights file"),
    ],
)
def test_wrong_file(
    write: Callable[[Path], None],
    kind: str,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(tmp_path / "weights.bin")
    _refused(tmp_path / "weights.bin", kind, message, tmp_path, capsys)
    assert not (tmp_path / "sprung").exists()


def test_folder_without_a_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "folder").mkdir()
    _refused(tmp_path / "folder", "mafnet", "folder", tmp_path, capsys)


def _refused(
    path: Path, kind: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files_in(folder)
    code = main(["convert", str(path), "--as", kind, "--to", str(folder / "out.safetensors")])
    error = capsys.readouterr().err
    assert code == 1
    assert message in error
    assert len(error.splitlines()) == 1
    assert files_in(folder) == before
