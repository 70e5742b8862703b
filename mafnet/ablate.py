"""What each part of the network is worth: trained without it, over seeds, on the same videos.

As the paper's section on ablations has it. Each variant and seed has a folder with its run and its
results, so an ablation that was stopped goes on, and `mafnet.compare` reads it.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mafnet.compare import Comparison, accuracy_interval, compare, read_seeds
from mafnet.compute import Compute
from mafnet.errors import MafnetError
from mafnet.feature_set import FeatureSet, Senses
from mafnet.fewer import fewer
from mafnet.load import load_model
from mafnet.results import write_results
from mafnet.test import examine
from mafnet.train import Watcher, train
from mafnet.train_config import TrainConfig
from weights.files import written_whole

_CPU = Compute()
WHOLE = "whole"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A network that lacks something.

    Attributes:
        settings: What of `TrainConfig` is otherwise.
        senses: Which senses it is trained and tested with.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    senses: Senses = "both"


VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        WHOLE: Variant(),
        "no-film": Variant(settings={"film": False}),
        "no-attention": Variant(settings={"attention": "none"}),
        "attention-per-sense": Variant(settings={"attention": "per_sense"}),
        "sound-alone": Variant(senses="sound"),
        "picture-alone": Variant(senses="picture"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AblationRow:
    """A variant's line in the table.

    Attributes:
        accuracy: Mean over the seeds, of the test split.
        interval: Its 95 % interval over videos and seeds.
        beside_whole: Compared with the whole network; None for itself, or where it was left out.
    """

    variant: str
    n_seeds: int
    accuracy: float
    interval: tuple[float, float]
    beside_whole: Comparison | None


def ablate(
    folder: Path,
    sets: Mapping[str, FeatureSet],
    variants: Sequence[str],
    config: TrainConfig,
    n_seeds: int,
    watch: Callable[[str, int], Watcher],
    compute: Compute = _CPU,
    per_label: int | None = None,
) -> list[AblationRow]:
    """Train and test every variant with every seed, and compare them.

    Args:
        folder: Gets `VARIANT/seed-K/` with a run and its results, and `ablation.csv`. What is
            there of the same settings is gone on with.
        sets: Features by split: train, val and test.
        variants: Of `VARIANTS`.
        config: Of every run; its seed is the first, the others follow.
        n_seeds: How many.
        watch: Makes who is told of a variant's run with a seed.
        compute: Where they run.
        per_label: Videos of each label to train and validate on, drawn by the run's seed; None
            for all.

    Raises:
        FeaturesError: The splits do not fit together.
        MafnetError: The folder holds runs of other settings, or cannot be written.
    """
    for name in variants:
        variant = VARIANTS[name]
        seen = {split: features.alone(variant.senses) for split, features in sets.items()}
        for seed in range(config.seed, config.seed + n_seeds):
            own = replace(config, seed=seed, **variant.settings)
            drawn = dict(seen)
            if per_label is not None:
                for split in ("train", "val"):
                    drawn[split] = fewer(seen[split], per_label, seed)
            _one(folder / name / f"seed-{seed}", drawn, own, watch(name, seed), compute)
    said = {name: read_seeds(folder / name) for name in variants}
    rows = [
        AblationRow(
            variant=name,
            n_seeds=len(own),
            accuracy=sum(float(each.right.mean()) for each in own) / len(own),
            interval=accuracy_interval(own),
            beside_whole=compare(said[WHOLE], own) if WHOLE in said and name != WHOLE else None,
        )
        for name, own in said.items()
    ]
    _write(folder / "ablation.csv", rows)
    return rows


def _one(
    folder: Path,
    sets: Mapping[str, FeatureSet],
    config: TrainConfig,
    watcher: Watcher,
    compute: Compute,
) -> None:
    run = folder / "run"
    begun = (run / "checkpoint.pt").exists()
    train(run, sets["train"], sets["val"], config, watcher, resume=begun, compute=compute)
    test = sets["test"]
    model = load_model(run / "best.safetensors").to(compute.device)
    result = examine(model, sets["train"].labels, test, compute)
    write_results(folder, result, test, str(folder))


def _write(path: Path, rows: Sequence[AblationRow]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["variant", "seeds", "accuracy", "low", "high", "difference", "low", "high"])
    for row in rows:
        beside = row.beside_whole
        more = [] if beside is None else [beside.difference, *beside.interval]
        writer.writerow([row.variant, row.n_seeds, row.accuracy, *row.interval, *more])
    try:
        with written_whole(path) as temporary:
            temporary.write_text(text.getvalue(), encoding="utf-8")
    except OSError as error:
        raise MafnetError(f"{path}: cannot be written ({error.strerror})") from error
