import csv
import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from mafnet.__main__ import main
from mafnet.compare import Comparison, accuracy_interval, compare, mcnemar, read_seeds
from mafnet.errors import MafnetError
from mafnet.feature_set import FeatureSet
from mafnet.metrics import measure
from mafnet.results import Said, read_said, write_results
from mafnet.run_folder import write_settings
from mafnet.test import SENSES, Answers, Examination
from mafnet.train_config import TrainConfig

LABELS = ("Bark", "Cat", "Cough")


def _examination(seed: int, n: int = 40) -> tuple[Examination, FeatureSet]:
    random = np.random.default_rng(seed)
    target = np.arange(n) % 2  # no Cough
    logits = random.normal(size=(n, 3)).astype(np.float32)
    logits[np.arange(n), target] += 1
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    attention = np.full((n, 1, 2), 0.5, np.float32)
    answers = Answers(logits=logits, probabilities=probabilities, attention=attention)
    result = Examination(
        labels=LABELS,
        target=target,
        answers=dict.fromkeys(SENSES, answers),
        metrics=dict.fromkeys(SENSES, measure(probabilities, target)),
    )
    features = FeatureSet(
        labels=LABELS,
        visual=np.zeros((n, 1, 4), np.float32),
        audio=np.zeros((n, 1, 12, 8, 512), np.float16),
        target=target,
        present=None,
        names=tuple(f"video, {k}" for k in range(n)),
        visual_trunk="densenet201",
    )
    return result, features


def test_figures_are_those_of_scikit_learns_documentation() -> None:
    # average_precision_score of [0, 0, 1, 1] at [0.1, 0.4, 0.35, 0.8] is 0.83
    scores = np.array([0.1, 0.4, 0.35, 0.8], np.float32)
    metrics = measure(np.stack([1 - scores, scores], axis=1), np.array([0, 0, 1, 1]))
    assert metrics.average_precision[1] == pytest.approx(5 / 6)
    # f1_score of [0, 1, 2, 0, 1, 2] and [0, 2, 1, 0, 0, 1], macro, is 0.26…
    answers = np.eye(3, dtype=np.float32)[[0, 2, 1, 0, 0, 1]]
    assert measure(answers, np.array([0, 1, 2, 0, 1, 2])).macro_f1() == pytest.approx(0.8 / 3)


def test_scores_that_are_all_the_same_have_the_labels_share_as_average_precision() -> None:
    metrics = measure(np.full((8, 2), 0.5, np.float32), np.array([0, 1, 1, 1, 0, 1, 1, 1]))
    assert metrics.average_precision == pytest.approx([0.25, 0.75])


def test_labels_that_are_nowhere_count_in_no_mean() -> None:
    metrics = measure(np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]], np.float32), np.array([0, 1]))
    assert (metrics.macro_f1(), metrics.mean_average_precision()) == (1.0, 1.0)
    assert np.isnan(metrics.f1()[2])


def test_results_read_back_and_say_what_was_measured(tmp_path: Path) -> None:
    result, features = _examination(0)

    write_results(tmp_path, result, features, "a bundle on a test")

    figures = json.loads((tmp_path / "results.json").read_text())
    both = result.metrics["both"]
    assert figures["senses"]["both"]["accuracy"] == both.accuracy
    assert figures["senses"]["sound"]["map"] == both.mean_average_precision()
    assert figures["of_labels"][2] == {
        "label": "Cough", "n": 0, "recall": None, "precision": 0.0, "f1": 0.0,
        "average_precision": None,
    }  # fmt: skip
    with (tmp_path / "confusion.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert [list(map(int, row[1:])) for row in rows[1:]] == both.confusion.tolist()
    said = read_said(tmp_path)
    assert said.right.mean() == both.accuracy
    assert said.videos[1] == "video, 1 (Cat)"


def _said(name: str, *rights: list[int]) -> list[Said]:
    videos = tuple(f"v{k}" for k in range(len(rights[0])))
    return [Said(name=name, videos=videos, right=np.array(right, np.bool_)) for right in rights]


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [(0, 0, 1.0), (5, 5, 1.0), (0, 6, 0.03125), (1, 9, 0.021484375), (9, 1, 0.021484375)],
)
def test_mcnemars_test_is_the_exact_binomial(only_first: int, only_second: int, p: float) -> None:
    assert mcnemar(only_first, only_second) == pytest.approx(p)


def test_one_network_that_is_right_where_the_other_is_wrong() -> None:
    first = _said("a", [1] * 50 + [0] * 50)
    second = _said("b", [1] * 70 + [0] * 30)

    found = compare(first, second)

    assert found.difference == pytest.approx(0.2)
    assert 0.12 < found.interval[0] < 0.13  # 0.2 ± 1.96 · sqrt(0.2 · 0.8 / 100)
    assert 0.27 < found.interval[1] < 0.285
    assert (found.only_first, found.only_second) == ((0,), (20,))
    assert found.p_values[0] == pytest.approx(2 / 2**20)


