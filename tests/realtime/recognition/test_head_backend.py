"""MAFnet's convolutions on OpenVINO give what torch gives, and torch takes over if they fail."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from extractors.openvino_trunks import Precision, computes_bfloat16
from extractors.tolerances import tolerance
from mafnet.model import MAFnet, MAFnetConfig
from realtime.recognition.head_backend import openvino_convolutions

pytestmark = pytest.mark.timeout(300)
SHA256 = "ab" * 32


@pytest.fixture(scope="module")
def head() -> MAFnet:
    torch.manual_seed(3)
    head = MAFnet(MAFnetConfig(visual_dim=12, n_labels=4)).eval().requires_grad_(False)
    for name, buffer in head.named_buffers():  # statistics as if trained
        buffer.copy_(torch.rand_like(buffer) + (0.5 if "var" in name else -0.5))
    return head


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@torch.inference_mode()
def test_codes_equal_torchs_when_a_sense_is_missing_too(
    head: MAFnet, precision: Precision, tmp_path: Path
) -> None:
    pytest.importorskip("openvino")
    if precision == "bfloat16" and not computes_bfloat16():
        pytest.skip("this CPU has no bfloat16 units")
    convolve = openvino_convolutions(head, SHA256, precision, tmp_path)
    assert convolve is not None
    visual, audio = torch.rand(3, 12), torch.rand(3, 512, 12, 8)
    audio[1] = torch.nan  # not there
    present = torch.tensor([[True, True], [True, False], [False, True]])

    codes = head.encode_clips(visual, audio, present, convolve)

    exact = head.encode_clips(visual, audio, present)
    for row, sense in present.nonzero().tolist():
        mine, right = codes.vectors[row, sense], exact.vectors[row, sense]
        assert float((mine - right).norm() / right.norm()) <= tolerance("mafnet_sound", precision)
    assert torch.isfinite(codes.scores).all()


def test_torch_runs_the_head_when_openvino_cannot(
    head: MAFnet,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)

    assert openvino_convolutions(head, SHA256, "float32", tmp_path) is None
    assert "torch runs MAFnet" in caplog.text
