"""The held-out sounds and pictures that streams are composed of.

Reads a split's rows of a data folder's `sounds.csv` and `pictures.csv`. A sound is cut to where it
can be heard, so that an event's onset and offset are true; a file with pauses gives its longest
stretch. What streams of rooms are made of are the pauses of the same files, and their spectra.
"""

import csv
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from extractors.log_mel import SAMPLE_RATE
from research.sound_corpus import (
    BED_LABELS,
    LEVEL_BLOCK,
    SILENT,
    Samples,
    block_levels,
    loud_level,
    sound_of,
    to_unit_power,
)
from research.sound_pauses import GO_ON, longest_pause
from weights.bundle import Bundle

AUDIBLE = 0.1  # of the loud level (−20 dB)
LONGEST_PAUSE_S = 0.5  # silence inside one stretch
SHORTEST_S = 0.1
FACE = "Face"
SPEECH = ("Female speech, woman speaking", "Male speech, man speaking")


class MaterialError(Exception):
    """The data folder is not what it should be; one sentence that says what to do."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What streams are made of.

    Attributes:
        sounds: By label: audible stretches at 16 kHz, loud level 1.
        pictures: By label: files that show it.
        scenes: Files that show no label.
        beds: Recordings in which nothing happens, RMS 1.
        pauses: Rooms: what is heard between the events of a recording, RMS 1.
        spectra: Recordings whose event is no steady noise, RMS 1: noise with the spectrum of one
            is a room or a machine that nobody recorded.
        faces: Labels that are shown as a face, which alone does not tell them.
    """

    sounds: Mapping[str, Sequence[Samples]]
    pictures: Mapping[str, Sequence[Path]]
    scenes: Sequence[Path]
    beds: Sequence[Samples]
    pauses: Sequence[Samples]
    spectra: Sequence[Samples]
    faces: frozenset[str]

    def labels(self, kind: str) -> list[str]:
        """Return what may happen in a stream of a kind."""
        if kind == "both":
            return sorted(self.sounds.keys() & self.pictures.keys())
        if kind == "picture":
            return sorted(self.pictures.keys() - self.faces)
        return sorted(self.sounds) if kind in ("unseen", "sound") else []


def load_material(data: Path, bundle: Bundle, split: str = "test") -> Material:
    """Read and decode a split's sounds, and find its pictures.

    Args:
        data: Folder that holds `sounds.csv`, `pictures.csv` and what they name.
        bundle: Whose labels count.
        split: Which rows.

    Raises:
        MaterialError: A table is missing, or has no sound that serves.
    """
    labels = set(bundle.labels) - {bundle.background}
    sounds: dict[str, list[Samples]] = {}
    beds: list[Samples] = []
    pauses: list[Samples] = []
    spectra: list[Samples] = []
    for row in _rows(data / "sounds.csv", split):
        # A bed where the bundle does not name it.
        is_bed = row["label"] in BED_LABELS and row["label"] not in labels
        if not is_bed and row["label"] not in labels:
            continue
        wave = sound_of(data / row["file"])
        if is_bed and len(wave) >= SAMPLE_RATE:
            beds.append(to_unit_power(wave))
        stretch = None if is_bed else audible_stretch(wave)
        if stretch is not None:
            sounds.setdefault(row["label"], []).append(stretch)
            if row["label"] not in GO_ON:
                spectra.append(to_unit_power(wave))
                pauses += _pause_of(wave)
    pictures: dict[str, list[Path]] = {}
    scenes: list[Path] = []
    for row in _rows(data / "pictures.csv", split):
        path = data / row["file"]
        if row["label"] == FACE:
            for label in labels.intersection(SPEECH):
                pictures.setdefault(label, []).append(path)
        elif row["label"] in labels:
            pictures.setdefault(row["label"], []).append(path)
        elif row["label"] == "Background":
            scenes.append(path)
    if not sounds or not beds or not scenes:
        raise MaterialError(
            f"{data} has {len(sounds)} labels with sounds, {len(beds)} beds and {len(scenes)} "
            f"pictures of Background in its {split} split: each must be there"
        )
    return Material(
        sounds=sounds,
        pictures=pictures,
        scenes=scenes,
        beds=beds,
        pauses=pauses,
        spectra=spectra,
        faces=frozenset(labels.intersection(SPEECH)),
    )


def audible_stretch(wave: Samples) -> Samples | None:
    """Cut the longest stretch of a sound that can be heard, at loud level 1.

    Args:
        wave: `(n_samples,)` float32 at 16 kHz.

    Returns:
        From the first to the last block over −20 dB of the loud level; a pause of half a second
        parts stretches. None where there is nothing to hear.
    """
    levels = block_levels(wave)
    loud = loud_level(levels)
    if loud < SILENT:
        return None
    heard = np.flatnonzero(levels >= AUDIBLE * loud)
    longest_pause = round(LONGEST_PAUSE_S * SAMPLE_RATE / LEVEL_BLOCK)
    runs = np.split(heard, np.flatnonzero(np.diff(heard) > longest_pause) + 1)
    run = max(runs, key=lambda blocks: int(blocks[-1] - blocks[0]))
    stretch = wave[run[0] * LEVEL_BLOCK : (run[-1] + 1) * LEVEL_BLOCK] / np.float32(loud)
    return stretch if len(stretch) >= SHORTEST_S * SAMPLE_RATE else None


def _pause_of(wave: Samples) -> list[Samples]:
    loud = loud_level(block_levels(wave))
    pause = longest_pause(wave / np.float32(loud), loud) if loud >= SILENT else None
    return [] if pause is None else [to_unit_power(wave[pause[0] : pause[1]])]


def _rows(table: Path, split: str) -> list[dict[str, str]]:
    try:
        with table.open(newline="") as file:
            rows = list(csv.DictReader(file))
        return [row for row in rows if row["split"] == split]
    except OSError as error:
        raise MaterialError(
            f"{table}: {error.strerror}; --data names the folder of sounds.csv and pictures.csv"
        ) from error
    except KeyError as error:
        raise MaterialError(f"{table} has no column {error}: file, label, split") from error
