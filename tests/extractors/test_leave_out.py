"""Leaving sources out: which files go, what a probe learns without them, what training reports."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from extractors.__main__ import main
from extractors.errors import DataSetError
from extractors.file_accuracy import files_right, right_by_source
from extractors.leave_out import LEFT_OUT, left_out_rows, without_sources
from extractors.linear_probe import fit_probe
from extractors.sound_corpus import SoundCorpus
from extractors.source_probe import Examples, leave_out_table, lines_of, one_source_table

LABELS = ("Bark", "Bark", "Bark", "Rain")
SOURCES = ("a", "b", "a", "a")
SPLITS = ("train", "train", "test", "train")


def corpus() -> SoundCorpus:
    n = len(LABELS)
    return SoundCorpus(
        samples=np.full(n * 16_000, 3000, dtype=np.int16),
        starts=np.arange(n + 1) * 16_000,
        labels=np.array([1, 1, 1, 2]),
        names=("Background", "Bark", "Rain"),
        sources=SOURCES,
        splits=SPLITS,
        groups=("g",) * n,
        levels=np.full(n, 0.09, dtype=np.float32),
    )


def test_files_of_a_source_go_when_another_has_their_label() -> None:
    assert left_out_rows(LABELS, SOURCES, SPLITS, ["a"]).tolist() == [True, False, True, False]
    assert without_sources(corpus(), ["a"]).splits == (LEFT_OUT, "train", LEFT_OUT, "train")
    assert without_sources(corpus(), []).splits == SPLITS


def test_a_source_that_cannot_be_left_out_is_one_sentence() -> None:
    with pytest.raises(DataSetError, match="no source 'c' to leave out: there are a, b"):
        left_out_rows(LABELS, SOURCES, SPLITS, ["c"])
    with pytest.raises(DataSetError, match="no other source has any"):
        left_out_rows(LABELS, SOURCES, SPLITS, ["a", "b"])


def test_unknown_source_ends_training_with_one_sentence_when_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sounds.csv").write_text("file,label,source,group,split\n")
    np.savez(
        tmp_path / "sounds.npz",
        samples=np.zeros(0, np.int16),
        starts=np.zeros(1, np.int64),
        levels=np.zeros(0, np.float32),
    )
    arguments = ["--data", str(tmp_path), "--to", str(tmp_path), "--cache", str(tmp_path)]

    code = main(["train-sound", *arguments, "--leave-out", "nowhere"])

    assert code == 1
    assert "error: no source 'nowhere' to leave out" in capsys.readouterr().err


class SaysBark(nn.Module):
    def forward(self, log_mel: Tensor) -> Tensor:
        return torch.tensor([[0.0, 1.0, 0.0]]).repeat(len(log_mel), 1)


def test_training_counts_what_is_named_right_of_what_was_left_out() -> None:
    without = without_sources(corpus(), ["a"])
    files = without.files(LEFT_OUT)
    figures = right_by_source(without, files, files_right(SaysBark(), without, files))
    assert figures == {"Bark, a": [2, 2]}


def test_files_named_right_are_counted_by_label_and_source() -> None:
    files = np.arange(len(LABELS))
    figures = right_by_source(corpus(), files, files_right(SaysBark(), corpus(), files))
    assert figures == {"Bark, a": [2, 2], "Bark, b": [1, 1], "Rain, a": [0, 1]}


def test_probe_separates_what_a_plane_separates_and_never_names_what_it_has_not_seen() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 200).astype(np.int64)
    features = rng.normal(size=(200, 3)).astype(np.float32)
    features[:, 1] += 8 * labels
    features[:, 2] = 5.0  # never changes

    answers = fit_probe(features, labels, n_labels=3).probabilities(features)

    assert (answers.argmax(axis=1) == labels).all()
    assert (answers[:, 2] == 0).all()
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)


def test_wrong_shapes_are_refused_when_a_probe_is_fitted() -> None:
    with pytest.raises(ValueError, match=r"features must be \(N, D\)"):
        fit_probe(np.zeros((2, 3), np.float32), np.zeros(3, np.int64), 2)


def examples() -> Examples:
    """Label x looks alike in both sources; label y in source a looks like x in source b."""
    rng = np.random.default_rng(1)
    centres = {("x", "a"): (0, 0), ("x", "b"): (0, 1), ("y", "a"): (0, 9), ("y", "b"): (9, 9)}
    rows = [
        (label, source, split)
        for label, source in centres
        for split in ("train", "test")
        for _ in range(20)
    ]
    vectors = [np.array(centres[row[:2]]) + rng.normal(0, 0.2, 2) for row in rows]
    # A third label at (9, 0) draws y away once source b is unknown.
    rows += [("z", "a", "train")] * 20
    vectors += [np.array((9, 5)) + rng.normal(0, 0.2, 2) for _ in range(20)]
    return Examples(
        vectors=np.array(vectors, dtype=np.float32),
        owners=np.arange(len(rows)),
        labels=tuple(row[0] for row in rows),
        sources=tuple(row[1] for row in rows),
        splits=tuple(row[2] for row in rows),
    )


def test_table_shows_a_label_that_does_not_outlive_its_source() -> None:
    table = leave_out_table(examples(), [("b",)])

    assert table["x, b"] == {"n": 20, "without": 20, "with": 20}
    assert table["y, b"]["with"] == 20
    assert table["y, b"]["without"] < 10
    assert any("all 40: " in line for line in lines_of({"pictures": table}))


def test_one_source_names_the_other_ones_files() -> None:
    table = one_source_table(examples(), ["a", "b"])
    assert table["a → x, b"] == {"n": 20, "right": 20}
    assert table["a → y, b"]["n"] == 20
    assert json.dumps(table)
