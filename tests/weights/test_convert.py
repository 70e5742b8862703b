import os
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file

from weights.convert import convert
from weights.errors import ConvertError
from weights.files import sha256_of

Arrays = dict[str, NDArray[np.float32]]


def _keras(path: Path, arrays: Arrays) -> Path:
    layers = sorted({name.rpartition("/")[0] for name in arrays})
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.encode() for layer in layers]
        for layer in layers:
            group = file.create_group(layer)
            weights = [name for name in arrays if name.rpartition("/")[0] == layer]
            group.attrs["weight_names"] = [f"{name}:0".encode() for name in weights]
            for name in weights:
                group.create_dataset(f"{name}:0", data=arrays[name])
    return path


def _torch(path: Path, arrays: Arrays) -> Path:
    positions = ("0", "3", "6", "8", "11", "13")
    layers = ("conv1", "conv2", "conv3_1", "conv3_2", "conv4_1", "conv4_2")
    place = dict(zip(layers, positions, strict=True))
    state = {}
    for name, array in arrays.items():
        layer, leaf = name.split("/")[-2:]
        tensor = torch.from_numpy(array)
        if leaf == "kernel":
            tensor = tensor.permute(3, 2, 0, 1).contiguous()
        state[f"features.{place[layer]}.{'weight' if leaf == 'kernel' else 'bias'}"] = tensor
    torch.save(state, path)
    return path


def test_three_formats_of_one_network_convert_to_the_same_bytes(
    tmp_path: Path, vggish_arrays: Arrays, write_checkpoint: Callable[..., Path]
) -> None:
    sources = [
        _keras(tmp_path / "weights.h5", vggish_arrays),
        write_checkpoint(tmp_path / "tf" / "vggish", vggish_arrays),
        _torch(tmp_path / "weights.pth", vggish_arrays),
    ]
    hashes = {
        convert(source, "vggish", tmp_path / f"{number}.safetensors").sha256
        for number, source in enumerate(sources)
    }
    assert len(hashes) == 1
    kernel = load_file(tmp_path / "0.safetensors")["conv2.weight"]
    np.testing.assert_array_equal(kernel[5, 3], vggish_arrays["conv2/kernel"][:, :, 3, 5])


def test_report_tells_every_name_and_shape(tmp_path: Path, vggish_arrays: Arrays) -> None:
    arrays = {**vggish_arrays, "fc1/fc1_1/kernel": np.zeros((2, 2), np.float32)}
    report = convert(_keras(tmp_path / "w.h5", arrays), "vggish", tmp_path / "w.safetensors")
    assert len(report.matches) == 12
    assert report.n_values == 4_499_712
    assert report.sha256 == sha256_of(tmp_path / "w.safetensors")
    first = report.matches[1]
    assert (first.source, first.target) == ("conv1/kernel", "conv1.weight")
    assert (first.source_shape, first.target_shape) == ((3, 3, 1, 64), (64, 1, 3, 3))
    assert dict(report.dropped) == {"fc1/fc1_1/kernel": "behind conv4_2"}


def _without_bias(arrays: Arrays) -> None:
    del arrays["conv2/bias"]


def _with_extra(arrays: Arrays) -> None:
    arrays["conv9/kernel"] = np.zeros((3, 3), np.float32)


def _with_wrong_shape(arrays: Arrays) -> None:
    arrays["conv2/bias"] = np.zeros(127, np.float32)


def _with_nan(arrays: Arrays) -> None:
    arrays["conv2/bias"][3] = np.nan


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_without_bias, r"no variable for conv2\.bias"),
        (_with_extra, "an unknown variable: conv9/kernel"),
        (_with_wrong_shape, r"conv2/bias must be \(128,\), got \(127,\)"),
        (_with_nan, "conv2/bias holds values that are not finite"),
    ],
)
def test_faulty_file_leaves_the_target_as_it_was(
    tmp_path: Path, vggish_arrays: Arrays, spoil: Callable[[Arrays], None], message: str
) -> None:
    spoil(vggish_arrays)
    source = _keras(tmp_path / "w.h5", vggish_arrays)
    target = tmp_path / "out" / "w.safetensors"
    target.parent.mkdir()
    target.write_bytes(b"before")
    with pytest.raises(ConvertError, match=message) as caught:
        convert(source, "vggish", target)
    assert "\n" not in str(caught.value)
    assert os.listdir(target.parent) == ["w.safetensors"]  # noqa: PTH208  hidden files too
    assert target.read_bytes() == b"before"


