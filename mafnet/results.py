"""A test's results as files that a program reads: numbers, confusions, what was said of each video.

`results.json` holds the figures by the senses that were there, `confusion.csv` the counts with both
senses, `predictions.csv` every answer. `mafnet.compare` reads the last one back.
"""

import csv
import io
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mafnet.errors import MafnetError
from mafnet.feature_set import FeatureSet, Senses
from mafnet.metrics import Metrics
from mafnet.run_folder import recorded_seed
from mafnet.test import SENSES, Examination
from weights.files import written_whole

FORMAT = 1
PREDICTIONS = "predictions.csv"
_FACTS = ("video", "senses", "target", "said", "right")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one network said of each video of a test.

    Attributes:
        name: What the network is called in a comparison.
        videos: Their names.
        right: `(N,)`, whether each was named rightly.
        seed: Of its training, where the run beside the results tells it.
    """

    name: str
    videos: tuple[str, ...]
    right: NDArray[np.bool_]
    seed: int | None = None


def write_results(folder: Path, result: Examination, features: FeatureSet, title: str) -> None:
    """Write `results.json`, `confusion.csv` and `predictions.csv`.

    Args:
        folder: Where to; made if it is not there.
        result: The test.
        features: What was tested.
        title: Weights and data in one line.

    Raises:
        MafnetError: The folder cannot be written.
    """
    both = result.metrics["both"]
    figures = {
        "format": FORMAT,
        "title": title,
        "labels": list(result.labels),
        "senses": {senses: _figures(result.metrics[senses]) for senses in SENSES},
        "of_labels": _of_labels(result.labels, both),
    }
    confusion = [["there \\ said", *result.labels]]
    confusion += [
        [label, *map(str, row)] for label, row in zip(result.labels, both.confusion, strict=True)
    ]
    texts = {
        "results.json": json.dumps(figures, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        "confusion.csv": _csv(confusion),
        PREDICTIONS: _csv(_predictions(result, features)),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            with written_whole(folder / name) as temporary:
                temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise MafnetError(f"{folder}: cannot be written ({error.strerror})") from error


def read_said(folder: Path, senses: Senses = "both") -> Said:
    """Read what `write_results` wrote of each video.

    Raises:
        MafnetError: It is not there or not of this form.
    """
    path = folder / PREDICTIONS
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["senses"] == senses]
        right = np.array([{"0": False, "1": True}[row["right"]] for row in rows], np.bool_)
        videos = tuple(f"{row['video']} ({row['target']})" for row in rows)
    except OSError as error:
        raise MafnetError(
            f"{path}: cannot be read ({error.strerror}): write it with "
            "`python -m mafnet test --results`"
        ) from error
    except (KeyError, ValueError, csv.Error) as error:
        raise MafnetError(f"{path}: not the answers of a test") from error
    if not videos or len(set(videos)) < len(videos):
        raise MafnetError(f"{path}: each video must be there once with {senses} senses")
    seed = recorded_seed(folder / "run")
    return Said(name=folder.name, videos=videos, right=right, seed=seed)


def _figures(metrics: Metrics) -> dict[str, Any]:
    return {
        "n": metrics.n,
        "accuracy": metrics.accuracy,
        "accuracy_interval": list(metrics.interval),
        "macro_f1": metrics.macro_f1(),
        "map": metrics.mean_average_precision(),
        "loss": metrics.loss,
        "ece": metrics.ece,
    }


def _of_labels(labels: tuple[str, ...], metrics: Metrics) -> list[dict[str, Any]]:
    columns = {
        "n": metrics.n_of_labels,
        "recall": metrics.recall(),
        "precision": metrics.precision(),
        "f1": metrics.f1(),
        "average_precision": metrics.average_precision,
    }
    return [
        {"label": label, **{name: _number(column[k]) for name, column in columns.items()}}
        for k, label in enumerate(labels)
    ]


def _number(value: Any) -> int | float | None:
    number: int | float = value.item()
    return None if math.isnan(number) else number


def _predictions(result: Examination, features: FeatureSet) -> Iterable[list[str]]:
    yield [*_FACTS, *result.labels]
    for senses in SENSES:
        probabilities = result.answers[senses].probabilities
        said = probabilities.argmax(axis=1)
        for row, name in enumerate(features.names):
            there, answer = result.right(row), result.labels[said[row]]
            facts = [name, senses, "|".join(there), answer]
            right = str(int(answer in there))
            yield [*facts, right, *(f"{value:.6g}" for value in probabilities[row])]


def _csv(rows: Iterable[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
