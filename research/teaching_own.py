"""Makes seconds in which labels are right: what a correction must not take from them.

    python -m research.teaching_own --data ../shared/data --features runs/t \
        --to weights/starter/own.safetensors

Of each label of the bundle files of the training split, of as many recordings as there are: a loud
second as it was recorded, and one as a room makes it (`research.teaching_room`, over beds of the
training split). A user's false events are of one room: held against clean recordings alone, a row
would learn the room. Kept as codes along principal directions. Validation and test material is not
looked at.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from research.sound_corpus import BED_LABELS, SoundCorpus, load_corpus, to_unit_power
from research.teaching_ear import Ear, hops
from research.teaching_room import mixed
from teaching.reference import packed
from weights.bundle import load_bundle
from weights.files import written_whole
from weights.tensor_files import save_tensors

FILES = 32  # of each label; each as it is and in a room
DIRECTIONS = 128
LOUD = 0.25  # of the power of a file's loudest second
AS_LOUD = 0.5  # full scale 1: the peak of what was recorded near
Array = NDArray[np.float32]


def in_turn(corpus: SoundCorpus, files: NDArray[np.int64], n: int) -> list[int]:
    """Return up to n of the files, one of each recording, then the next of each."""
    by_group: dict[str, list[int]] = defaultdict(list)
    for k in files:
        by_group[corpus.groups[int(k)]].append(int(k))
    turns = zip_longest(*by_group.values())
    return [k for turn in turns for k in turn if k is not None][:n]


def own_seconds(
    corpus: SoundCorpus, labels: tuple[str, ...], rng: np.random.Generator
) -> Iterator[tuple[str, Array]]:
    """Yield seconds `(16000,)` of each label that has training files, with the label."""
    files = corpus.files("train")
    named = np.array([corpus.names[int(k)] for k in corpus.labels[files]])
    beds = [to_unit_power(corpus.waveform(int(k))) for k in files[np.isin(named, BED_LABELS)]]
    for label in labels:
        for k in in_turn(corpus, rng.permutation(files[named == label]), FILES):
            wave = corpus.waveform(k)
            near = wave * np.float32(AS_LOUD / max(float(np.abs(wave).max()), 1e-6))
            for heard in (near, mixed(wave, beds, rng)):
                seconds = hops(heard)
                level = np.square(seconds).mean(axis=1)
                yield label, seconds[int(rng.choice(np.flatnonzero(level >= LOUD * level.max())))]


def main() -> None:
    """Make the file, and say how large it is."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--features", type=Path, required=True, help="where sounds are decoded to")
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    bundle = load_bundle("starter")
    corpus = load_corpus(options.data, options.features)
    pairs = list(own_seconds(corpus, bundle.labels, np.random.default_rng(0)))
    rows = Ear(bundle).means(np.stack([second for _, second in pairs]))
    heard = [label for label, _ in pairs]
    names = sorted(set(heard))
    tensors = {name: torch.from_numpy(x) for name, x in packed("own", rows, DIRECTIONS).items()}
    tensors["own_label"] = torch.tensor([names.index(label) for label in heard], dtype=torch.int16)
    told = {"labels": json.dumps(names), "audio": bundle.audio.sha256}
    with written_whole(options.to) as temporary:
        save_tensors(tensors, temporary, told)
    n_bytes = options.to.stat().st_size
    print(f"{len(heard)} seconds of {len(names)} labels, {n_bytes / 1000:.0f} kB")


if __name__ == "__main__":
    main()
