"""Several streams in one run: each as if alone, and one that fails leaves the others running."""

from __future__ import annotations

import io
import json
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from realtime.config import RunConfig, SourceConfig, WindowConfig
from realtime.errors import SourceError
from realtime.packets import SenseState
from realtime.pipeline import Pipeline

pytestmark = pytest.mark.timeout(300)


def demo(name: str) -> SourceConfig:
    return SourceConfig(name=name, kind="demo")


def make_config(bundle: Path, *sources: SourceConfig) -> RunConfig:
    return RunConfig(
        source=sources[0],
        more_sources=sources[1:],
        window=WindowConfig(hop_s=0.25, n_clips=3),
        publisher=None,
        bundle=str(bundle),
        backend="torch",
        precision="float32",
        events={"on": 0.05, "off": 0.01, "update_s": 0.05},
        duration_s=1.75,
    )


def run(config: RunConfig) -> tuple[Pipeline, dict[str, list[dict[str, Any]]]]:
    """Run to the end; return what was told of each source, without what differs in any run."""
    stream = io.StringIO()
    pipeline = Pipeline(config, json_stream=stream)
    pipeline.open()
    pipeline.start()
    while not pipeline.wait(5.0):
        pass
    assert pipeline.close() == []
    told: dict[str, list[dict[str, Any]]] = {}
    for line in stream.getvalue().splitlines():
        event = json.loads(line)
        same = ("phase", "label", "confidence", "score", "topic_seq", "senses", "window_clips")
        kept = {name: event[name] for name in same}
        kept["times"] = [m and m["t_s"] for m in (event["onset"], event["offset"])]
        told.setdefault(event["source"], []).append(kept)
    return pipeline, told


def test_streams_that_run_together_tell_what_each_tells_alone(random_bundle: Path) -> None:
    config = make_config(random_bundle, demo("a"))
    _, alone = run(config)
    pipeline, together = run(replace(config, more_sources=(demo("b"),)))

    assert len(alone["a"]) > 4
    assert set(together) == {"a", "b"}
    for events in together.values():
        for event, expected in zip(events, alone["a"], strict=True):
            # Batches of other sizes round otherwise; messages have four digits.
            for name in ("confidence", "score"):
                assert event.pop(name) == pytest.approx(expected[name], abs=2e-4)
            assert event == {k: v for k, v in expected.items() if k not in ("confidence", "score")}
    view = pipeline.view()
    assert [stream.stats.count("predictions") for stream in (view, *view.others)] == [4, 4]


@pytest.mark.parametrize("is_there", [False, True])
def test_others_run_to_their_end_when_one_source_cannot_be_opened(
    random_bundle: Path, tmp_path: Path, is_there: bool
) -> None:
    path = tmp_path / "gone.wav"
    if is_there:  # but without a sample
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
    missing = SourceConfig(name="gone", kind="media", media=str(path))
    pipeline, told = run(make_config(random_bundle, missing, demo("here")))

    pipeline.raise_failure()
    streams = {s.source: s for s in (pipeline.view(), *pipeline.view().others)}
    assert set(told) == {"here"}
    assert {sense.state for sense in streams["gone"].stream.senses} == {SenseState.LOST}
    assert streams["here"].stats.count("predictions") == 4


def test_run_fails_in_one_sentence_when_no_source_can_be_opened(
    random_bundle: Path, tmp_path: Path
) -> None:
    missing = [
        SourceConfig(name=name, kind="media", media=str(tmp_path / f"{name}.mp4"))
        for name in ("a", "b")
    ]

    with pytest.raises(SourceError, match=r"a\.mp4"):
        Pipeline(make_config(random_bundle, *missing)).open()