@pytest.mark.parametrize("n_bytes", [0, 4, 100, 2000, 1_000_000])
def test_truncated_keras_file_is_one_error(
    tmp_path: Path, vggish_arrays: Arrays, n_bytes: int
) -> None:
    source = _keras(tmp_path / "w.h5", vggish_arrays)
    source.write_bytes(source.read_bytes()[:n_bytes])
    with pytest.raises(ConvertError, match=r"w\.h5"):
        convert(source, "vggish", tmp_path / "w.safetensors")
    assert not (tmp_path / "w.safetensors").exists()


@pytest.mark.parametrize("n_bytes", [4, 1000, 1_000_000])
def test_truncated_torch_file_is_one_error(
    tmp_path: Path, vggish_arrays: Arrays, n_bytes: int
) -> None:
    source = _torch(tmp_path / "w.pth", vggish_arrays)
    source.write_bytes(source.read_bytes()[:n_bytes])
    with pytest.raises(ConvertError, match=r"w\.pth"):
        convert(source, "vggish", tmp_path / "w.safetensors")


class _Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_pickle_that_would_run_code_is_refused_unrun(tmp_path: Path) -> None:
    torch.save({"features.0.weight": _Trap(tmp_path / "sprung")}, tmp_path / "w.pth")
    with pytest.raises(ConvertError, match="would run code"):
        convert(tmp_path / "w.pth", "vggish", tmp_path / "w.safetensors")
    assert not (tmp_path / "sprung").exists()


def test_target_must_be_safetensors(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match=r"must end in \.safetensors"):
        convert(tmp_path / "w.h5", "vggish", tmp_path / "w.pth")


def test_wrong_kind_is_told(tmp_path: Path, vggish_arrays: Arrays) -> None:
    source = _keras(tmp_path / "w.h5", vggish_arrays)
    with pytest.raises(ConvertError, match="come as a TensorFlow checkpoint"):
        convert(source, "mafnet", tmp_path / "w.safetensors")
    with pytest.raises(ConvertError, match="an unknown variable: conv"):
        convert(source, "densenet201", tmp_path / "w.safetensors")


def test_missing_file_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match="there is no such file"):
        convert(tmp_path / "w.h5", "vggish", tmp_path / "w.safetensors")


def test_weights_of_another_size_than_expected_are_refused(
    tmp_path: Path, vggish_arrays: Arrays
) -> None:
    source = _keras(tmp_path / "w.h5", vggish_arrays)
    with pytest.raises(ConvertError, match=r"conv1.bias must be \(1,\), got \(64,\)"):
        convert(source, "vggish", tmp_path / "w.safetensors", {"conv1.bias": (1,)})
    assert not (tmp_path / "w.safetensors").exists()


def test_half_precision_is_for_kernels_alone(tmp_path: Path, vggish_arrays: Arrays) -> None:
    vggish_arrays["conv1/bias"][0] = 1e-9  # half precision makes a zero of it
    source = _keras(tmp_path / "w.h5", vggish_arrays)

    convert(source, "vggish", tmp_path / "w.safetensors", half=True)

    tensors = load_file(tmp_path / "w.safetensors")
    assert tensors["conv1.weight"].dtype == np.float16
    assert tensors["conv1.bias"].dtype == np.float32
    assert tensors["conv1.bias"][0] == np.float32(1e-9)
    kernel = vggish_arrays["conv1/kernel"].transpose(3, 2, 0, 1)
    np.testing.assert_allclose(tensors["conv1.weight"], kernel, rtol=1e-3, atol=1e-7)
