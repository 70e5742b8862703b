"""What teaching is measured by: files, hours of nothing, an hour of other sounds, pictures.

All of validation and test material, heard or seen once by the bundle's trunks and kept.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.media import read_picture
from research.listeners import Teacher
from research.nothing import EMPTY_MINUTES, SOFTER_DB, without_events
from research.prepare import Ears
from research.sound_corpus import SoundCorpus
from research.streaming.material import load_material
from research.streaming.render import render_sound
from research.streaming.scene import SceneSettings, compose
from research.streams import Eyes
from research.teaching_ear import Ear, hops
from research.vocabulary import load_vocabulary
from teaching.lessons import LOUD
from weights.bundle import Bundle
from weights.files import written_whole

EMPTY_HOURS = {"train": 1, "val": 1, "test": 2}
SEEDS = {"train": 900, "val": 100, "test": 100}  # of the first hour
BUSY_MINUTES = 60.0
N_LOOK = 16
Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """Validation and test files, heard.

    Attributes:
        rows: Each file's hops, `(n, C)`.
        levels: RMS of each hop's second.
        labels: What each file is.
        groups: What must not be parted.
        splits: val or test.
    """

    rows: list[Array]
    levels: list[Array]
    labels: NDArray[np.str_]
    groups: NDArray[np.str_]
    splits: NDArray[np.str_]

    def loud(self, k: int) -> Array:
        """Return the hops that a clip teaches by."""
        loud: Array = self.rows[k][self.levels[k] >= LOUD * self.levels[k].max()]
        return loud


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """A stream of other sounds, and when each label goes on."""

    rows: Array
    events: tuple[tuple[str, float, float], ...]


def hear_files(corpus: SoundCorpus, ear: Ear, path: Path) -> Files:
    """Hear all files of validation and test, or read what was heard."""
    order = np.concatenate([corpus.files("val"), corpus.files("test")])
    if not path.exists():
        rows, levels = [], []
        for k in order:
            raw = corpus.samples[corpus.starts[k] : corpus.starts[k + 1]]
            seconds = hops(raw.astype(np.float32) / np.float32(32768))
            rows.append(ear.means(seconds).astype(np.float16))
            levels.append(np.sqrt(np.square(seconds).mean(axis=1)))
        starts = np.cumsum([0, *map(len, rows)])
        _keep(path, x=np.concatenate(rows), starts=starts, level=np.concatenate(levels))
    with np.load(path) as kept:
        cut = kept["starts"][1:-1]
        parts = np.split(kept["x"].astype(np.float32), cut), np.split(kept["level"], cut)
    return Files(
        rows=parts[0],
        levels=parts[1],
        labels=np.array([corpus.names[int(corpus.labels[k])] for k in order]),
        groups=np.array([corpus.groups[int(k)] for k in order]),
        splits=np.repeat(["val", "test"], [len(corpus.files("val")), len(corpus.files("test"))]),
    )


def hear_nothing(
    data: Path, bundle: Bundle, ear: Ear, folder: Path, split: str = "test"
) -> list[Array]:
    """Hear hours of nothing, or read them: the hours of `research.compare`.

    Pauses and beds in which the teacher hears a label are left out, as there.
    """
    out: list[Array] = []
    for hour in range(EMPTY_HOURS[split]):
        path = folder / f"empty-{split}-{hour}.npz"
        if not path.exists():
            material, kinds = load_material(data, bundle, split), {}
            names = Teacher.class_names(data / "teacher")
            classes = load_vocabulary(data / "vocabulary.csv").sound_in(names)
            ears = Ears(bundle.audio.weights, data / "teacher")
            material = without_events(material, ears, classes)
            for kind, minutes in EMPTY_MINUTES.items():
                settings = SceneSettings(
                    minutes=minutes, seed=SEEDS[split] + hour, noise_db=-30.0 - SOFTER_DB * hour
                )
                pcm = render_sound(compose(kind, [], settings), material, settings)
                seconds = hops(pcm.astype(np.float32) / np.float32(32767))
                kinds[kind] = ear.means(seconds).astype(np.float16)
            _keep(path, **kinds)
        with np.load(path) as kept:
            out += [kept[kind].astype(np.float32) for kind in EMPTY_MINUTES]
    return out


def hear_busy(data: Path, bundle: Bundle, ear: Ear, folder: Path) -> Busy:
    """Hear an hour in which one sound follows the other, or read it."""
    path = folder / "busy-test.npz"
    if not path.exists():
        material = load_material(data, bundle, "test")
        settings = SceneSettings(minutes=BUSY_MINUTES, seed=7)
        scene = compose("sound", material.labels("sound"), settings)
        pcm = render_sound(scene, material, settings)
        told = [(e.label, str(e.onset_s), str(e.offset_s)) for e in scene.events]
        rows = ear.means(hops(pcm.astype(np.float32) / np.float32(32767))).astype(np.float16)
        _keep(path, x=rows, events=np.array(told))
    with np.load(path) as kept:
        events = tuple((str(a), float(b), float(c)) for a, b, c in kept["events"])
        return Busy(rows=kept["x"].astype(np.float32), events=events)


def _keep(path: Path, **arrays: NDArray[np.generic]) -> None:
    with written_whole(path) as temporary, temporary.open("wb") as out:
        np.savez(out, **arrays)  # type: ignore[arg-type]  # numpy's own name for arrays


@dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Validation and test pictures, seen.

    Attributes:
        rows: Pooled, `(n, D)`.
        labels: What each shows.
        splits: val or test.
    """

    rows: Array
    labels: NDArray[np.str_]
    splits: NDArray[np.str_]


def see_pictures(data: Path, path: Path) -> Pictures:
    """Look at all pictures of validation and test, or read what was seen."""
    if not path.exists():
        with (data / "pictures.csv").open(newline="", encoding="utf-8-sig") as table:
            shown = [row for row in csv.DictReader(table) if row["split"] in ("val", "test")]
        eyes = Eyes()
        rows = [
            eyes.look([read_picture(data / row["file"]) for row in shown[k : k + N_LOOK]])
            for k in range(0, len(shown), N_LOOK)
        ]
        told = {name: np.array([row[name] for row in shown]) for name in ("label", "split")}
        _keep(path, x=np.concatenate(rows).astype(np.float16), **told)
    with np.load(path) as kept:
        ours = np.isin(kept["split"], ["val", "test"])
        rows = kept["x"][ours].astype(np.float32)
        return Pictures(rows=rows, labels=kept["label"][ours], splits=kept["split"][ours])
