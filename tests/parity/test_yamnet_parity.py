"""Parity with Google's YAMNet graph (reference/yamnet), and with TensorFlow's layers by formula.

Tolerances: log-mel 1e-4, scores 1e-5 with the published weights. The starter's last blocks are
fine-tuned: of the others the means of each channel (up to 0.2) are kept to 0.001, computed with the
published weights. One patch of the reference travels here; the weights come from the store or the
starter.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from extractors.sound import load_sound_trunk
from extractors.yamnet import BLOCKS, NORM_EPS, YAMNetLogMel, YAMNetTrunk
from tf_checkpoints import write_checkpoint
from weights.bundle import load_bundle
from weights.convert import convert
from weights.store import default_home

Arrays = dict[str, NDArray[np.float32]]
KEPT = Path(__file__).with_name("yamnet_reference.npz")
SHARED = Path(__file__).parents[3] / "shared/reference/yamnet/io.npz"
PUBLISHED = default_home() / "yamnet.safetensors"  # of `python -m weights fetch yamnet`
STARTER = load_bundle("starter").audio
N_TUNED = 2  # blocks of the starter's trunk that were fine-tuned
N_NEW = 7_680  # samples from a patch of Google's to the next: 48 mel frames


@pytest.fixture
def kept() -> Arrays:
    with np.load(KEPT) as file:
        return dict(file)


def test_log_mel_equals_googles(kept: Arrays) -> None:
    n_samples = len(kept["waveform"])  # eight mel frames of a second
    second = torch.zeros(1, 16_000)
    second[0, :n_samples] = torch.from_numpy(kept["waveform"])

    actual = YAMNetLogMel()(second)[0, 0, :8].numpy()

    np.testing.assert_allclose(actual, kept["log_mel"][:8], atol=1e-4, rtol=0)


def _names() -> Iterator[tuple[str, tuple[int, ...], int]]:
    """Yield the SavedModel's convolutions in order: kernel, its HWIO shape, its stride."""
    width = 32
    yield "kernel", (3, 3, 1, width), 2
    for n_out, stride in BLOCKS:
        yield "depthwise_kernel", (3, 3, width, 1), stride
        yield "kernel", (1, 1, width, n_out), 1
        width = n_out


def _variables() -> Arrays:
    random = np.random.default_rng(0)
    arrays: Arrays = {}

    def add(layer: int, leaf: str, values: NDArray[np.float64]) -> None:
        name = f"_yamnet/layer_with_weights-{layer}/{leaf}/.ATTRIBUTES/VARIABLE_VALUE"
        arrays[name] = values.astype(np.float32)

    for number, (leaf, shape, _) in enumerate(_names()):
        n_in = 9 if leaf == "depthwise_kernel" else shape[0] * shape[1] * shape[2]
        width = shape[2] if leaf == "depthwise_kernel" else shape[3]
        add(2 * number, leaf, random.normal(size=shape, scale=(2 / n_in) ** 0.5))
        add(2 * number + 1, "beta", random.normal(size=width, scale=0.1))
        add(2 * number + 1, "moving_mean", random.normal(size=width, scale=0.1))
        # So small that the norm's epsilon tells.
        add(2 * number + 1, "moving_variance", random.uniform(0.0002, 1.0, size=width))
    add(54, "kernel", random.normal(size=(1024, 521), scale=0.03))
    add(54, "bias", random.normal(size=521, scale=0.1))
    return arrays


