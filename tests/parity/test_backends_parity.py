"""Each backend against torch in float32, within the trunks' tolerances (`extractors.tolerances`).

The starter's own weights, and DenseNet-201's at random: what differs is the arithmetic.
"""

from __future__ import annotations

import pytest
import torch

from extractors.openvino_graphs import convert
from extractors.openvino_trunks import (
    MAX_AT_ONCE,
    OpenVinoTrunk,
    Precision,
    computes_bfloat16,
    with_pixels_in,
)
from extractors.tolerances import noise, tolerance
from extractors.trunks import (
    Distance,
    Inputs,
    OpenVinoTrunks,
    TorchTrunks,
    distance,
    load_torch_trunks,
)
from extractors.vggish import VGGishTrunk
from extractors.visual import make_visual_trunk
from weights.bundle import load_bundle

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module", params=["efficientnet_lite0", "densenet201"])
def trunk_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def sound_name(trunk_name: str) -> str:
    return load_bundle("starter").audio.trunk if trunk_name == "efficientnet_lite0" else "vggish"


@pytest.fixture(scope="module")
def exact(trunk_name: str) -> TorchTrunks:
    if trunk_name == "efficientnet_lite0":
        return load_torch_trunks(load_bundle("starter"), torch.device("cpu"))
    torch.manual_seed(0)
    visual = make_visual_trunk(trunk_name)
    return TorchTrunks(
        visual=visual,
        transform=visual.transform,
        sound=VGGishTrunk().eval().requires_grad_(False),
        device=torch.device("cpu"),
    )


def make_openvino(exact: TorchTrunks, precision: Precision) -> OpenVinoTrunks:
    pytest.importorskip("openvino")
    if precision == "bfloat16" and not computes_bfloat16():
        pytest.skip("this CPU has no bfloat16 units")
    size = exact.transform.size
    picture = with_pixels_in(convert(exact.visual, (3, size, size)), exact.transform)
    return OpenVinoTrunks(
        visual=OpenVinoTrunk(picture, precision, n_threads=1),
        sound=OpenVinoTrunk(convert(exact.sound, (1, 96, 64)), precision, n_threads=1),
        precision=precision,
    )


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_openvino_features_equal_torchs_within_their_tolerance(
    exact: TorchTrunks, trunk_name: str, sound_name: str, precision: Precision
) -> None:
    trunks = make_openvino(exact, precision)

    away = distance(exact, trunks, Inputs(exact.transform.size, exact.sound.front_end.shape))
    assert away.is_within(trunk_name, sound_name, precision)
    images, _ = noise(exact.transform.size, 3, ())  # another batch, the same graph
    features = trunks.encode_pictures(images)
    alone = trunks.encode_pictures(images[1:2])
    assert features.dtype is torch.float32
    assert float((features[1] - alone[0]).norm() / alone.norm()) <= tolerance(trunk_name, precision)
    assert torch.equal(features, trunks.encode_pictures(images))  # the same every time


def test_a_large_batch_in_parts_gives_its_rows_in_order() -> None:
    exact = load_torch_trunks(load_bundle("starter"), torch.device("cpu"))
    trunks = make_openvino(exact, "float32")
    images, _ = noise(exact.transform.size, 2 * MAX_AT_ONCE + 1, ())

    features = trunks.encode_pictures(images)

    assert features.shape[0] == len(images)
    for start in range(0, len(images), MAX_AT_ONCE):
        part = slice(start, start + MAX_AT_ONCE)
        assert torch.equal(features[part], trunks.encode_pictures(images[part]))


def test_features_that_are_no_number_are_within_no_tolerance() -> None:
    assert Distance(0.0, 0.0).is_within("densenet201", "vggish", "float32")
    assert not Distance(float("nan"), 0.0).is_within("densenet201", "vggish", "bfloat16")
    assert not Distance(0.0, float("nan")).is_within("densenet201", "vggish", "bfloat16")
    assert not Distance(0.1, 0.0).is_within("densenet201", "vggish", "bfloat16")
    assert not Distance(0.1, 0.1).is_within("efficientnet_lite0", "vggish", "bfloat16")
