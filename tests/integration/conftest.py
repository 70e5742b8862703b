"""A bundle with random weights, so that the program's mechanics are tested at any threshold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from extractors.sound import make_sound_trunk
from extractors.vggish import VGGishTrunk
from mafnet.evidence import EvidenceClasses
from mafnet.model import MAFnet, MAFnetConfig
from weights.bundle import (
    AudioSpec,
    Bundle,
    EventSpec,
    EvidenceSpec,
    HeadSpec,
    packaged_efficientnet_lite0,
    write_bundle,
)
from weights.bundle_spec import SOUND_MAPS


@pytest.fixture(scope="session", autouse=True)
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what runs put into the store, such as graphs and timings, out of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAFNET_HOME", str(tmp_path_factory.mktemp("store")))
        yield


LABELS = ("Bark", "Siren", "Background")


@pytest.fixture(scope="session")
def random_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a three-label bundle whose thresholds lie just around chance."""
    folder = tmp_path_factory.mktemp("random-bundle")
    torch.manual_seed(0)
    save_file(
        {name: value.half() for name, value in VGGishTrunk().state_dict().items()},
        folder / "vggish.safetensors",
    )
    head = MAFnet(MAFnetConfig(visual_dim=1280, n_labels=len(LABELS)))
    save_file(
        {name: value.half() for name, value in head.state_dict().items()},
        folder / "mafnet.safetensors",
    )
    write_bundle(
        Bundle(
            name="random",
            version="1",
            path=folder,
            labels=LABELS,
            background="Background",
            activation="softmax",
            temperature=1.0,
            sample_rate=16_000,
            visual=packaged_efficientnet_lite0(),
            audio=AudioSpec(
                trunk="vggish",
                sound_map=SOUND_MAPS["vggish"],
                weights=folder / "vggish.safetensors",
            ),
            head=HeadSpec(weights=folder / "mafnet.safetensors"),
            events=EventSpec(on=0.34, off=0.3, confirm=(1, 1), min_duration_s=0.0),
            licence="none",
            provenance="random numbers, for tests",
        ),
        folder / "bundle",
    )
    return folder / "bundle"


@pytest.fixture(scope="session")
def classes_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a bundle with YAMNet, class evidence, several labels at once."""
    folder = tmp_path_factory.mktemp("classes-bundle")
    torch.manual_seed(0)
    classes = EvidenceClasses(sound=((69,), (390,), (0, 1)), picture=((207,), (), ()))
    config = MAFnetConfig(
        visual_dim=1280,
        n_labels=3,
        sound_map=(1024, 3, 2),
        evidence=classes,
        activation="sigmoid",
    )
    for name, module in (("yamnet", make_sound_trunk("yamnet")), ("mafnet", MAFnet(config))):
        save_file(
            {key: value.half() for key, value in module.state_dict().items()},
            folder / f"{name}.safetensors",
        )
    write_bundle(
        Bundle(
            name="classes",
            version="1",
            path=folder,
            labels=("Bark", "Siren", "Speech"),
            background=None,
            activation="sigmoid",
            temperature=1.0,
            sample_rate=16_000,
            visual=replace(packaged_efficientnet_lite0(), grid_hz=8),
            audio=AudioSpec(
                trunk="yamnet",
                sound_map=SOUND_MAPS["yamnet"],
                weights=folder / "yamnet.safetensors",
            ),
            head=HeadSpec(
                weights=folder / "mafnet.safetensors",
                evidence=EvidenceSpec(sound=classes.sound, picture=classes.picture),
            ),
            events=EventSpec(
                on=0.01, off=0.005, confirm=(1, 1), min_duration_s=0.0, smooth=3, window_weight=0.25
            ),
            licence="none",
            provenance="random numbers, for tests",
        ),
        folder / "bundle",
    )
    return folder / "bundle"