def _same(x: NDArray[np.float64], size: int, stride: int) -> NDArray[np.float64]:
    """Cut `(H, W, C)` into `(H', W', size, size, C)` as TensorFlow's SAME padding has it."""
    pads = []
    for length in x.shape[:2]:
        n_more = max((-(-length // stride) - 1) * stride + size - length, 0)
        pads.append((n_more // 2, n_more - n_more // 2))
    padded = np.pad(x, (*pads, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(0, 1))
    return windows[::stride, ::stride].transpose(0, 1, 3, 4, 2)


def _by_formula(arrays: Arrays, picture: NDArray[np.float32]) -> NDArray[np.float64]:
    by_layer: dict[int, Arrays] = {}
    for name, array in arrays.items():
        _, layer, leaf, *_ = name.split("/")
        by_layer.setdefault(int(layer.rpartition("-")[2]), {})[leaf] = array
    x = picture[:, :, None].astype(np.float64)
    for number, (leaf, shape, stride) in enumerate(_names()):
        kernel, norm = by_layer[2 * number][leaf], by_layer[2 * number + 1]
        windows = _same(x, shape[0], stride)
        form = "hwijc,ijco->hwc" if leaf == "depthwise_kernel" else "hwijc,ijco->hwo"
        x = np.einsum(form, windows, kernel, optimize=True)
        x = (x - norm["moving_mean"]) / np.sqrt(norm["moving_variance"] + NORM_EPS) + norm["beta"]
        x = np.maximum(x, 0.0)
    return x


def test_map_and_logits_are_tensorflows_when_its_checkpoint_is_converted(
    tmp_path: Path, kept: Arrays
) -> None:
    arrays = _variables()
    prefix = write_checkpoint(tmp_path / "saved_model" / "variables" / "variables", arrays)
    convert(prefix.parents[1], "yamnet", tmp_path / "yamnet.safetensors")
    trunk = load_sound_trunk("yamnet", tmp_path / "yamnet.safetensors")
    assert isinstance(trunk, YAMNetTrunk)
    log_mel = torch.from_numpy(kept["log_mel"])[None, None]

    exact = trunk(log_mel)
    logits = trunk.class_logits(exact)[0].numpy()
    trunk.fold()
    folded = trunk(log_mel)

    expected = _by_formula(arrays, kept["log_mel"])
    largest = float(np.abs(expected).max())
    assert expected.shape == (3, 2, 1024)
    for found in (exact, folded):
        actual = found[0].permute(1, 2, 0).numpy()
        np.testing.assert_allclose(actual, expected, atol=2e-5 * largest, rtol=0)
    names = [f"_yamnet/layer_with_weights-54/{leaf}/.ATTRIBUTES" for leaf in ("kernel", "bias")]
    kernel, bias = (arrays[f"{name}/VARIABLE_VALUE"] for name in names)
    np.testing.assert_allclose(
        logits, expected.mean((0, 1)) @ kernel + bias, atol=2e-5 * largest, rtol=0
    )


@pytest.mark.skipif(not PUBLISHED.exists(), reason="YAMNet is not in the store")
@pytest.mark.skipif(not SHARED.exists(), reason="the reference arrays are not beside the checkout")
def test_scores_equal_googles_when_the_published_weights_are_loaded() -> None:
    with np.load(SHARED) as file:
        waveform, expected = file["waveform"], file["scores"]
    n_patches = len(expected)
    padded = np.pad(waveform, (0, N_NEW * n_patches + 16_000 - len(waveform)))
    seconds = np.stack([padded[N_NEW * k : N_NEW * k + 16_000] for k in range(n_patches)])
    trunk = load_sound_trunk("yamnet", PUBLISHED)
    assert isinstance(trunk, YAMNetTrunk)

    log_mel = YAMNetLogMel()(torch.from_numpy(seconds))
    actual = torch.sigmoid(trunk.class_logits(trunk(log_mel))).numpy()

    np.testing.assert_allclose(actual, expected, atol=1e-5, rtol=0)


@pytest.mark.skipif(STARTER.trunk != "yamnet", reason="the starter's sound trunk is another one")
def test_blocks_that_the_starter_did_not_tune_are_googles_in_half_precision(kept: Arrays) -> None:
    trunk = load_sound_trunk("yamnet", STARTER.weights)
    assert isinstance(trunk, YAMNetTrunk)
    untuned = trunk.blocks[: len(BLOCKS) - N_TUNED]

    actual = untuned(trunk.stem(torch.from_numpy(kept["log_mel"])[None, None]))

    means = actual.mean(dim=(2, 3))[0].numpy()
    np.testing.assert_allclose(means, kept["early"], atol=1e-3, rtol=0)
