"""What streams are made of: read from a data folder's tables, each to its place."""

import csv
import wave
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from PIL import Image

from extractors.log_mel import SAMPLE_RATE
from research.streaming.material import load_material
from weights.bundle import Bundle

BUNDLE = cast(
    Bundle, SimpleNamespace(labels=("Background", "Bark", "Siren"), background="Background")
)


def noise(seconds: float, level: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return level * np.random.default_rng(3).standard_normal(round(seconds * SAMPLE_RATE))


def test_pauses_and_spectra_are_of_events_that_are_no_steady_noise(tmp_path: Path) -> None:
    parted = np.concatenate([noise(0.8, 0.2), noise(1.7, 0.004), noise(0.8, 0.2)])
    files = {"Bark": parted, "Siren": parted, "Background": noise(2.0, 0.01)}
    rows = []
    for label, sound in files.items():
        with wave.open(str(tmp_path / f"{label}.wav"), "wb") as file:
            file.setparams((1, 2, SAMPLE_RATE, 0, "NONE", ""))
            file.writeframes((np.clip(sound, -1, 1) * 32767).astype(np.int16).tobytes())
        rows.append({"file": f"{label}.wav", "label": label, "group": label, "split": "test"})
    Image.new("RGB", (8, 8)).save(tmp_path / "scene.png")
    scene = {"file": "scene.png", "label": "Background", "group": "s", "split": "test"}
    for name, table in (("sounds.csv", rows), ("pictures.csv", [scene])):
        with (tmp_path / name).open("w", newline="") as file:
            writer = csv.DictWriter(file, list(scene))
            writer.writeheader()
            writer.writerows(table)

    material = load_material(tmp_path, BUNDLE)

    assert sorted(material.sounds) == ["Bark", "Siren"]
    assert [len(bed) for bed in material.beds] == [2 * SAMPLE_RATE]
    (spectrum,) = material.spectra  # not the siren's
    assert len(spectrum) == len(parted)
    (pause,) = material.pauses
    assert 1.2 < len(pause) / SAMPLE_RATE < 1.5  # clear of both barks
    for sound in (*material.beds, spectrum, pause):
        assert np.sqrt(np.square(sound).mean()) == pytest.approx(1, abs=1e-3)
