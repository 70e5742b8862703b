from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mafnet.load import load_model
from mafnet.model import MAFnet, MAFnetConfig
from weights.bundle import BundleError

CONFIG = MAFnetConfig(visual_dim=5, n_labels=3)


def test_half_precision_weights_become_float32(tmp_path: Path) -> None:
    state = {name: value.half() for name, value in MAFnet(CONFIG).state_dict().items()}
    save_file(state, tmp_path / "head.safetensors")

    model = load_model(tmp_path / "head.safetensors")

    assert (model.config.visual_dim, model.config.n_labels) == (5, 3)
    assert not model.training
    assert {value.dtype for value in model.state_dict().values()} == {torch.float32}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("head.bias", None, "missing: head.bias"),
        ("surplus", torch.zeros(1), "extra: surplus"),
        ("head.bias", torch.zeros(4), r"head.bias must be \(3,\), got \(4,\)"),
        ("head.bias", torch.zeros(3, dtype=torch.int64), "floating point"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(
    tmp_path: Path, name: str, value: torch.Tensor | None, message: str
) -> None:
    state = MAFnet(CONFIG).state_dict()
    if value is None:
        del state[name]
    else:
        state[name] = value
    save_file(state, tmp_path / "head.safetensors")
    with pytest.raises(BundleError, match=message):
        load_model(tmp_path / "head.safetensors", CONFIG)


def test_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    save_file(MAFnet(CONFIG).state_dict(), path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(BundleError, match="not a readable safetensors file"):
        load_model(path, CONFIG)
