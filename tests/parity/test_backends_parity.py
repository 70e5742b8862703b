"""Each backend against torch in float32, with its own tolerance (`backends.TOLERANCES`).

The weights are random, as trunks that no batch norm has settled: what differs is the arithmetic.
"""

from __future__ import annotations

import pytest
import torch

from extractors.openvino_graphs import convert
from extractors.openvino_trunks import OpenVinoTrunk, Precision, computes_bfloat16, with_pixels_in
from extractors.vggish import VGGishTrunk
from extractors.visual import make_visual_trunk
from realtime.recognition.backends import TOLERANCES
from realtime.recognition.trunks import OpenVinoTrunks, TorchTrunks, distance, noise

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module", params=["efficientnet_lite0", "densenet201"])
def exact(request: pytest.FixtureRequest) -> TorchTrunks:
    torch.manual_seed(0)
    visual = make_visual_trunk(request.param)
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
        sound_precision=precision,
    )


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_openvino_features_equal_torchs_within_their_tolerance(
    exact: TorchTrunks, precision: Precision
) -> None:
    trunks = make_openvino(exact, precision)

    assert distance(exact, trunks, exact.transform.size) <= TOLERANCES[precision]
    images, _ = noise(exact.transform.size, 3)  # another batch, the same graph
    features = trunks.encode_pictures(images)
    alone = trunks.encode_pictures(images[1:2])
    assert features.dtype is torch.float32
    tolerance = TOLERANCES[precision]
    assert float((features[1] - alone[0]).norm() / alone.norm()) <= tolerance
    assert torch.equal(features, trunks.encode_pictures(images))  # the same every time
