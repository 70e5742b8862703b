"""Parity with the authors' VGGish conv4_2 (reference/vggish) and the trunk's own contract."""

import lzma
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch

from extractors.vggish import LAYERS, VGGishTrunk

SHARED = Path(__file__).parents[3] / "shared/reference/vggish"


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
