"""Trains the authors' recipe and the modern one on the same features, several seeds each.

    python -m benchmarks.side_by_side --tables sounds.csv pictures.csv --to DIR

Sounds and pictures of a label are paired (`extractors extract --pair`) into windows of T = 10
clips. Both recipes get the same windows, batches of 32, the same seeds and at most the same
number of epochs; the authors' also keeps its patience of 50. A step of that size costs seconds on
a CPU (a 3×3 convolution over 320 maps; looped sounds repeat theirs, and a repeated one is
convolved once), so the set is small and the epochs are few: the recipes are compared on a small
set, neither at its best.

Everything can be stopped at any time (Ctrl-C) and goes on with the same command: a window's
features, an epoch, a seed are done once. `DIR/side_by_side.json` and `.md` are written anew after
each seed. Means come with the 95 % interval of Student's t over the seeds; the difference of the
recipes is taken seed by seed. Needs the packages of the extra `dev` (scipy).
"""

import argparse
import itertools
import json
import math
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats

from extractors.datasets import read_tables
from extractors.encoders import load_encoders
from extractors.errors import ExtractorError
from extractors.extract import ExtractConfig, extract
from extractors.progress import ExtractProgress
from extractors.splits import SPLITS
from extractors.subset import subset
from mafnet.errors import MafnetError
from mafnet.feature_set import FeatureSet, load_feature_set
from mafnet.load import load_model
from mafnet.run_folder import EpochRow, RunState
from mafnet.test import SENSES, examine
from mafnet.train import train
from mafnet.train_config import RecipeName, TrainConfig
from weights.errors import WeightsError
from weights.files import written_whole

N_CLIPS = 10  # the paper's T
RECIPES: tuple[RecipeName, ...] = ("authors", "modern")
AUTHORS_PATIENCE = 50
# Labels that have both sounds and pictures in the project's data, near and far ones mixed.
LABELS = (
    "Acoustic guitar", "Banjo", "Bark", "Bird", "Cat", "Clarinet", "Drum", "Flute", "Gunshot",
    "Helicopter", "Saxophone", "Trombone",
)  # fmt: skip
FIGURES = (
    ("accuracy, both senses", "accuracy_both", "{:.1%}"),
    ("accuracy, sound only", "accuracy_sound", "{:.1%}"),
    ("accuracy, picture only", "accuracy_picture", "{:.1%}"),
    ("cross-entropy, both", "loss_both", "{:.3f}"),
    ("ECE, both", "ece_both", "{:.3f}"),
    ("best validation accuracy", "val_accuracy", "{:.1%}"),
    ("epochs run", "n_epochs", "{:.1f}"),
    ("seconds an epoch", "epoch_s", "{:.1f}"),
)


