"""Looks at every picture of the table in a few views, and keeps Lite0's pooled features.

    python -m research.pictures --data ../shared/data --to runs/features

The first view is the whole picture, the others are parts of it, shifted, as a camera would show it.
"""

import argparse
import csv
import dataclasses
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from extractors.efficientnet import EfficientNetLite0Trunk
from extractors.media import read_picture
from extractors.openvino_graphs import convert
from extractors.openvino_trunks import OpenVinoTrunk
from extractors.visual import load_visual_trunk
from research.picture_augment import as_frame
from weights.bundle import packaged_efficientnet_lite0
from weights.files import written_whole

N_VIEWS = 3
N_BATCH = 16


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pictures:
    """Features of all pictures.

    Attributes:
        features: `(n_pictures, N_VIEWS, 1280)` float16.
        labels: The table's spelling, of each.
        sources: Likewise.
        splits: Likewise.
    """

    features: NDArray[np.float16]
    labels: tuple[str, ...]
    sources: tuple[str, ...]
    splits: tuple[str, ...]


def load_pictures(data: Path, cache: Path) -> Pictures:
    """Look at the pictures, or read what an earlier call saw."""
    with (data / "pictures.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    path = cache / "pictures.npy"
    if not path.exists():
        features = _look([data / row["file"] for row in rows])
        cache.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as temporary, temporary.open("wb") as file:
            np.save(file, features)
    features = np.load(path)
    if len(features) != len(rows):
        raise ValueError(f"{path} holds {len(features)} pictures, the table {len(rows)}: delete it")
    return Pictures(
        features=features,
        labels=tuple(row["label"] for row in rows),
        sources=tuple(row["source"] for row in rows),
        splits=tuple(row["split"] for row in rows),
    )


def _look(files: list[Path]) -> NDArray[np.float16]:
    trunk = load_visual_trunk("efficientnet_lite0", packaged_efficientnet_lite0().weights)
    transform = trunk.transform
    assert isinstance(trunk, EfficientNetLite0Trunk)
    trunk.fold()
    network = OpenVinoTrunk(convert(trunk, (3, 224, 224)), "float32", 1)
    rng = np.random.default_rng(0)
    out = np.zeros((len(files) * N_VIEWS, trunk.dim), np.float16)
    waiting: list[NDArray[np.uint8]] = []
    done = 0
    for number, path in enumerate(files):
        picture = read_picture(path)
        waiting.append(transform.resize(picture))
        waiting += [
            transform.resize(np.asarray(as_frame(Image.fromarray(picture), None, rng)))
            for _ in range(N_VIEWS - 1)
        ]
        if len(waiting) >= N_BATCH or number == len(files) - 1:
            pixels = transform.normalize(torch.from_numpy(np.stack(waiting))).contiguous().numpy()
            out[done : done + len(waiting)] = network.encode(pixels)
            done += len(waiting)
            waiting = []
    return out.reshape(len(files), N_VIEWS, -1)


def main() -> None:
    """Look at all pictures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(load_pictures(options.data, options.to).features.shape)


if __name__ == "__main__":
    main()
