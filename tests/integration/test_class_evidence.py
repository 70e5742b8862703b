"""A bundle with YAMNet, class evidence and several labels at once, through the whole program."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from integration.processes import json_lines, run_stream

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("backend", ["torch", "auto"])
def test_several_labels_are_told_at_once_with_what_each_sense_said(
    classes_bundle: Path, backend: str
) -> None:
    result = run_stream(
        *("--source", "demo", "--duration", "3", "--bundle", str(classes_bundle)),
        *("--backend", backend, "--log-json", "--no-publish"),
    )

    assert result.returncode == 0, result.stderr
    events = json_lines(result.stdout)
    onsets = [event for event in events if event["phase"] == "onset"]
    assert {event["label"] for event in onsets} == {"Bark", "Siren", "Speech"}
    assert {event["onset"]["t_s"] for event in onsets} == {0.0}
    for event in events:
        alone = event["evidence"]["alone"]
        assert 0.0 < alone["picture"] < 1.0
        assert 0.0 < alone["sound"] < 1.0
        assert {alone["picture"], alone["sound"]} != {event["confidence"]}


def test_a_stream_without_a_picture_is_heard_alone(classes_bundle: Path, tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "noise.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.random.default_rng(0).integers(-9000, 9000, 32_000, "<i2").tobytes())

    result = run_stream(
        *("--source", str(tmp_path / "noise.wav"), "--bundle", str(classes_bundle)),
        *("--backend", "torch", "--log-json", "--no-publish"),
    )

    assert result.returncode == 0, result.stderr
    events = json_lines(result.stdout)
    assert events
    for event in events:
        alone = event["evidence"]["alone"]
        assert alone["picture"] is None
        assert alone["sound"] == pytest.approx(event["confidence"], abs=2e-4)
