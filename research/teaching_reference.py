"""Makes what teaching holds a user's examples against: seconds of sound and pictures, as numbers.

    python -m research.teaching_reference --data ../shared/data --features runs/f \
        --to weights/starter/reference.safetensors

Of each label of the training split a few seconds and pictures, and seconds of rooms, noise and
quiet in which nothing happens, as the bundle's trunks make them: the mean of a sound map, a pooled
picture, in eight bits. And every other second of an hour of nothing, as codes of 64 directions; of
quiet, in which little varies, every eighth. Validation and test material is not looked at.
"""

import argparse
import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from extractors.log_mel import SAMPLE_RATE
from extractors.media import read_picture
from research.sound_corpus import BED_LABELS, SoundCorpus, load_corpus
from research.streaming.material import load_material
from research.streaming.render import render_sound
from research.streaming.scene import SceneSettings, compose
from research.streams import Eyes
from research.teaching_ear import Ear, hops
from research.teaching_material import hear_nothing
from teaching.reference import packed as coded
from weights.bundle import Bundle, load_bundle
from weights.files import written_whole
from weights.tensor_files import save_tensors

FILES, PICTURES = 5, 6  # of each label
UNNAMED, SCENES = 25, 60  # sounds that nobody named, pictures of nothing in particular
NOTHING = {"rooms": (20.0, 70), "noise": (6.0, 30), "quiet": (2.0, 10)}  # minutes, seconds kept
Array = NDArray[np.float32]


def loud_seconds(corpus: SoundCorpus, rng: np.random.Generator) -> Iterator[tuple[str, Array]]:
    """Yield a loud second of some training files of each label, with the label."""
    files = corpus.files("train")
    for place in np.unique(corpus.labels[files]):
        name = corpus.names[int(place)]
        own = rng.permutation(files[corpus.labels[files] == place])
        n = UNNAMED if name in ("Unlabelled", *BED_LABELS) else FILES
        for k in np.resize(own, n):
            raw = corpus.samples[corpus.starts[k] : corpus.starts[k + 1]]
            seconds = hops(raw.astype(np.float32) / np.float32(32768))
            level = np.square(seconds).mean(axis=1)
            loud = np.flatnonzero(level >= 0.25 * level.max())
            gain = np.float32(10 ** (-rng.uniform(0, 12) / 20))  # not every room is as near
            yield name, seconds[int(rng.choice(loud))] * gain


def empty_seconds(data: Path, bundle: Bundle, rng: np.random.Generator) -> Array:
    """Return seconds of rooms, noise and quiet, `(n, 16000)`."""
    material = load_material(data, bundle, "train")
    parts = []
    for kind, (minutes, n) in NOTHING.items():
        settings = SceneSettings(minutes=minutes, seed=900)
        pcm = render_sound(compose(kind, [], settings), material, settings)
        seconds = hops(pcm.astype(np.float32) / np.float32(32767), SAMPLE_RATE)
        parts.append(seconds[rng.choice(len(seconds), n, replace=False)])
    return np.concatenate(parts)


def seen(data: Path, rng: np.random.Generator) -> tuple[list[str], Array]:
    """Return labels and pooled features of some training pictures of each label."""
    with (data / "pictures.csv").open(newline="", encoding="utf-8-sig") as table:
        rows = [row for row in csv.DictReader(table) if row["split"] == "train"]
    eyes, names, features = Eyes(), [], []
    for name in sorted({row["label"] for row in rows}):
        own = [row["file"] for row in rows if row["label"] == name]
        n = SCENES if name == "Background" else PICTURES
        files = [own[int(k)] for k in rng.permutation(len(own))[:n]]
        features.append(eyes.look([read_picture(data / file) for file in files]))
        names += [name] * len(files)
    return names, np.concatenate(features)


def packed(name: str, values: Array, labels: Sequence[str], names: Sequence[str]) -> dict[str, Any]:
    """Return rows in eight bits with a scale each, and their labels' places."""
    scale = values.max(axis=1).clip(1e-6) / 255
    return {
        name: torch.from_numpy(np.round(values / scale[:, None]).astype(np.uint8)),
        f"{name}_scale": torch.from_numpy(scale.astype(np.float32)),
        f"{name}_label": torch.tensor([names.index(label) for label in labels], dtype=torch.int16),
    }


def main() -> None:
    """Make the file, and say how large it is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--features", type=Path, required=True, help="where sounds are decoded to")
    parser.add_argument("--bundle", default="starter")
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    bundle, rng = load_bundle(options.bundle), np.random.default_rng(0)
    ear = Ear(bundle)
    pairs = list(loud_seconds(load_corpus(options.data, options.features), rng))
    empty = empty_seconds(options.data, bundle, rng)
    sound = ear.means(np.concatenate([np.stack([second for _, second in pairs]), empty]))
    heard = [name for name, _ in pairs] + ["Background"] * len(empty)
    shown, picture = seen(options.data, rng)
    names = sorted({*heard, *shown})
    tensors = {**packed("sound", sound, heard, names), **packed("picture", picture, shown, names)}
    rooms, noise, quiet = hear_nothing(options.data, bundle, ear, options.features, "train")
    hour = np.concatenate([rooms[::4], noise[::4], quiet[::16]])[::2]
    tensors |= {name: torch.from_numpy(each) for name, each in coded("empty", hour).items()}
    told = {
        "labels": json.dumps(names),
        "audio": bundle.audio.sha256,
        "visual": bundle.visual.sha256,
    }
    with written_whole(options.to) as temporary:
        save_tensors(tensors, temporary, told)
    n_bytes = options.to.stat().st_size
    print(f"{len(heard)} seconds of sound, {len(shown)} pictures, {n_bytes / 1000:.0f} kB")


if __name__ == "__main__":
    main()
