"""Parity with the authors' VGGish conv4_2 (reference/vggish) and the trunk's own contract.

Tolerance: 1e-4 of the map's largest value. The weights and a part of a map travel here.
"""

import lzma
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from extractors.vggish import LAYERS, VGGishTrunk

SHARED = Path(__file__).parents[3] / "shared/reference/vggish"


def _unpack(array: NDArray[np.uint8], dtype: str) -> NDArray[Any]:
    return np.frombuffer(lzma.decompress(array.tobytes()), dtype)


def test_conv4_2_equals_the_authors_on_the_kept_weights() -> None:
    # Weights and map are the reference's: what is not zero among the weights, in Keras's order,
    # and every 16th channel of one second's map.
    with np.load(Path(__file__).with_name("vggish_reference.npz")) as file:
        kept = dict(file)
    trunk = VGGishTrunk().eval()
    state = trunk.state_dict()
    flat = np.zeros(sum(value.numel() for value in state.values()), np.float32)
    at = np.cumsum(_unpack(kept["gaps_xz"], "<u2").astype(np.int64))
    flat[at] = _unpack(kept["values_xz"], "<f2")
    start = 0
    for name, *_ in LAYERS:
        convolution = trunk.convolution(name)
        n_out, n_in, *size = convolution.weight.shape
        n_values = convolution.weight.numel()
        kernel = flat[start : start + n_values].reshape(*size, n_in, n_out)
        bias = flat[start + n_values : start + n_values + n_out]
        convolution.load_state_dict(
            {
                "weight": torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()),  # HWIO → OIHW
                "bias": torch.from_numpy(bias.copy()),
            }
        )
        start += n_values + n_out

    with torch.inference_mode():
        actual = trunk(torch.from_numpy(kept["log_mel"])[None, None])[0].permute(1, 2, 0).numpy()

    assert start == len(flat)
    atol = 1e-4 * float(kept["largest"])
    np.testing.assert_allclose(actual[:, :, ::16], kept["conv4_2"], atol=atol, rtol=0)


@pytest.mark.skipif(not SHARED.exists(), reason="the reference arrays are not beside the checkout")
def test_conv4_2_equals_the_authors_when_keras_weights_are_loaded() -> None:
    h5py = pytest.importorskip("h5py")
    trunk = VGGishTrunk().eval()
    with lzma.open(SHARED / "weights_keras.h5.xz") as packed:
        file = h5py.File(BytesIO(packed.read()), "r")
    arrays = [
        file[layer][name][()]
        for layer in file.attrs["layer_names"]
        for name in file[layer].attrs["weight_names"]
    ]
    for (name, *_), kernel, bias in zip(LAYERS, arrays[0::2], arrays[1::2], strict=False):
        trunk.convolution(name).load_state_dict(
            {
                "weight": torch.from_numpy(kernel.transpose(3, 2, 0, 1).copy()),  # HWIO → OIHW
                "bias": torch.from_numpy(bias),
            }
        )

    with np.load(SHARED / "io.npz") as io, torch.inference_mode():
        log_mel = torch.from_numpy(io["input_logmel"].transpose(0, 3, 1, 2).copy())
        actual = trunk(log_mel).permute(0, 2, 3, 1).numpy()
        expected = io["conv4_2"]

    np.testing.assert_allclose(actual, expected, atol=1e-4 * np.abs(expected).max(), rtol=0)


def test_trunk_gives_a_map_of_12_by_8_when_given_a_second() -> None:
    with torch.inference_mode():
        sound_map = VGGishTrunk()(torch.zeros(2, 1, 96, 64))

    assert sound_map.shape == (2, 512, 12, 8)
    assert bool((sound_map >= 0).all())


def test_trunk_refuses_when_time_and_mel_are_swapped() -> None:
    with pytest.raises(ValueError, match="log_mel must be"):
        VGGishTrunk()(torch.zeros(1, 1, 64, 96))
