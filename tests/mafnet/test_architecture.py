import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from mafnet.attention import ModalityTemporalAttention
from mafnet.load import load_model
from mafnet.model import MAFnet, MAFnetConfig
from mafnet.run_folder import save_weights
from weights.errors import BundleError
from weights.tensor_files import read_metadata

CONFIG = MAFnetConfig(visual_dim=5, n_labels=3)


def _inputs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return (
        torch.rand(2, 3, 5, generator=generator),
        torch.rand(2, 3, 512, 12, 8, generator=generator),
    )


@pytest.mark.parametrize(
    "options",
    [{}, {"film": False}, {"attention": "per_sense"}, {"attention": "none", "film": False}],
)
def test_network_of_any_form_comes_back_from_its_file_alone(
    options: dict[str, Any], tmp_path: Path
) -> None:
    model = MAFnet(MAFnetConfig(visual_dim=5, n_labels=3, **options))
    save_weights(model, tmp_path / "w.safetensors")

    loaded = load_model(tmp_path / "w.safetensors")

    assert (loaded.config.film, loaded.config.attention) == (
        options.get("film", True),
        options.get("attention", "joint"),
    )
    with torch.inference_mode():
        torch.testing.assert_close(
            loaded(*_inputs()).logits, model.eval()(*_inputs()).logits, atol=0, rtol=0
        )


def test_weights_are_refused_when_other_code_trained_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w.safetensors"
    unchanged = ModalityTemporalAttention.fuse

    def fuse(*arguments: Any) -> Any:  # a student's attention: every weight twice
        attention, fused = unchanged(*arguments)
        return 2 * attention, 2 * fused

    with monkeypatch.context() as changed:
        changed.setattr(ModalityTemporalAttention, "fuse", fuse)
        save_weights(MAFnet(CONFIG), path)
        load_model(path)

    with pytest.raises(BundleError, match="trained by code that computes another network"):
        load_model(path)


def test_weights_of_another_architecture_are_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_file(MAFnet(CONFIG).state_dict(), path, {"architecture": "mafnet-wide"})

    with pytest.raises(BundleError, match="architecture 'mafnet-wide', this program has 'mafnet'"):
        load_model(path)


@pytest.mark.parametrize(
    "change",
    [{"film": 1}, {"attention": "x"}, {"probe": None}, {"sound_map": [1, 2]}, {"more": 1}],
)
def test_header_of_another_form_is_one_sentence(change: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    save_weights(MAFnet(CONFIG), path)
    texts = read_metadata(path)
    described = {**json.loads(texts["configuration"]), **change}
    texts["configuration"] = json.dumps(described)
    save_file(MAFnet(CONFIG).state_dict(), path, texts)

    with pytest.raises(BundleError, match="describes no network of this program"):
        load_model(path)


def test_weights_that_say_nothing_are_the_papers_network(tmp_path: Path) -> None:
    save_file(MAFnet(CONFIG).state_dict(), tmp_path / "w.safetensors")

    config = load_model(tmp_path / "w.safetensors").config

    assert (config.film, config.attention) == (True, "joint")


def test_weights_for_other_labels_are_one_sentence(tmp_path: Path) -> None:
    save_weights(MAFnet(CONFIG), tmp_path / "w.safetensors")

    with pytest.raises(BundleError, match="wanted"):
        load_model(tmp_path / "w.safetensors", MAFnetConfig(visual_dim=5, n_labels=4))


def test_attention_per_sense_sums_to_one_for_each_sense() -> None:
    model = MAFnet(MAFnetConfig(visual_dim=5, n_labels=3, attention="per_sense")).eval()
    with torch.inference_mode():
        attention = model(*_inputs()).attention
    torch.testing.assert_close(attention.sum(dim=1), torch.ones(2, 2))


def test_picture_does_not_touch_the_sound_without_film() -> None:
    model = MAFnet(MAFnetConfig(visual_dim=5, n_labels=3, film=False)).eval()
    visual, audio = _inputs()
    with torch.inference_mode():
        first = model.encode_clips(visual[0], audio[0]).vectors
        second = model.encode_clips(1 - visual[0], audio[0]).vectors
    torch.testing.assert_close(first[:, 1], second[:, 1], atol=0, rtol=0)
    assert not torch.equal(first[:, 0], second[:, 0])
