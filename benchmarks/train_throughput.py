"""What feeding a training step costs: the bare step beside the step with batches from a store.

    python benchmarks/train_throughput.py [--device auto] [--precision float32] [--batch-size 32]

A store of random features is written for the run, of AVE's size a video unless told otherwise
(T = 10, VGGish's maps, float16), and read memory-mapped. Rows: the same batch again and again, then
batches that are gathered by 0, 1 and 2 threads, then by torch's own loader with processes. All rows
take turns round by round, so that a machine's load falls on all of them. Compare the ratios; the
processor's seconds, of all threads of this process, are disturbed less than those that passed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from mafnet.batches import load_batches
from mafnet.compute import Compute, check_precision
from mafnet.feature_set import Batch, FeatureSet, load_feature_set
from mafnet.train import make_model, make_recipe
from mafnet.train_config import TrainConfig
from weights.bundle_spec import SOUND_MAPS
from weights.devices import DEVICE_HELP, find_device

N_LABELS, D = 28, 1920
Rows = list[NDArray[np.int64]]


class Gathered(torch.utils.data.Dataset[Batch]):
    """A set whose items are whole batches, for torch's loader."""

    def __init__(self, features: FeatureSet, rows: Rows) -> None:
        self._features = features
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, k: int) -> Batch:
        return self._features.batch(self._rows[k])


def processes(features: FeatureSet, device: torch.device, n: int, rows: Rows) -> Iterator[Batch]:
    """Yield the same batches through torch's loader."""
    loader = DataLoader(
        Gathered(features, rows),
        batch_size=None,
        num_workers=n,
        collate_fn=lambda batch: batch,
        pin_memory=device.type == "cuda",
    )
    for batch in loader:
        yield batch.to(device)


def write_store(folder: Path, n_videos: int, n_clips: int, trunk: str) -> None:
    """Write random features of one split."""
    n_channels, n_times, n_mels = SOUND_MAPS[trunk]
    random = np.random.default_rng(0)
    shape = (n_videos, n_clips, n_times, n_mels, n_channels)
    audio = np.lib.format.open_memmap(
        folder / "train_audio.npy", mode="w+", dtype=np.float16, shape=shape
    )
    for row in range(n_videos):
        audio[row] = random.random(shape[1:], np.float32)
    audio.flush()
    visual = random.random((n_videos, n_clips, D), np.float32).astype(np.float16)
    np.save(folder / "train_visual.npy", visual)
    target = np.eye(N_LABELS, dtype=np.float32)[np.arange(n_videos) % N_LABELS]
    np.save(folder / "train_target.npy", target)
    manifest = {"labels": [f"label {k}" for k in range(N_LABELS)], "visual_trunk": "densenet201"}
    (folder / "features.json").write_text(json.dumps(manifest))


def main() -> None:
    """Print one line a way of feeding."""
    parser = argparse.ArgumentParser(description="bare training steps beside fed ones")
    parser.add_argument("--device", default="auto", help=DEVICE_HELP)
    parser.add_argument("--precision", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--recipe", choices=["authors", "modern"], default="modern")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--clips", type=int, default=10)
    parser.add_argument("--sound", choices=list(SOUND_MAPS), default="vggish")
    parser.add_argument("--videos", type=int, help="of the store (default: 4 batches)")
    parser.add_argument("--steps", type=int, default=4, help="of each way and round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    device = find_device(options.device)
    precision = options.precision or "float32"
    check_precision(device, precision)
    with tempfile.TemporaryDirectory(prefix="throughput-") as name:
        n_videos = options.videos or 4 * options.batch_size
        write_store(Path(name), n_videos, options.clips, options.sound)
        features = load_feature_set(Path(name), "train")
        _time(options, features, Compute(device=device, precision=precision))


def _time(options: argparse.Namespace, features: FeatureSet, compute: Compute) -> None:
    device = compute.device
    config = TrainConfig(recipe=options.recipe, batch_size=options.batch_size)
    model = make_model(features, config).to(device)
    model.filmed_block.shares_repeats = True
    recipe = make_recipe(model, config, 1_000, compute)
    random = np.random.default_rng(0)
    same = features.batch(np.arange(options.batch_size)).to(device)
    ways = {"bare step": lambda rows: [same] * len(rows)}
    for n in (0, 1, 2):
        threads = Compute(device=device, precision=compute.precision, n_workers=n)
        ways[f"batches of {n} threads"] = partial(load_batches, features, compute=threads)
    for n in (1, 2):
        ways[f"torch's loader, {n} processes"] = partial(processes, features, device, n)

    def seconds(batches: Iterable[Batch]) -> tuple[float, float]:
        began, busy, n_steps = time.perf_counter(), time.process_time(), 0
        for batch in batches:
            recipe.step(batch, random)  # returns the loss, so a GPU has ended the step
            n_steps += 1
        passed = time.perf_counter() - began
        return passed / n_steps, (time.process_time() - busy) / n_steps

    seconds([same])  # kernels are chosen, memory is there
    times: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(options.rounds):
        for way, feed in ways.items():
            order = random.permutation(len(features))
            drawn = np.resize(order, options.steps * options.batch_size)
            times[way].append(seconds(feed(np.split(drawn, options.steps))))
    told = torch.cuda.get_device_name() if device.type == "cuda" else device.type
    print(
        f"{told}, {torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"{compute.precision}, {options.recipe}, batches of {options.batch_size} × "
        f"{options.clips} clips, {options.sound}"
    )
    bare = median(passed for passed, _ in times["bare step"])
    print(f"{'':28} {'s a step':>9} {'processor':>9} {'samples/s':>10} {'of bare':>8}")
    for way, taken in times.items():
        each, busy = (median(column) for column in zip(*taken, strict=True))
        rate = options.batch_size / each
        print(f"{way:28} {each:9.3f} {busy:9.3f} {rate:10.1f} {bare / each:8.0%}", flush=True)


if __name__ == "__main__":
    main()
