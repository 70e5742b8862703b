import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mafnet.array_pickle import read_array_pickle
from mafnet.errors import FeaturesError
from mafnet.feature_set import load_feature_set
from mafnet.load import load_model
from mafnet.model import MAFnet, MAFnetConfig
from mafnet.predict import predict_file

N, T, D, L = 3, 2, 5, 4
# `numpy.arange(3, dtype="<f4")` as Python 3.7 with numpy 1.17 pickled it, protocol 3.
_HEAD = b"cnumpy.core.multiarray\n_reconstruct\nq\x00cnumpy\nndarray\nq\x01K\x00\x85q\x02"
_BODY = (
    b"(K\x01K\x03\x85q\x06cnumpy\ndtype\nq\x07X\x02\x00\x00\x00f4q\x08K\x00K\x01\x87q\tRq\n(K\x03X"
)
_BODY += b"\x01\x00\x00\x00<q\x0bNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0cb\x89"
_RAW = np.arange(3, dtype="<f4").tobytes()
OLD_PICKLE = b"\x80\x03" + _HEAD + b"C\x01bq\x03\x87q\x04Rq\x05" + _BODY + b"C\x0c" + _RAW + b"tb."


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_array_pickled_by_any_protocol_reads_back(tmp_path: Path, protocol: int) -> None:
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    (tmp_path / "a.p").write_bytes(pickle.dumps(array, protocol))
    np.testing.assert_array_equal(read_array_pickle(tmp_path / "a.p"), array)


def test_pickle_of_an_old_numpy_reads_back(tmp_path: Path) -> None:
    (tmp_path / "a.p").write_bytes(OLD_PICKLE)
    np.testing.assert_array_equal(read_array_pickle(tmp_path / "a.p"), [0, 1, 2])


class _Trap:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_pickle_that_would_run_code_is_refused_unrun(tmp_path: Path) -> None:
    (tmp_path / "a.p").write_bytes(pickle.dumps(_Trap(tmp_path / "sprung")))
    with pytest.raises(FeaturesError, match=r"it names posix\.mkdir"):
        read_array_pickle(tmp_path / "a.p")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a pickle",
        OLD_PICKLE[:60],
        OLD_PICKLE[:-5],
        pickle.dumps([1, 2]),
        pickle.dumps(np.array(["text"])),
        pickle.dumps(np.array([object], object)),
        b"cbuiltins\neval\n(S'1'\ntR.",
        b"c_codecs\nlookup\n(S'utf8'\ntR.",
        b"cnumpy\nndarray\n((I99999\ntS'u1'\nS''\nI0\n(I999999\nttR.",  # reads beyond its buffer
        b"cnumpy\nndarray\n((I500000000\ntS'u1'\ntR.",  # half a gigabyte of a few bytes
        b"cnumpy\ndtype\n(S'V2147483647'\ntR.",
        OLD_PICKLE.replace(b"K\x03\x85", b"K\x7f\x85"),  # a shape beyond the bytes
        OLD_PICKLE.replace(b"<", b"!"),
    ],
)
def test_anything_but_a_number_array_is_one_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.p").write_bytes(content)
    with pytest.raises(FeaturesError, match=r"a\.p"):
        read_array_pickle(tmp_path / "a.p")


def _arrays() -> dict[str, Any]:
    random = np.random.default_rng(0)
    return {
        "visual": random.random((N, T, D), np.float32),
        "audio": random.random((N, T, 12, 8, 512), np.float32),
        "target": np.eye(L, dtype=np.float32)[[2, 0, 3]],
    }


def _write_ours(folder: Path, arrays: dict[str, Any], **manifest: object) -> None:
    content = {"labels": list("abcd"), "visual_trunk": "densenet201", **manifest}
    (folder / "features.json").write_text(json.dumps(content))
    for part, array in arrays.items():
        np.save(folder / f"val_{part}.npy", array)


def test_authors_pickles_and_our_folder_give_the_same_batch(tmp_path: Path) -> None:
    arrays = _arrays()
    for folder in ("ours", "authors"):
        (tmp_path / folder).mkdir()
    _write_ours(tmp_path / "ours", arrays)
    for part, array in arrays.items():
        (tmp_path / "authors" / f"valSet_{part}.p").write_bytes(pickle.dumps(array))

    rows = np.array([2, 0])
    ours = load_feature_set(tmp_path / "ours", "val").batch(rows)
    authors = load_feature_set(tmp_path / "authors", "val").batch(rows)

    assert ours.audio.shape == (2, T, 512, 12, 8)
    assert ours.target.tolist() == [3, 2]
    torch.testing.assert_close(ours.audio, authors.audio)
    assert float(ours.audio[0, 1, 7, 11, 3]) == arrays["audio"][2, 1, 11, 3, 7]