class _Lines:
    """One line an epoch, so that a log of a run in the background tells how far it is."""

    def __init__(self, title: str, n_epochs: int) -> None:
        self._title = title
        self._n_epochs = n_epochs

    def on_step(self, epoch: int, step: int, n_steps: int) -> None:
        pass

    def on_epoch(self, row: EpochRow, state: RunState) -> None:
        print(
            f"{self._title}: epoch {row.epoch + 1} of at most {self._n_epochs}, "
            f"loss {row.train_loss:.3f}, validation {row.val_accuracy:.1%}, {row.seconds:.0f} s",
            flush=True,
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing and print the table; returns the exit code."""
    options = _parser().parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        return _compare(options)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130
    except (ExtractorError, MafnetError, WeightsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: cannot write {options.to} ({error.strerror or error})", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--tables", type=Path, nargs="+", metavar="CSV", help="sounds, pictures")
    source.add_argument("--features", type=Path, metavar="DIR", help="features that are there")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR")
    parser.add_argument("--labels", nargs="+", default=LABELS, help="with --tables")
    parser.add_argument(
        "--per-label",
        type=_count,
        nargs=3,
        metavar=("TRAIN", "VAL", "TEST"),
        default=(16, 8, 12),
        help="windows of a label in each split, at most (default: 16 8 12)",
    )
    parser.add_argument("--seeds", type=_count, default=5, help="seeds a recipe (default: 5)")
    parser.add_argument("--epochs", type=_count, default=60, help="at most (default: 60)")
    parser.add_argument("--batch-size", type=_count, default=32, help="default: the authors' 32")
    parser.add_argument("--threads", type=_count, help="torch's (default: its own choice)")
    return parser


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 is wanted, got {text!r}")
    return int(text)


def _compare(options: argparse.Namespace) -> int:
    features = options.features or _features(options)
    sets = {split: load_feature_set(features, split) for split in ("train", "val", "test")}
    settings = {
        "labels": list(sets["train"].labels),
        "n_windows": {split: len(content) for split, content in sets.items()},
        "n_clips": int(sets["train"].visual.shape[1]),
        "batch_size": options.batch_size,
        "n_epochs_at_most": options.epochs,
        "patience": {"authors": AUTHORS_PATIENCE, "modern": None},
        "trunks": dict(sets["train"].trunk_hashes),
    }
    _hold_to(options.to / "settings.json", settings)
    results: dict[str, list[dict[str, Any]]] = {recipe: [] for recipe in RECIPES}
    for seed in range(options.seeds):  # seed by seed, so that a part of it compares both too
        for recipe in RECIPES:
            config = TrainConfig(
                recipe=recipe,
                n_epochs=options.epochs,
                batch_size=options.batch_size,
                patience=AUTHORS_PATIENCE if recipe == "authors" else options.epochs,
                seed=seed,
            )
            results[recipe].append(_result(options.to, config, sets))
            _write_tables(options.to, settings, results)
    print((options.to / "side_by_side.md").read_text(encoding="utf-8"), end="")
    return 0


def _features(options: argparse.Namespace) -> Path:
    to: Path = options.to / "features"
    data = subset(read_tables(options.tables), options.labels)
    parts = [
        subset(replace(data, items=tuple(i for i in data.items if i.split == split)), (), n).items
        for split, n in zip(SPLITS, options.per_label, strict=True)
    ]
    data = replace(data, items=tuple(itertools.chain(*parts)))
    encoders = load_encoders(bundle="starter", device="cpu")
    config = ExtractConfig(n_clips=N_CLIPS, half=True, pair=True)
    with ExtractProgress() as progress:
        extract(data, encoders, to, config, progress.report)
    return to


def _hold_to(path: Path, settings: dict[str, Any]) -> None:
    if path.is_file():
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise MafnetError(f"{path}: not readable: choose another folder") from error
        if there != settings:
            raise MafnetError(
                f"{path.parent} holds results of other settings or features: give the same, "
                "or choose another folder"
            )
        return
    _write_json(path, settings)


def _result(to: Path, config: TrainConfig, sets: dict[str, FeatureSet]) -> dict[str, Any]:
    name = f"{config.recipe}-{config.seed}"
    path, run = to / "results" / f"{name}.json", to / "runs" / name
    if path.is_file():
        result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return result
    watcher, resume = _Lines(name, config.n_epochs), (run / "checkpoint.pt").is_file()
    state = train(run, sets["train"], sets["val"], config, watcher, resume=resume)
    model = load_model(run / "best.safetensors")
    examined = examine(model, sets["train"].labels, sets["test"])
    result = {
        "recipe": config.recipe,
        "seed": config.seed,
        "n_epochs": state.epoch,
        "best_epoch": state.best_epoch,
        "val_accuracy": state.bar,
        "epoch_s": float(np.median([row.seconds for row in state.rows])),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "rows": [asdict(row) for row in state.rows],
    }
    for senses in SENSES:
        metrics = examined.metrics[senses]
        result[f"accuracy_{senses}"] = metrics.accuracy
        result[f"loss_{senses}"] = metrics.loss
        result[f"ece_{senses}"] = metrics.ece
    _write_json(path, result)
    shutil.rmtree(run)  # its state weighs a hundred times its result
    return result


def _write_tables(
    to: Path, settings: dict[str, Any], results: dict[str, list[dict[str, Any]]]
) -> None:
    summary: dict[str, Any] = {}
    lines = [
        f"{len(settings['labels'])} labels, windows of {settings['n_clips']} clips: "
        + ", ".join(f"{split} {n}" for split, n in settings["n_windows"].items())
        + f"; batches of {settings['batch_size']}, at most {settings['n_epochs_at_most']} epochs.",
        "",
        "| on the test split | "
        + " | ".join(f"{recipe} ({len(results[recipe])} seeds)" for recipe in RECIPES)
        + " | modern − authors |",
        "|---|" + "---|" * (len(RECIPES) + 1),
    ]
    for title, key, shape in FIGURES:
        values = {recipe: [float(r[key]) for r in results[recipe]] for recipe in RECIPES}
        n_pairs = min(len(of_recipe) for of_recipe in values.values())
        values["difference"] = [values["modern"][k] - values["authors"][k] for k in range(n_pairs)]
        summary[key] = {name: _mean_and_interval(many) for name, many in values.items()}
        cells = [_told(summary[key][name], shape) for name in values]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    lines += ["", "Mean over the seeds and its 95 % interval (Student's t)."]
    content = {"settings": settings, "summary": summary, "results": results}
    _write_json(to / "side_by_side.json", content)
    with written_whole(to / "side_by_side.md") as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _mean_and_interval(values: Sequence[float]) -> dict[str, float | None]:
    if not values:
        return {"mean": None, "low": None, "high": None}
    mean = float(np.mean(values))
    if len(values) < 2:  # one seed tells nothing about the next
        return {"mean": mean, "low": None, "high": None}
    spread = float(np.std(values, ddof=1)) / math.sqrt(len(values))
    half = float(stats.t.ppf(0.975, len(values) - 1)) * spread
    return {"mean": mean, "low": mean - half, "high": mean + half}


def _told(figure: dict[str, float | None], shape: str) -> str:
    if figure["mean"] is None:
        return "–"
    text = shape.format(figure["mean"])
    if figure["low"] is None or figure["high"] is None:
        return text
    return f"{text} ({shape.format(figure['low'])} to {shape.format(figure['high'])})"


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with written_whole(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
