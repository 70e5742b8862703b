"""Whole runs of the program on a file, recognition alone stood in for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quick_recognition import use_quick_recognition
from realtime.config import RunConfig, SourceConfig, WindowConfig
from realtime.outputs.base import DashboardSnapshot
from realtime.packets import Prediction
from realtime.pipeline import Pipeline


@dataclass
class QuickRun:
    """What a run told."""

    predictions: list[Prediction]
    view: DashboardSnapshot
    pipeline: Pipeline

    @property
    def end_s(self) -> float:
        return self.predictions[-1].end_t_ns / 1e9

    def count(self, name: str) -> int:
        return self.view.stats.count(name)


def run_file(path: Path, monkeypatch: Any, *, hop_s: float = 0.25, **source: Any) -> QuickRun:
    """Run the program on a file to its end; what failed is `run.pipeline.raise_failure`'s."""
    use_quick_recognition(monkeypatch)
    predictions: list[Prediction] = []
    config = RunConfig(
        source=SourceConfig(name="file", kind="media", media=str(path), **source),
        window=WindowConfig(hop_s=hop_s, n_clips=3),
        publisher=None,
        bundle="quick",
        backend="torch",
        precision="float32",
    )
    pipeline = Pipeline(config, observe=predictions.append)
    pipeline.open()
    try:
        pipeline.start()
        while not pipeline.wait(30.0):
            pass
    finally:
        survivors = pipeline.close()
    assert survivors == []
    return QuickRun(predictions, pipeline.view(), pipeline)
