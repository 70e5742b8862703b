"""Thresholds: within their range, and lower for a label that a head tells well."""

import numpy as np
import pytest
import torch

from mafnet.calibrate import ON_RANGE, calibrate
from mafnet.compose import FeatureBank
from mafnet.model import MAFnet, MAFnetConfig

N_EACH = 4


@pytest.fixture
def bank() -> FeatureBank:
    maps = np.repeat(np.arange(3), N_EACH).astype(np.float16)[:, None, None, None]
    labels = ("Background", "Bark", "Siren")
    return FeatureBank(
        labels=labels,
        background="Background",
        maps=np.broadcast_to(maps, (3 * N_EACH, 512, 12, 8)),
        rows={name: np.arange(k * N_EACH, (k + 1) * N_EACH) for k, name in enumerate(labels)},
        pictures={},
        unrelated=[np.zeros((2, 1, 5), dtype=np.float16)],
        silent=frozenset(),
    )


def test_thresholds_stay_in_their_range_when_a_head_knows_nothing(bank: FeatureBank) -> None:
    torch.manual_seed(0)
    model = MAFnet(MAFnetConfig(visual_dim=5, n_labels=3)).eval()

    calibration = calibrate(model, bank, n_streams=2)

    assert set(calibration.events.per_label) == {"Bark", "Siren"}
    for pair in calibration.events.per_label.values():
        assert ON_RANGE[0] <= pair["on"] <= ON_RANGE[1]
        assert 0 < pair["off"] < pair["on"]
    assert calibration.temperature > 0
    assert calibration.figures["clips"] == 48


def test_calibration_is_the_same_when_run_again(bank: FeatureBank) -> None:
    torch.manual_seed(1)
    model = MAFnet(MAFnetConfig(visual_dim=5, n_labels=3)).eval()

    assert calibrate(model, bank, n_streams=1) == calibrate(model, bank, n_streams=1)
