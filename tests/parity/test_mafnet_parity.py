"""Against the authors' TensorFlow graph at e4f8f5d (reference/mafnet), evaluation mode.

Tolerance: 1e-4 absolute, float32 on the CPU, for logits, probabilities, attention and every
intermediate kept. The sparse checkpoint travels here; both are read where the reference arrays are.
"""

import lzma
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from mafnet.feature_set import load_feature_set
from mafnet.load import load_model
from mafnet.model import MAFnet, MAFnetConfig, MAFnetOutput
from weights.convert import convert

HERE = Path(__file__).parent
REFERENCE = HERE.parents[2] / "shared" / "reference" / "mafnet"
ATOL = 1e-4

needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason="needs shared/reference")


def _inputs(seed: int) -> tuple[Tensor, Tensor]:
    # The recipe of the reference arrays, whose inputs are drawn and rounded to be exact.
    random = np.random.RandomState(seed)
    image = np.round(random.exponential(0.7, (4, 10, 1920)) * 64) / 64
    gain = random.uniform(0.5, 1.5, (4, 10, 1, 1, 1))
    channel = random.normal(-0.6, 0.4, (1, 1, 1, 1, 512))
    sound = random.normal(0, 1, (4, 10, 12, 8, 512))
    sound = np.round(np.maximum(0, sound + channel) * gain * 32) / 32
    return (
        torch.from_numpy(image.astype(np.float32)),
        torch.from_numpy(sound.astype(np.float32)).permute(0, 1, 4, 2, 3).contiguous(),
    )


def _unpack(array: NDArray[np.uint8], dtype: str) -> NDArray[Any]:
    return np.frombuffer(lzma.decompress(array.tobytes()), dtype)


def _kept_model(kept: Any) -> MAFnet:
    model = MAFnet(MAFnetConfig())
    state = model.state_dict()
    flat = np.zeros(sum(value.numel() for value in state.values()), np.float32)
    at = np.cumsum(_unpack(kept["gaps_xz"], "<u2").astype(np.int64))
    flat[at] = _unpack(kept["values_xz"], "<f2")
    names = sorted(state)
    parts = torch.from_numpy(flat).split([state[name].numel() for name in names])
    model.load_state_dict(
        {name: part.view_as(state[name]) for name, part in zip(names, parts, strict=True)}
    )
    return model.eval()


def _assert_equal(output: MAFnetOutput, wanted: Any) -> None:
    pairs = {
        "logits": output.logits,
        "pred": output.probabilities,
        "alpha": output.attention,
        "fused": output.fused,
        "film_gamma_plus1": output.film_gamma.flatten(0, 1),
        "film_beta": output.film_beta.flatten(0, 1),
    }
    for name, ours in pairs.items():
        theirs = wanted[name].reshape(-1, *ours.shape[1:])
        np.testing.assert_allclose(ours[: len(theirs)], theirs, atol=ATOL, rtol=0, err_msg=name)


@torch.inference_mode()
def test_network_equals_the_authors_graph_on_the_kept_weights() -> None:
    with np.load(HERE / "mafnet_reference.npz") as kept:
        output = _kept_model(kept)(*_inputs(int(kept["input_seed"])))
        _assert_equal(output, kept)


@needs_reference
@torch.inference_mode()
@pytest.mark.parametrize("which", ["model_only", "full"])
def test_converted_checkpoint_equals_the_authors_graph(which: str, tmp_path: Path) -> None:
    source = REFERENCE / "checkpoint_tf1_model_only"
    if which == "full":
        with tarfile.open(REFERENCE / "checkpoint_tf1_full.tar.xz") as archive:
            archive.extractall(tmp_path, filter="data")
        source = tmp_path / "model"
    report = convert(source, "mafnet", tmp_path / "mafnet.safetensors")
    assert len(report.dropped) == (126 if which == "full" else 0)

    model = load_model(tmp_path / "mafnet.safetensors")
    with np.load(REFERENCE / f"{which}_io.npz") as wanted:
        visual = torch.from_numpy(wanted["x_image"])
        audio = torch.from_numpy(wanted["x_sound"]).permute(0, 1, 4, 2, 3).contiguous()
        _assert_equal(model(visual, audio), wanted)
        _assert_parts_equal(model, visual, audio, wanted)


@needs_reference
@torch.inference_mode()
def test_features_of_real_videos_give_the_authors_logits(tmp_path: Path) -> None:
    folder = REFERENCE.parent / "end_to_end"
    convert(REFERENCE / "checkpoint_tf1_model_only", "mafnet", tmp_path / "mafnet.safetensors")
    model = load_model(tmp_path / "mafnet.safetensors")
    features = load_feature_set(folder / "data", "test")  # the authors' own pickles
    assert [features.labels[k] for k in features.target] == ["Church bell", "Truck"]
    batch = features.batch(np.arange(len(features)))
    output = model(batch.visual, batch.audio)
    with np.load(folder / "e2e_mafnet.npz") as wanted:
        np.testing.assert_allclose(output.logits, wanted["full_logits"], atol=ATOL, rtol=0)
        np.testing.assert_allclose(output.attention, wanted["full_alpha"][..., 0], atol=ATOL)


def _assert_parts_equal(model: MAFnet, visual: Tensor, audio: Tensor, wanted: Any) -> None:
    rows = visual.flatten(0, 1)
    gamma, beta = model.film(rows)
    codes = model.encode_clips(rows, audio.flatten(0, 1))
    pairs = {
        "filmed_block_pooled": model.filmed_block(audio.flatten(0, 1), gamma, beta),
        "image_relu": codes.vectors[:, 0],
        "sound_relu": codes.vectors[:, 1],
        "attn_scores": codes.scores,
    }
    for name, ours in pairs.items():
        theirs = wanted[name].reshape(ours.shape)
        np.testing.assert_allclose(ours, theirs, atol=ATOL, rtol=0, err_msg=name)


@torch.inference_mode()
@pytest.mark.parametrize("n_clips", [1, 4])
def test_one_clip_at_a_time_equals_the_whole_window_on_real_scales(n_clips: int) -> None:
    with np.load(HERE / "mafnet_reference.npz") as kept:
        model = _kept_model(kept)
    visual, audio = (feature[:1, :n_clips] for feature in _inputs(7))
    whole = model(visual, audio)
    codes = [model.encode_clips(visual[:, t], audio[:, t]) for t in range(n_clips)]
    decision = model.decide(
        torch.stack([code.vectors for code in codes], dim=1),
        torch.stack([code.scores for code in codes], dim=1),
    )
    torch.testing.assert_close(decision.logits, whole.logits, atol=ATOL, rtol=0)