def test_seeds_that_differ_widen_the_interval() -> None:
    random = np.random.default_rng(0)
    first = _said("a", *((random.random(200) < 0.5).astype(int).tolist() for _ in range(3)))
    alike = _said("b", *([[1] * 120 + [0] * 80] * 3))
    apart = _said("c", [1] * 200, [1] * 120 + [0] * 80, [1] * 40 + [0] * 160)

    narrow, wide = compare(first, alike), compare(first, apart)

    assert narrow.difference == pytest.approx(wide.difference)
    assert _width(wide) > 2 * _width(narrow)
    assert len(wide.p_values) == 3
    low, high = accuracy_interval(alike)
    assert low < 0.6 < high


def _width(found: Comparison) -> float:
    return found.interval[1] - found.interval[0]


def test_videos_are_paired_by_name_and_must_be_the_same() -> None:
    first = _said("a", [1, 0, 1])
    turned = [Said(name="b", videos=("v2", "v1", "v0"), right=np.array([True, False, True]))]
    assert compare(first, turned).only_second == (0,)
    other = [Said(name="b", videos=("v2", "v1", "w"), right=np.array([True, False, True]))]
    with pytest.raises(MafnetError, match=r"other videos were tested.*--split"):
        compare(first, other)


def test_compare_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(2):
        write_results(tmp_path / "many" / f"seed-{seed}", *_examination(seed), "")
    write_results(tmp_path / "one", *_examination(5), "")
    assert len(read_seeds(tmp_path / "many")) == 2

    assert main(["compare", str(tmp_path / "one"), str(tmp_path / "many")]) == 0
    out = capsys.readouterr().out
    assert "(2 seeds)" in out
    assert "paired bootstrap of 10000 draws" in out
    assert "McNemar, one and seed-0: " in out

    assert main(["compare", "--json", str(tmp_path / "one"), str(tmp_path / "one")]) == 0
    assert json.loads(capsys.readouterr().out)["p_values"] == [1.0]

    capsys.readouterr()
    assert main(["compare", str(tmp_path / "one"), str(tmp_path / "none")]) == 1
    assert "python -m mafnet test --results" in capsys.readouterr().err


def test_seeds_are_paired_as_their_runs_tell_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, names in ((one, ("seed-10", "seed-2")), (other, ("seed-2", "seed-3"))):
        for name in names:
            run = folder / name / "run"
            run.mkdir(parents=True)
            write_settings(run, asdict(TrainConfig(seed=int(name.removeprefix("seed-")))))
            write_results(folder / name, *_examination(0), "")

    assert main(["compare", str(one), str(other)]) == 0
    out = capsys.readouterr().out
    assert "McNemar pairs equal seeds" in out
    assert out.count("McNemar, ") == out.count("McNemar, seed-2: ") == 1

    (other / "seed-3" / "run" / "settings.json").unlink()
    assert main(["compare", str(one), str(other)]) == 0
    out = capsys.readouterr().out
    assert "McNemar pairs the folders in their order: no equal seeds are recorded" in out
    assert "McNemar, seed-10 and seed-2: " in out
    assert "McNemar, seed-2 and seed-3: " in out


def test_seeds_of_which_two_are_alike_are_not_paired_by_them() -> None:
    first = [replace(said, seed=0) for said in _said("a", [1, 0], [0, 1])]
    second = [replace(said, seed=seed) for seed, said in enumerate(_said("b", [1, 0], [0, 1]))]

    assert not compare(first, second).by_seed
    assert compare(first[:1], second).pairs == (("a", "b"),)


def test_seeds_that_were_trained_and_not_tested_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_results(tmp_path / "many" / "seed-0", *_examination(0), "")
    (tmp_path / "many" / "seed-1" / "run").mkdir(parents=True)
    (tmp_path / "many" / "notes").mkdir()
    many = str(tmp_path / "many")

    assert main(["compare", many, many]) == 0

    said = capsys.readouterr()
    assert "McNemar, seed-0: " in said.out
    assert said.err.splitlines() == [
        f"warning: {tmp_path / 'many' / 'seed-1'} was trained and not tested, so it is left out"
    ]


@pytest.mark.parametrize(
    "text", ["", "video,senses\nv,both\n", "video,senses,target,right\nv,both,a,yes\n"]
)
def test_predictions_of_another_form_are_one_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").write_text(text)
    with pytest.raises(MafnetError):
        read_said(tmp_path)
