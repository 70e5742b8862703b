"""Converted Keras files against Keras's own outputs (reference/vggish, reference/densenet201).

Tolerances: VGGish 1e-4 of its largest value; DenseNet-201 pooled features 1e-4 absolute.
"""

import lzma
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from extractors.vggish import VGGishTrunk
from extractors.visual import load_visual_trunk
from weights.convert import convert
from weights.layouts import Kind

REFERENCE = Path(__file__).parents[3] / "shared" / "reference"
pytestmark = pytest.mark.skipif(not REFERENCE.is_dir(), reason="needs shared/reference")


def _converted(folder: str, kind: Kind, to: Path) -> Path:
    keras = to / "weights.h5"
    with (
        lzma.open(REFERENCE / folder / "weights_keras.h5.xz") as packed,
        keras.open("wb") as file,
    ):
        shutil.copyfileobj(packed, file)
    convert(keras, kind, to / "weights.safetensors")
    return to / "weights.safetensors"


@torch.inference_mode()
def test_converted_vggish_equals_keras(tmp_path: Path) -> None:
    trunk = VGGishTrunk().eval()
    trunk.load_state_dict(load_file(_converted("vggish", "vggish", tmp_path)))
    with np.load(REFERENCE / "vggish" / "io.npz") as io:
        log_mel = torch.from_numpy(io["input_logmel"]).permute(0, 3, 1, 2)  # NHWC → NCHW
        wanted = io["conv4_2"].transpose(0, 3, 1, 2)
    difference = np.abs(trunk(log_mel).numpy() - wanted).max()
    assert difference <= 1e-4 * np.abs(wanted).max()


@torch.inference_mode()
def test_converted_densenet_equals_keras(tmp_path: Path) -> None:
    trunk = load_visual_trunk("densenet201", _converted("densenet201", "densenet201", tmp_path))
    with np.load(REFERENCE / "densenet201" / "io.npz") as io:
        pictures = torch.from_numpy(io["preprocessed"]).permute(0, 3, 1, 2)
        np.testing.assert_allclose(trunk(pictures), io["pooled_1920"], atol=1e-4, rtol=0)
