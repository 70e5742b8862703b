"""A taught folder: what is put in use, what undo gives back, what is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from mafnet.load import load_head
from teaching.errors import TeachError
from teaching.folder import TaughtFolder
from teaching.rows import Row, with_rows
from weights.bundle import Bundle, load_bundle
from weights.bundle_spec import Lesson
from weights.errors import BundleError
from weights.tensor_files import load_tensors

STARTER = load_bundle("starter")


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> TaughtFolder:
    folder = TaughtFolder(tmp_path_factory.mktemp("teaching") / "taught")
    folder.begin(STARTER)
    return folder


def teach(folder: TaughtFolder, label: str, *, denies: bool = False) -> Bundle:
    bundle = load_bundle(folder.path)
    heard = np.linspace(0, 1, 1025).astype(np.float32)
    lesson = Lesson(label=label, denies=denies, made="2026-12-01T00:00:00Z", origin="a test")
    row = Row(lesson=lesson, heard=heard)
    return folder.add(*with_rows(bundle, load_tensors(bundle.head.weights), [row], {}))


def test_label_is_added_old_numbers_stay_to_the_bit_and_undo_gives_all_back(
    before: TaughtFolder,
) -> None:
    plain = (before.path / "bundle.json").read_bytes()

    taught = teach(before, "Kettle")
    twice = teach(before, "Siren", denies=True)

    assert taught.labels == (*STARTER.labels, "Kettle")
    assert twice.labels == taught.labels
    assert twice.head.evidence is not None
    assert [(each.label, each.denies) for each in twice.head.evidence.lessons] == [
        ("Kettle", False),
        ("Siren", True),
    ]
    old, new = load_tensors(STARTER.head.weights), load_tensors(twice.head.weights)
    for name, value in old.items():
        assert torch.equal(new[name][: len(value)], value), name
    model = load_head(twice)
    generator = torch.Generator().manual_seed(0)
    visual, audio = (
        torch.rand(2, 3, *shape, generator=generator) for shape in ((1280,), (1024, 3, 2))
    )
    logits = model(visual, audio).logits
    others = [k for k, label in enumerate(STARTER.labels) if label != "Siren"]
    torch.testing.assert_close(
        logits[:, others], load_head(STARTER)(visual, audio).logits[:, others], rtol=0, atol=1e-5
    )
    assert before.n_steps() == 2
    assert before.undo().labels == taught.labels
    assert before.undo().labels == STARTER.labels
    assert (before.path / "bundle.json").read_bytes() == plain
    assert len(list(before.path.glob("head-*"))) == 1
    with pytest.raises(TeachError, match="nothing was taught"):
        before.undo()


def test_bundle_of_somebody_is_not_taught_into(tmp_path: Path) -> None:
    for name in ("bundle.json", "audio.safetensors", "head.safetensors"):
        (tmp_path / name).write_bytes((STARTER.path / name).read_bytes())

    with pytest.raises(TeachError, match="was not made by teaching"):
        TaughtFolder(tmp_path).begin(STARTER)


def test_folder_is_taught_from_one_bundle_alone(before: TaughtFolder) -> None:
    with pytest.raises(TeachError, match="name another folder"):
        before.begin(dataclasses.replace(STARTER, name="other"))


@pytest.mark.parametrize(
    "lessons",
    [
        [],
        "Kettle",
        [{"label": "Kettle"}],
        [{"label": "Nobody", "denies": False, "made": "x", "origin": "y"}],
        [{"label": "Kettle", "denies": 1, "made": "x", "origin": "y"}],
        [{"label": "Kettle", "denies": True, "made": "x", "origin": "y"}],
        [{"label": "Kettle", "denies": False, "made": "x" * 301, "origin": "y"}],
        [{"label": "Kettle", "denies": False, "made": "x", "origin": "y", "more": 1}],
    ],
)
def test_manifest_that_says_nonsense_of_lessons_is_one_sentence(
    before: TaughtFolder, lessons: object
) -> None:
    teach(before, "Kettle")
    manifest = before.path / "bundle.json"
    try:
        told = json.loads(manifest.read_text("utf-8"))
        told["head"]["evidence"]["taught"] = lessons
        manifest.write_text(json.dumps(told), encoding="utf-8")
        with pytest.raises(BundleError):
            load_bundle(before.path)
    finally:
        before.undo()
