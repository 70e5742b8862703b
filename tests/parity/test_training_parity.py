"""Against four training steps of the authors' graph (reference/mafnet/train_steps.npz).

Tolerances: losses 1e-4 absolute; variables 2e-5 absolute (a fifth of one step's 1e-4) except where
a gradient is so near zero that float32 noise turns Adam's sign, which is at most 0.5 % of the
values; moving averages 1e-5. The five biases whose gradient is zero in theory are left out.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mafnet.authors_recipe import AuthorsRecipe
from mafnet.feature_set import Batch
from mafnet.load import load_model
from mafnet.model import MAFnet
from weights.convert import convert
from weights.layouts import lay_out
from weights.tf_checkpoint import TensorFlowCheckpoint

REFERENCE = Path(__file__).parents[3] / "shared" / "reference" / "mafnet"
pytestmark = pytest.mark.skipif(not REFERENCE.is_dir(), reason="needs shared/reference")
PATH_NAMES = {"all": "all", "sound": "sound", "image": "picture"}
NO_GRADIENT = {
    "filmed_block.conv2.bias",
    "picture_dense.bias",
    "sound_dense.bias",
    "head.bias",
    "attention.scorer.bias",
}


def _batch(seed: int) -> Batch:
    random = np.random.RandomState(seed)
    image = np.round(random.exponential(0.7, (4, 10, 1920)) * 64) / 64
    gain = random.uniform(0.5, 1.5, (4, 10, 1, 1, 1))
    channel = random.normal(-0.6, 0.4, (1, 1, 1, 1, 512))
    sound = np.maximum(0, random.normal(0, 1, (4, 10, 12, 8, 512)) + channel)
    sound = np.round(sound * gain * 32) / 32
    return Batch(
        visual=torch.from_numpy(image.astype(np.float32)),
        audio=torch.from_numpy(sound.astype(np.float32)).permute(0, 1, 4, 2, 3),
        present=None,
        target=torch.from_numpy(random.randint(0, 28, 4)),
    )


def _theirs(model: MAFnet, ours: str) -> NDArray[np.float32]:
    value = model.state_dict()[ours]
    if value.ndim == 4:
        return value.numpy().transpose(2, 3, 1, 0)
    return value.numpy().T


def _reference(steps: Any, key: str, variable: str) -> tuple[NDArray[Any], NDArray[Any] | None]:
    layer, leaf = variable.split("/")
    if f"{key}|{layer}|{leaf}" in steps:
        return steps[f"{key}|{layer}|{leaf}"], None
    return steps[f"{key}|{layer}|{leaf}#sample"], steps[f"idx|{layer}|{leaf}"]


def test_four_training_steps_equal_the_authors(tmp_path: Path) -> None:
    source = REFERENCE / "checkpoint_tf1_model_only"
    convert(source, "mafnet", tmp_path / "start.safetensors")
    model = load_model(tmp_path / "start.safetensors").requires_grad_(True)
    found = lay_out("mafnet", "tensorflow", TensorFlowCheckpoint(source).shapes()).found
    recipe = AuthorsRecipe(model)
    with np.load(REFERENCE / "train_steps.npz") as file:
        steps = dict(file)

    for k, path in enumerate(steps["order"]):
        loss, _ = recipe.step_on(_batch(int(steps["batch_seeds"][k])), PATH_NAMES[str(path)])

        assert loss == pytest.approx(float(steps["losses"][k]), abs=1e-4)
        for variable, ours in found.items():
            if ours in NO_GRADIENT:
                continue
            wanted, at = _reference(steps, f"after{k}", variable)
            got = _theirs(model, ours)
            got = got if at is None else got.ravel()[at]
            difference = np.abs(got - wanted.reshape(got.shape))
            if "running" in ours:
                assert difference.max() < 1e-5, (k, ours)
            else:
                assert (difference > 2e-5).mean() <= 0.005, (k, ours, difference.max())
