"""The test of whole files and composed windows, on made-up features and a head that is a rule."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import Tensor

from mafnet.__main__ import main
from mafnet.compose import FeatureBank
from mafnet.composed_test import CASES, composed, has_both_senses, whole_files
from mafnet.model import ClipCodes, Decision

LABELS = ("Background", "Bark", "Siren")
MAP = (512, 12, 8)


class RuleHead:
    """Names the label whose number is the largest value it is shown; a picture counts double."""

    config = SimpleNamespace(visual_dim=4)

    def __call__(self, visual: Tensor, audio: Tensor, present: Tensor) -> SimpleNamespace:
        assert not present[..., 0].any()  # no picture
        heard = (audio[..., 0, 0, 0] * present[..., 1]).amax(dim=1)
        return SimpleNamespace(logits=torch.nn.functional.one_hot(heard.long(), 3).float())

    def encode_clips(self, visual: Tensor, audio: Tensor, present: Tensor) -> ClipCodes:
        seen, heard = visual[:, 0] * present[:, 0] * 2, audio[:, 0, 0, 0] * present[:, 1]
        vectors = torch.stack([seen, heard], dim=1)[..., None].repeat(1, 1, 512)
        unused = torch.zeros(len(visual), 512)
        return ClipCodes(vectors, torch.zeros(len(visual), 2), unused, unused)

    def decide(self, vectors: Tensor, scores: Tensor, present: Tensor) -> Decision:
        best = (vectors[..., 0] * present).amax(dim=(1, 2)).round().long().clamp(0, 2)
        logits = torch.nn.functional.one_hot(best, 3).float()
        return Decision(logits, logits, scores, logits)


def write_files(folder: Path) -> None:
    names = ["Air conditioner", "Background", "Bark", "Children playing", "Siren"]
    labels, owners, values = [0, 2, 3, 4, 2], [0, 1, 1, 1, 2, 3, 4], [0, 0, 1, 0, 1, 2, 2]
    maps = np.zeros((len(owners), *MAP), np.float16)
    maps[:, 0, 0, 0] = values  # the file's label, but for the last one's
    np.save(folder / "files_test.npy", maps)
    about = {"names": names, "labels": labels, "owners": owners}
    (folder / "files_test.json").write_text(json.dumps(about))


def test_whole_files_are_named_by_sound_alone(tmp_path: Path) -> None:
    write_files(tmp_path)

    figures = whole_files(RuleHead(), LABELS, tmp_path)  # type: ignore[arg-type]  # a stand-in

    # Air conditioner as Background, Bark and Siren are right; the head has no Children playing,
    # and the last Bark is called Siren.
    assert figures["all"]["n"] == 5
    assert figures["all"]["right"] == 0.6
    assert figures["all"]["n_labels"] == 4
    assert figures["the head's labels"]["n"] == 4
    assert figures["the head's labels"]["right"] == 0.75
    assert figures["per_label"]["Bark"]["right"] == 0.5
    assert figures["all"]["low"] < 0.6 < figures["all"]["high"]


@pytest.fixture
def bank() -> FeatureBank:
    maps = np.zeros((6, *MAP), np.float16)
    maps[:, 0, 0, 0] = [0, 0, 1, 1, 2, 2]
    bark = np.zeros((2, 1, 4), np.float16)
    bark[..., 0] = 0.5  # doubled: Bark's number
    return FeatureBank(
        labels=LABELS,
        background="Background",
        maps=maps,
        rows={name: np.array([2 * k, 2 * k + 1]) for k, name in enumerate(LABELS)},
        pictures={"Bark": [bark]},
        unrelated=[np.zeros((2, 1, 4), np.float16)],
        silent=frozenset(),
    )


def test_windows_are_counted_over_all_and_over_labels_with_both_senses(bank: FeatureBank) -> None:
    told: list[int] = []

    sound = composed(RuleHead(), bank, CASES["sound only"], 4, 120, told.append)  # type: ignore[arg-type]  # a stand-in
    both = composed(RuleHead(), bank, CASES["both"], 1, 200)  # type: ignore[arg-type]  # a stand-in

    assert sound["all"] == {
        "n": 120,
        "right": 1.0,
        "low": pytest.approx(0.969, abs=1e-3),
        "high": 1.0,
    }
    assert 0 < sound["labels with both senses"]["n"] < 120 - sound["Background"]["n"]
    assert told[-1] == 120
    assert both["Background"]["right"] < 1.0  # a silent Bark that is seen misleads this rule
    assert both["labels with both senses"]["right"] == 1.0
    assert has_both_senses(bank, "Bark")
    assert not has_both_senses(bank, "Siren")


def test_pictures_of_another_label_are_in_both_and_not_in_heard_and_seen(bank: FeatureBank) -> None:
    siren = np.zeros((2, 1, 4), np.float16)
    siren[..., 0] = 1.0
    bank = dataclasses.replace(bank, pictures={**bank.pictures, "Siren": [siren]})

    both = composed(RuleHead(), bank, CASES["both"], 1, 200)  # type: ignore[arg-type]  # a stand-in
    agreeing = composed(RuleHead(), bank, CASES["heard and seen"], 1, 200)  # type: ignore[arg-type]  # a stand-in

    assert both["labels with both senses"]["right"] < 1.0  # a Bark that shows a Siren
    assert agreeing["labels with both senses"]["right"] == 1.0


def test_data_goes_with_a_bundle_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["test", "--data", str(tmp_path), "--weights", "x.safetensors"])
    assert ended.value.code == 2
    assert "--data goes with --bundle" in capsys.readouterr().err