def test_authors_ave_targets_get_aves_labels(tmp_path: Path) -> None:
    arrays = {**_arrays(), "target": np.eye(28, dtype=np.float32)[[8, 25, 0]]}
    for part, array in arrays.items():
        (tmp_path / f"testSet_{part}.p").write_bytes(pickle.dumps(array))
    features = load_feature_set(tmp_path, "test")
    assert [features.labels[k] for k in features.target] == ["Church bell", "Truck", "Accordion"]


@pytest.mark.parametrize(("width", "trunk"), [(1920, "densenet201"), (1280, "efficientnet_lite0")])
def test_trunk_of_pickles_is_told_by_their_width(tmp_path: Path, width: int, trunk: str) -> None:
    arrays = {**_arrays(), "visual": np.zeros((N, T, width), np.float32)}
    for part, array in arrays.items():
        (tmp_path / f"valSet_{part}.p").write_bytes(pickle.dumps(array))
    assert load_feature_set(tmp_path, "val").visual_trunk == trunk


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"visual": np.zeros((N, D), np.float32)}, "visual must be"),
        ({"audio": np.zeros((N, T, 12, 8), np.float32)}, "audio must be"),
        ({"target": np.zeros((N, L), np.float32)}, "one 1 among zeros"),
        ({"target": np.eye(5, dtype=np.float32)[:N]}, r"target must be \(3, 4\)"),
        ({"present": np.ones((N, T), bool)}, "present must be bool"),
    ],
)
def test_arrays_that_do_not_fit_together_are_named(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    _write_ours(tmp_path, {**_arrays(), **change})
    with pytest.raises(FeaturesError, match=message):
        load_feature_set(tmp_path, "val")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "val_audio.npy").unlink(), r"val_audio\.npy"),
        (lambda folder: (folder / "features.json").write_text("{"), "not readable JSON"),
        (lambda folder: _write_ours(folder, {}, labels=["a", "a"]), "'labels' must be"),
        (lambda folder: _write_ours(folder, {}, visual_trunk=None), "'visual_trunk' must"),
        (lambda folder: _write_ours(folder, _arrays(), sound_map=[512, 12, 8]), "must have maps"),
        (lambda folder: (folder / "features.json").unlink(), "no features of the split val"),
    ],
)
def test_faulty_folder_is_one_sentence(
    tmp_path: Path, spoil: Callable[[Path], object], message: str
) -> None:
    _write_ours(tmp_path, _arrays())
    spoil(tmp_path)
    with pytest.raises(FeaturesError, match=message) as caught:
        load_feature_set(tmp_path, "val")
    assert "\n" not in str(caught.value)


@pytest.fixture
def model(tmp_path: Path) -> MAFnet:
    torch.manual_seed(0)
    save_file(
        MAFnet(MAFnetConfig(visual_dim=D, n_labels=L)).state_dict(), tmp_path / "w.safetensors"
    )
    return load_model(tmp_path / "w.safetensors")


def test_prediction_of_a_file_is_the_networks(model: MAFnet, tmp_path: Path) -> None:
    arrays = _arrays()
    np.savez(tmp_path / "in.npz", x_image=arrays["visual"], x_sound=arrays["audio"])

    predict_file(model, tmp_path / "in.npz", tmp_path / "out.npz")

    with np.load(tmp_path / "out.npz") as out:
        assert {name: out[name].shape for name in out} == {
            "logits": (N, L),
            "probabilities": (N, L),
            "attention": (N, T, 2),
            "fused": (N, 1024),
            "film_gamma": (N, T, 512),
            "film_beta": (N, T, 512),
        }
        audio = torch.from_numpy(arrays["audio"]).permute(0, 1, 4, 2, 3)
        wanted = model(torch.from_numpy(arrays["visual"]), audio).logits
        np.testing.assert_allclose(out["logits"], wanted, atol=1e-6)


def test_one_video_without_a_batch_axis_is_a_batch_of_one(model: MAFnet, tmp_path: Path) -> None:
    arrays = _arrays()
    np.savez(tmp_path / "in.npz", visual=arrays["visual"][0], audio=arrays["audio"][0])
    assert predict_file(model, tmp_path / "in.npz", tmp_path / "o.npz")["logits"].shape == (1, L)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({}, "x_image and visual is needed"),
        ({"visual": np.zeros((N, T, D + 1), np.float32)}, "visual must be"),
        ({"audio": np.zeros((N, T, 12, 8), np.float32)}, "audio must be"),
        ({"visual": np.zeros((N, T, D), int)}, "visual must be floats"),
        ({"present": np.ones((N, T, 2))}, "present must be bool"),
    ],
)
def test_features_that_do_not_fit_write_nothing(
    model: MAFnet, tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    given = {**{k: v for k, v in _arrays().items() if arrays and k != "target"}, **arrays}
    np.savez(tmp_path / "in.npz", **given)
    with pytest.raises(FeaturesError, match=message):
        predict_file(model, tmp_path / "in.npz", tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()
