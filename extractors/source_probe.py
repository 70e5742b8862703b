"""Leave-one-source-out on frozen trunks: does a label outlive the source it was learned from?

Place in the flow: evaluation only. A linear probe learns all labels from the training split
without some sources' files (those of labels that another source has too) and names the test files
of what was left out; beside it stands the probe that learned from everything.

The sound trunk was itself trained on every source, so for sounds this is **leaky**: it flatters.
`train-sound --leave-out` trains the trunk without the source and does not leak. The picture trunk
learned from ImageNet and saw none of these sources.
"""

import csv
import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from extractors.efficientnet import EfficientNetLite0Trunk
from extractors.encoders import load_encoders
from extractors.errors import DataSetError, StoreError
from extractors.held_out_features import Report, begin, check_tables, pooled
from extractors.leave_out import left_out_rows
from extractors.linear_probe import fit_probe
from extractors.media import read_picture
from extractors.sound_corpus import load_corpus
from extractors.visual import load_visual_trunk
from weights.bundle import Bundle
from weights.files import written_whole

# One fold leaves out at most one source of a label.
SOUND_FOLDS = (
    ("esc10", "philharmonia"),
    ("urbansound8k", "dronedataset", "donateacry", "freesound30"),
    ("animalsound",),
)
PICTURE_FOLDS = (("instruments30",), ("caltech101",))
PICTURE_BATCH = 16


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Files as a probe sees them.

    Attributes:
        vectors: `(M, D)`, one or more a file.
        owners: File of each vector `(M,)`.
        labels: Name of each file; sources and splits likewise.
    """

    vectors: NDArray[np.float32]
    owners: NDArray[np.int64]
    labels: tuple[str, ...]
    sources: tuple[str, ...]
    splits: tuple[str, ...]


def leave_out_table(
    examples: Examples, folds: Sequence[Sequence[str]]
) -> dict[str, dict[str, int]]:
    """Count what is named right with and without its source in training.

    Args:
        examples: Training and test files.
        folds: Sources to leave out at once, one fold a training.

    Returns:
        By `label, source`: test files `n`, `without` (named right by the probe that learned
        nothing of the source) and `with` (by the one that learned everything).
    """
    everything = _named(examples, np.zeros(len(examples.labels), dtype=np.bool_))
    table: dict[str, dict[str, int]] = {}
    for sources in folds:
        gone = left_out_rows(examples.labels, examples.sources, examples.splits, sources)
        without = _named(examples, gone)
        for k in np.flatnonzero(gone & (np.array(examples.splits) == "test")):
            label, source = examples.labels[k], examples.sources[k]
            row = table.setdefault(f"{label}, {source}", {"n": 0, "without": 0, "with": 0})
            row["n"] += 1
            row["without"] += int(without[k] == label)
            row["with"] += int(everything[k] == label)
    return dict(sorted(table.items()))


def one_source_table(examples: Examples, sources: Sequence[str]) -> dict[str, dict[str, int]]:
    """Learn from one source alone, name the test files of its labels, its own and the others'.

    Args:
        examples: Training and test files.
        sources: Those to learn from one at a time, and to ask about.

    Returns:
        By `learned source → label, source`: test files `n`, and those named `right`.
    """
    table: dict[str, dict[str, int]] = {}
    origin = np.array(examples.sources)
    for source in sources:
        said = _named(examples, origin != source)
        known = {
            label
            for label, own, split in zip(
                examples.labels, examples.sources, examples.splits, strict=True
            )
            if own == source and split == "train"
        }
        for k, label in enumerate(examples.labels):
            other = examples.sources[k]
            if examples.splits[k] != "test" or label not in known or other not in sources:
                continue
            row = table.setdefault(f"{source} → {label}, {other}", {"n": 0, "right": 0})
            row["n"] += 1
            row["right"] += int(said[k] == label)
    return dict(sorted(table.items()))


def _named(examples: Examples, gone: NDArray[np.bool_]) -> list[str]:
    names = sorted(set(examples.labels))
    numbers = np.array([names.index(label) for label in examples.labels])
    learned = (np.array(examples.splits) == "train") & ~gone
    rows = learned[examples.owners]
    probe = fit_probe(
        examples.vectors[rows], numbers[examples.owners[rows]].astype(np.int64), len(names)
    )
    answers = probe.probabilities(examples.vectors)
    summed = np.zeros((len(names), len(examples.labels)), dtype=np.float32)
    np.add.at(summed.T, examples.owners, answers)
    return [names[k] for k in summed.argmax(axis=0)]


def sound_examples(bundle: Bundle, data: Path, cache: Path, to: Path, report: Report) -> Examples:
    """Pool what the sound trunk makes of training and test files."""
    corpus = load_corpus(data, cache)
    encoder = load_encoders(vggish=bundle.audio.weights).sound
    assert encoder is not None  # a path was given
    parts = [pooled(corpus, split, encoder, to, report) for split in ("train", "test")]
    files = np.concatenate([part.files for part in parts])
    return Examples(
        vectors=np.concatenate([part.vectors for part in parts]),
        owners=np.concatenate([parts[0].owners, parts[1].owners + len(parts[0].files)]),
        labels=tuple(corpus.names[corpus.labels[k]] for k in files),
        sources=tuple(corpus.sources[k] for k in files),
        splits=tuple(corpus.splits[k] for k in files),
    )


@torch.inference_mode()
def picture_examples(
    bundle: Bundle, data: Path, to: Path, report: Report
) -> tuple[Examples, Examples]:
    """Pool training and test pictures.

    Returns:
        The pooled features alone, and with the probabilities of the trunk's own 1000 ImageNet
        classes beside them.
    """
    with (data / "pictures.csv").open(newline="", encoding="utf-8-sig") as table:
        rows = [row for row in csv.DictReader(table) if row["split"] in ("train", "test")]
    trunk = load_visual_trunk(bundle.visual.trunk, bundle.visual.weights)
    if not isinstance(trunk, EfficientNetLite0Trunk):
        raise StoreError(f"the trunk {bundle.visual.trunk} has no classifier to ask for evidence")
    path = to / "pooled_pictures.npz"
    if not path.is_file():
        vectors = np.zeros((len(rows), trunk.dim), dtype=np.float32)
        for first in range(0, len(rows), PICTURE_BATCH):
            part = rows[first : first + PICTURE_BATCH]
            frames = np.stack(
                [trunk.transform.resize(read_picture(data / row["file"])) for row in part]
            )
            batch = trunk.transform.normalize(torch.from_numpy(frames))
            vectors[first : first + len(part)] = trunk(batch).numpy()
            report(first + len(part), len(rows), None)
        with written_whole(path) as temporary, temporary.open("wb") as file:
            np.savez(file, vectors=vectors)
    with np.load(path) as kept:
        vectors = kept["vectors"]
    classes = trunk.class_logits(torch.from_numpy(vectors)).softmax(dim=1).numpy()
    plain = Examples(
        vectors=vectors,
        owners=np.arange(len(rows)),
        labels=tuple(row["label"] for row in rows),
        sources=tuple(row["source"] for row in rows),
        splits=tuple(row["split"] for row in rows),
    )
    # The square root keeps small shares from vanishing beside the one class that is sure.
    evidence = np.concatenate([vectors, np.sqrt(classes)], axis=1)
    return plain, dataclasses.replace(plain, vectors=evidence)


def examine_sources(
    bundle: Bundle,
    data: Path,
    cache: Path,
    to: Path,
    leave_out: Sequence[str],
    report: Report,
) -> dict[str, Any]:
    """Make all tables and write `sources.json`.

    Args:
        bundle: Whose trunks.
        data: Folder of the tables.
        cache: Where decoded samples are kept.
        to: Folder for features and the result.
        leave_out: Sources of one fold; none means the built-in folds.
        report: Told what is done, out of how much, and a sentence or None.

    Raises:
        DataSetError: A table is missing, or a source cannot be left out.
    """
    check_tables(data)
    begin(to, bundle, data)
    report(0, 1, "sounds")
    sounds = sound_examples(bundle, data, cache, to, report)
    report(0, 1, "pictures")
    pictures, evidence = picture_examples(bundle, data, to, report)
    report(0, 1, "probes")
    known = {*sounds.sources, *pictures.sources}
    unknown = sorted(set(leave_out) - known)
    if unknown:
        raise DataSetError(
            f"no source {unknown[0]!r} to leave out: there are {', '.join(sorted(known))}"
        )

    def folds_of(of: Examples, built_in: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
        mine = sorted(set(leave_out) & set(of.sources))
        return (mine,) if mine else () if leave_out else built_in

    tables: dict[str, Any] = {
        "sounds (leaky: the trunk saw every source)": leave_out_table(
            sounds, folds_of(sounds, SOUND_FOLDS)
        ),
    }
    for name, of in (("pictures", pictures), ("pictures with class evidence", evidence)):
        tables[name] = leave_out_table(of, folds_of(of, PICTURE_FOLDS))
        if not leave_out:
            tables[f"{name}, one source alone"] = one_source_table(
                of, [source for (source,) in PICTURE_FOLDS]
            )
    with written_whole(to / "sources.json") as temporary:
        temporary.write_text(json.dumps(tables, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return tables


def lines_of(tables: dict[str, Any]) -> list[str]:
    """Put the tables into lines of text."""
    lines: list[str] = []
    tell: Callable[[str], None] = lines.append
    for title, rows in tables.items():
        tell(f"{title}: named right of the test files")
        for name, row in rows.items():
            shares = ", ".join(
                f"{key} {count} ({count / row['n']:.0%})"
                for key, count in row.items()
                if key != "n"
            )
            tell(f"  {name}: of {row['n']}: {shares}")
        totals = {
            key: sum(row[key] for row in rows.values()) for key in next(iter(rows.values()), {})
        }
        if totals:
            shares = ", ".join(
                f"{key} {n / totals['n']:.1%}" for key, n in totals.items() if key != "n"
            )
            tell(f"  all {totals['n']}: {shares}")
    return lines
