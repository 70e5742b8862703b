"""A bundle with random weights, so that the program's mechanics are tested at any threshold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from extractors.vggish import VGGishTrunk
from mafnet.model import MAFnet, MAFnetConfig
from weights.bundle import (
    AudioSpec,
    Bundle,
    EventSpec,
    HeadSpec,
    packaged_efficientnet_lite0,
    write_bundle,
)


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
            audio=AudioSpec(weights=folder / "vggish.safetensors"),
            head=HeadSpec(weights=folder / "mafnet.safetensors"),
            events=EventSpec(on=0.34, off=0.3, confirm=(1, 1), min_duration_s=0.0),
            licence="none",
            provenance="random numbers, for tests",
        ),
        folder / "bundle",
    )
    return folder / "bundle"
