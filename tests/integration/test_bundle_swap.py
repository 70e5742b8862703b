"""Another bundle in a run that goes on: no decision is missing, an event keeps its number."""

from __future__ import annotations

import io
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from realtime.command_line.main import main
from realtime.config import RunConfig, SourceConfig, WindowConfig
from realtime.outputs.wire import Message
from realtime.packets import Prediction
from realtime.pipeline import Pipeline
from teaching.folder import TaughtFolder
from teaching.rows import Row, with_rows
from weights.bundle import load_bundle
from weights.bundle_spec import Lesson
from weights.tensor_files import load_tensors

pytestmark = pytest.mark.timeout(300)
SWAP_AT, MORE = 6, 8  # decisions before and after


def add_label(folder: TaughtFolder, label: str, *, logit: float = 6.0) -> None:
    """Put a bundle in use that always hears one label more."""
    before = load_bundle(folder.path)
    heard = np.zeros(1025, np.float32)
    heard[-1] = logit
    lesson = Lesson(label=label, denies=False, made="2026-12-01T00:00:00Z", origin="a test")
    rows = [Row(lesson=lesson, heard=heard)]
    folder.add(*with_rows(before, load_tensors(before.head.weights), rows, {}))


@pytest.fixture
def taught(classes_bundle: Path, tmp_path: Path) -> TaughtFolder:
    folder = TaughtFolder(tmp_path / "taught")
    folder.begin(load_bundle(classes_bundle))
    return folder


class Run:
    """A run on the demo scene that waits for another bundle in the middle."""

    def __init__(self, bundle: Path, swap: Callable[[], None]) -> None:
        self.predictions: list[Prediction] = []
        self.events: list[dict[str, Any]] = []
        self.statuses: list[dict[str, Any]] = []
        self._swap = swap
        config = RunConfig(
            source=SourceConfig(name="demo", kind="demo"),
            window=WindowConfig(hop_s=0.25, n_clips=3),
            publisher=None,
            bundle=str(bundle),
            backend="torch",
            precision="float32",
            duration_s=6.0,
        )
        self.pipeline = Pipeline(config, observe=self._observe, tell=self._take)
        self.pipeline.open()
        try:
            self.pipeline.start()
            while not self.pipeline.wait(30.0):
                pass
            self.pipeline.raise_failure()
        finally:
            assert self.pipeline.close() == []

    def _observe(self, prediction: Prediction) -> None:
        self.predictions.append(prediction)
        if len(self.predictions) == SWAP_AT:
            self._swap()
            self.pipeline.take_bundle()
            deadline = time.monotonic() + 60
            # What is loaded is taken between two decisions, so after this one.
            while not self._is_due() and time.monotonic() < deadline:
                time.sleep(0.01)

    def _is_due(self) -> bool:
        state = self.pipeline.bundle_state()
        scheduler = self.pipeline._scheduler
        assert scheduler is not None
        return bool(state.fault or scheduler._between)

    def _take(self, message: Message) -> None:
        kinds = {"event": self.events, "status": self.statuses}
        kinds.get(message.body["type"], []).append(message.body)  # type: ignore[call-overload]

    def ends(self) -> set[int]:
        """Return the times between two decisions, ns."""
        ends = [prediction.end_t_ns for prediction in self.predictions]
        return {later - earlier for earlier, later in itertools.pairwise(ends)}


def test_run_goes_on_with_a_label_more_and_its_events_keep_their_numbers(
    taught: TaughtFolder,
) -> None:
    run = Run(taught.path, lambda: add_label(taught, "Kettle"))

    assert len(run.predictions) >= SWAP_AT + MORE
    assert run.ends() == {250_000_000}
    n_labels = [len(prediction.newest) for prediction in run.predictions]
    assert n_labels == [3] * SWAP_AT + [4] * (len(n_labels) - SWAP_AT)
    told = [(event["phase"], event["label"], event["id"]) for event in run.events]
    onsets = [(label, number) for phase, label, number in told if phase == "onset"]
    assert [label for label, _ in onsets].count("Bark") == 1
    assert "Kettle" in [label for label, _ in onsets]
    assert {phase for phase, label, _ in told if label == "Bark"} >= {"onset", "offset"}
    assert len({number for _, label, number in told if label == "Bark"}) == 1
    assert run.statuses[-1]["labels"] == ["Bark", "Siren", "Speech", "Kettle"]
    assert any("is in use now" in status["detail"] for status in run.statuses)
    assert run.pipeline.view().run.labels[-1] == "Kettle"


def test_windows_go_on_over_the_swap_when_only_labels_were_added(taught: TaughtFolder) -> None:
    plain = Run(taught.path, lambda: None)

    swapped = Run(taught.path, lambda: add_label(taught, "Kettle"))

    for one, other in zip(plain.predictions, swapped.predictions, strict=True):
        np.testing.assert_allclose(one.window, other.window[:3], atol=1e-6)
        assert one.n_clips == other.n_clips


def test_run_keeps_its_bundle_and_says_why_when_the_new_one_is_damaged(
    taught: TaughtFolder,
) -> None:
    def damage() -> None:
        head = load_bundle(taught.path).head.weights
        head.write_bytes(head.read_bytes()[:-1] + b"?")

    run = Run(taught.path, damage)

    assert run.ends() == {250_000_000}
    assert {len(prediction.newest) for prediction in run.predictions} == {3}
    assert "sha256" in run.pipeline.bundle_state().fault


def test_run_keeps_its_bundle_when_the_new_one_has_another_trunk(taught: TaughtFolder) -> None:
    def other_trunk() -> None:
        manifest = taught.path / "bundle.json"
        told = json.loads(manifest.read_text())
        told["visual"]["grid_hz"] = 4
        manifest.write_text(json.dumps(told))

    run = Run(taught.path, other_trunk)

    assert {len(prediction.newest) for prediction in run.predictions} == {3}
    assert "another pictures a second" in run.pipeline.bundle_state().fault


def test_run_keeps_its_bundle_when_the_new_one_answers_no_number(taught: TaughtFolder) -> None:
    run = Run(taught.path, lambda: add_label(taught, "Kettle", logit=float("nan")))

    assert {len(prediction.newest) for prediction in run.predictions} == {3}
    assert "no number" in run.pipeline.bundle_state().fault


class Listener(io.StringIO):
    """Takes the lines of a run's events: one has another bundle made and asked for, one ends it."""

    def __init__(self, taught: TaughtFolder) -> None:
        super().__init__()
        self.labels: list[str] = []
        self._taught = taught

    def write(self, text: str) -> int:
        for line in text.splitlines():
            label = json.loads(line)["label"]
            if not self.labels:
                add_label(self._taught, "Kettle")
                os.kill(os.getpid(), signal.SIGUSR1)
            elif label == "Kettle" and label not in self.labels:
                os.kill(os.getpid(), signal.SIGTERM)
            self.labels.append(label)
        return len(text)


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="this system has no SIGUSR1")
def test_signal_has_the_bundle_read_anew(
    taught: TaughtFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listener(taught)
    monkeypatch.setattr(sys, "stdout", listener)
    flags = ["--source", "demo", "--pace", "--loop", "--bundle", str(taught.path)]
    flags += ["--backend", "torch", "--precision", "float32", "--hop", "1", "--window", "2"]

    code = main([*flags, "--log-json", "--no-publish"])

    assert code == 128 + signal.SIGTERM
    assert {"Bark", "Kettle"} <= set(listener.labels)
