"""The real clips' rules, taken from the tool that judges: `judge_clips.py` of the shared folder."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from research.streaming.replay import Scores, replay
from weights.bundle import Bundle


def load_judge(tool: Path) -> ModuleType:
    """Import the tool by its path."""
    spec = importlib.util.spec_from_file_location("judge_clips", tool)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def judged(
    judge: ModuleType, clips: Path, scores: Mapping[str, Scores], bundle: Bundle
) -> dict[str, Any]:
    """Track each clip's scores and score the events.

    Args:
        judge: From `load_judge`.
        clips: The table.
        scores: By the clip's stem.
        bundle: Labels and settings.
    """
    results = []
    for name, (labels, also) in judge.table(clips).items():
        events = [
            {"label": event.label, "confidence": event.confidence}
            for event in replay(scores[Path(name).stem], bundle)
        ]
        result = {"name": name, "labels": sorted(labels), "also": sorted(also), "events": events}
        results.append(result)
    found: dict[str, Any] = judge.score(results, set(bundle.labels))
    return {**found, "results": results}
