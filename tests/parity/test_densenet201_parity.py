"""Against Keras 2.3.1's DenseNet201 without top, as the authors build it (reference/densenet201).

Tolerance: 1e-4 absolute on pooled features. Where the reference arrays are, the whole network is
checked against them. Everywhere, the stem is checked against a slice of them kept here, and the
whole network, with drawn weights, against the features that this code gave when it equalled Keras.
"""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from extractors.frame_transform import DENSENET201_TRANSFORM
from extractors.visual import make_visual_trunk

_HERE = Path(__file__).parent
_REFERENCE = _HERE.parents[2] / "shared" / "reference" / "densenet201"
_ATOL = 1e-4

_NORM_NAMES = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_DENSE_LAYERS = {"0_bn": "norm1", "1_conv": "conv1", "1_bn": "norm2", "2_conv": "conv2"}


def _torchvision_name(keras_name: str) -> str:
    layer, variable = keras_name.split("|")
    if match := re.fullmatch(r"conv(\d)_block(\d+)_(\d_\w+)", layer):
        block, index, part = match.groups()
        layer = f"denseblock{int(block) - 1}.denselayer{index}.{_DENSE_LAYERS[part]}"
    elif match := re.fullmatch(r"pool(\d)_(bn|conv)", layer):
        kind = "norm" if match[2] == "bn" else "conv"
        layer = f"transition{int(match[1]) - 1}.{kind}"
    else:
        layer = {"conv1__conv": "conv0", "conv1__bn": "norm0", "bn": "norm5"}[layer]
    return f"features.{layer}.{_NORM_NAMES.get(variable, 'weight')}"


def test_the_stem_equals_keras_on_a_slice() -> None:
    reference = np.load(_HERE / "densenet201_stem_reference.npz")
    trunk = make_visual_trunk("densenet201")
    pixels = torch.from_numpy(reference["image_uint8"]).permute(2, 0, 1)[None] / 255
    mean = torch.tensor(DENSENET201_TRANSFORM.mean).view(1, 3, 1, 1)
    std = torch.tensor(DENSENET201_TRANSFORM.std).view(1, 3, 1, 1)
    kernel = torch.from_numpy(reference["kernel"].transpose(3, 2, 0, 1).copy())
    scale, shift, running_mean, running_var = (
        torch.from_numpy(reference[name])
        for name in ("gamma", "beta", "moving_mean", "moving_variance")
    )
    conv, norm, pool = (trunk.features.get_submodule(n) for n in ("conv0", "norm0", "pool0"))

    with torch.inference_mode():
        x = F.conv2d((pixels - mean) / std, kernel, stride=conv.stride, padding=conv.padding)
        x = F.batch_norm(x, running_mean, running_var, scale, shift, eps=norm.eps)
        pooled = pool(F.relu(x))[0].permute(1, 2, 0)[:14, :14]

    np.testing.assert_allclose(pooled.numpy(), reference["pooled"], atol=_ATOL)


@pytest.mark.skipif(not _REFERENCE.is_dir(), reason="the reference arrays are not here")
def test_pooled_features_equal_keras() -> None:
    params = np.load(_REFERENCE / "params.npz")
    reference = np.load(_REFERENCE / "io.npz")
    tensors = {}
    for name in params:
        values = params[name]
        if values.ndim == 4:  # HWIO -> OIHW
            values = values.transpose(3, 2, 0, 1)
        tensors[_torchvision_name(name)] = torch.from_numpy(np.ascontiguousarray(values))
    trunk = make_visual_trunk("densenet201")
    unused = trunk.load_state_dict(tensors, strict=False)

    batch = DENSENET201_TRANSFORM.normalize(torch.from_numpy(reference["images_uint8"]))
    with torch.inference_mode():
        pooled = trunk(batch)

    assert not unused.unexpected_keys
    assert all(name.endswith("num_batches_tracked") for name in unused.missing_keys)
    np.testing.assert_allclose(
        batch.permute(0, 2, 3, 1).numpy(), reference["preprocessed"], atol=1e-6
    )
    np.testing.assert_allclose(pooled.numpy(), reference["pooled_1920"], atol=_ATOL)


def _drawn(name: str, like: torch.Tensor, draw: np.random.RandomState) -> torch.Tensor:
    if name.endswith("num_batches_tracked"):
        return like
    if like.ndim == 4:
        scale = np.sqrt(2 / np.prod(like.shape[1:]))
        values = draw.standard_normal(tuple(like.shape)) * scale
    elif name.endswith(("weight", "running_var")):
        values = draw.uniform(0.5, 1.5, tuple(like.shape))
    else:
        values = draw.uniform(-0.3, 0.3, tuple(like.shape))
    return torch.from_numpy(values.astype(np.float32))


def test_the_whole_network_gives_what_it_gave_when_it_equalled_keras() -> None:
    draw = np.random.RandomState(201)  # its stream never changes between releases
    trunk = make_visual_trunk("densenet201")
    wanted = trunk.state_dict()
    trunk.load_state_dict({name: _drawn(name, like, draw) for name, like in wanted.items()})
    picture = draw.randint(0, 256, (1, 224, 224, 3)).astype(np.uint8)

    with torch.inference_mode():
        pooled = trunk(DENSENET201_TRANSFORM.normalize(torch.from_numpy(picture)))

    expected = np.load(_HERE / "densenet201_drawn_features.npy")
    np.testing.assert_allclose(pooled.numpy(), expected, atol=_ATOL, rtol=1e-3)
