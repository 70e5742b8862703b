from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from mafnet.evidence import EvidenceClasses
from mafnet.load import load_head, load_model
from mafnet.model import MAFnet, MAFnetConfig
from weights.bundle import (
    AudioSpec,
    Bundle,
    BundleError,
    EventSpec,
    EvidenceSpec,
    HeadSpec,
    VisualSpec,
    write_bundle,
)
from weights.bundle_spec import SOUND_MAPS

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


def test_classes_come_from_the_bundle_when_a_head_weighs_them(tmp_path: Path) -> None:
    classes = EvidenceClasses(sound=((69,), (0, 1)), picture=((151, 152), ()))
    config = MAFnetConfig(
        visual_dim=5, n_labels=2, sound_map=(1024, 3, 2), evidence=classes, activation="sigmoid"
    )
    model = MAFnet(config).eval()
    for role in ("visual", "audio"):
        (tmp_path / f"{role}.safetensors").write_bytes(b"")
    save_file(model.state_dict(), tmp_path / "head.safetensors")
    bundle = write_bundle(
        Bundle(
            name="small",
            version="1",
            path=tmp_path,
            labels=("Bark", "Speech"),
            background=None,
            activation="sigmoid",
            temperature=1.0,
            sample_rate=16_000,
            visual=VisualSpec(
                trunk="efficientnet_lite0", dim=5, weights=tmp_path / "visual.safetensors"
            ),
            audio=AudioSpec(
                trunk="yamnet",
                sound_map=SOUND_MAPS["yamnet"],
                weights=tmp_path / "audio.safetensors",
            ),
            head=HeadSpec(
                weights=tmp_path / "head.safetensors",
                evidence=EvidenceSpec(sound=classes.sound, picture=classes.picture),
            ),
            events=EventSpec(),
            licence="CC0-1.0",
            provenance="made for a test",
        ),
        tmp_path / "bundle",
    )
    visual, audio = torch.rand(1, 2, 5), torch.rand(1, 2, 1024, 3, 2)

    loaded = load_head(bundle).to("cpu")

    assert loaded.config == config
    torch.testing.assert_close(loaded(visual, audio).logits, model(visual, audio).logits)
