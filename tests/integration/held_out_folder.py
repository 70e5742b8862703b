"""A data folder that is generated: sounds.csv and pictures.csv as the project's data has them."""

from __future__ import annotations

import csv
import wave
from pathlib import Path

import numpy as np
from PIL import Image

RATE = 16_000
TONES = {"Bark": 300.0, "Siren": 1500.0, "Background": None}  # hertz; None: noise
COLOURS = {"Bark": (200, 40, 40), "Siren": (30, 60, 220), "Background": (90, 90, 90)}


def write_data(folder: Path, n: int = 2) -> Path:
    """Write `n` sounds of 1.5 s and `n` pictures of each label and split; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    sounds, pictures = [], []
    for label, tone in TONES.items():
        for split in ("train", "val", "test"):
            for k in range(n):
                stem = f"{label}-{split}-{k}"
                times = np.arange(RATE * 3 // 2) / RATE
                sound = 0.02 * rng.standard_normal(len(times))
                if tone is not None:
                    sound += 0.3 * np.sin(2 * np.pi * tone * times)
                with wave.open(str(folder / f"{stem}.wav"), "wb") as file:
                    file.setnchannels(1)
                    file.setsampwidth(2)
                    file.setframerate(RATE)
                    file.writeframes((sound * 32_767).astype(np.int16).tobytes())
                Image.new("RGB", (96, 80), COLOURS[label]).save(folder / f"{stem}.png")
                row = {"label": label, "source": "ab"[k % 2], "group": stem, "split": split}
                sounds.append({"file": f"{stem}.wav", **row})
                pictures.append({"file": f"{stem}.png", **row})
    for name, rows in (("sounds.csv", sounds), ("pictures.csv", pictures)):
        with (folder / name).open("w", newline="") as table:
            writer = csv.DictWriter(table, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    return folder
