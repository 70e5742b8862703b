"""Small feature sets in memory and on disk, with YAMNet's small sound maps, for fast training."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mafnet.feature_set import FeatureSet
from mafnet.run_folder import EpochRow, RunState

LABELS = ("Bark", "Cat", "Siren")
D = 6
T = 1


def small_set(
    target: Sequence[int], seed: int = 0, labels: tuple[str, ...] = LABELS, dim: int = D
) -> FeatureSet:
    """Return a set with a video for each target; the label is in the visual vector."""
    random = np.random.default_rng(seed)
    rows = np.array(target, np.int64)
    visual = random.random((len(rows), T, dim), np.float32)
    visual[np.arange(len(rows)), :, rows] += 3
    return FeatureSet(
        labels=labels,
        visual=visual,
        audio=random.random((len(rows), T, 3, 2, 1024), np.float32).astype(np.float16),
        target=rows,
        present=None,
        names=tuple(f"{seed}-{row}" for row in range(len(rows))),
        visual_trunk="efficientnet_lite0",
    )


def write_small(folder: Path, sets: dict[str, FeatureSet], **manifest: object) -> Path:
    """Write sets as `extractors extract` does."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = next(iter(sets.values())).labels
    for split, features in sets.items():
        np.save(folder / f"{split}_visual.npy", features.visual)
        np.save(folder / f"{split}_audio.npy", features.audio)
        one_hot = np.eye(len(labels), dtype=np.float32)[features.target]
        np.save(folder / f"{split}_target.npy", one_hot)
        (folder / f"{split}_names.json").write_text(json.dumps(features.names))
    trunk = next(iter(sets.values())).visual_trunk
    content = {"labels": labels, "visual_trunk": trunk, **manifest}
    (folder / "features.json").write_text(json.dumps(content))
    return folder


def small_folder(folder: Path, n_of_split: int = 6, dim: int = D) -> Path:
    """Write a folder with three splits; with 1280 values a picture it is of the starter's form."""
    target = [row % len(LABELS) for row in range(n_of_split)]
    splits = enumerate(("train", "val", "test"))
    sets = {split: small_set(target, seed, dim=dim) for seed, split in splits}
    return write_small(folder, sets)


class Silent:
    """Hears of a run and says nothing; may stop it."""

    def __init__(self, stop_after: int | None = None) -> None:
        self._stop_after = stop_after
        self.n_steps = 0

    def on_step(self, epoch: int, step: int, n_steps: int) -> None:
        self.n_steps += 1

    def on_epoch(self, row: EpochRow, state: RunState) -> None:
        if state.epoch == self._stop_after:
            raise KeyboardInterrupt
