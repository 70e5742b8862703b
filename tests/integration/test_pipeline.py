"""A run in this process, on the demo scene: where it ends, and what its outputs still get."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime.config import RunConfig, SourceConfig, WindowConfig
from realtime.errors import UsageError
from realtime.pipeline import Pipeline

pytestmark = pytest.mark.timeout(300)

DURATION_S = 2.0
N_DECISIONS = 5  # at 1 s, and each quarter of a second after it


class SlowReader(io.StringIO):
    """What is written stays stuck until `read_on` is set, as in a pipe that nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.read_on = threading.Event()

    def write(self, text: str) -> int:
        self.read_on.wait()
        return super().write(text)


@pytest.fixture
def reader() -> Iterator[SlowReader]:
    reader = SlowReader()
    yield reader
    reader.read_on.set()


def make_config(bundle: Path, **events: object) -> RunConfig:
    return RunConfig(
        source=SourceConfig(name="demo", kind="demo"),
        window=WindowConfig(hop_s=0.25, n_clips=3),
        publisher=None,
        bundle=str(bundle),
        precision="float32",
        events={"on": 0.05, "off": 0.01, "update_s": 0.05, **events},
        duration_s=DURATION_S,
    )


def start(pipeline: Pipeline) -> None:
    pipeline.open()
    pipeline.start()


def run_to_the_limit(pipeline: Pipeline) -> None:
    deadline = time.monotonic() + 120
    while pipeline.view().t_s < DURATION_S and time.monotonic() < deadline:
        pipeline.wait(0.05)


def test_run_ends_at_the_same_clip_every_time_when_its_duration_is_given(
    random_bundle: Path,
) -> None:
    pipeline = Pipeline(make_config(random_bundle))
    start(pipeline)
    while not pipeline.wait(5.0):
        pass
    survivors = pipeline.close()

    view = pipeline.view()

    assert survivors == []
    assert view.t_s == DURATION_S
    assert view.stats.count("predictions") == N_DECISIONS
    assert view.active == ()


def test_nothing_is_lost_when_the_reader_of_a_files_json_lines_is_slow(
    random_bundle: Path, reader: SlowReader
) -> None:
    pipeline = Pipeline(make_config(random_bundle), json_stream=reader)
    start(pipeline)
    run_to_the_limit(pipeline)

    ended_early = pipeline.wait(1.0)
    reader.read_on.set()
    while not pipeline.wait(5.0):
        pass
    survivors = pipeline.close()

    assert not ended_early
    assert survivors == []
    told = [json.loads(line) for line in reader.getvalue().splitlines()]
    assert [event["topic_seq"] for event in told] == list(range(1, len(told) + 1))
    assert {event["phase"] for event in told} == {"onset", "update", "offset"}


def test_close_does_not_wait_when_nobody_reads_the_json_lines(
    random_bundle: Path, reader: SlowReader
) -> None:
    pipeline = Pipeline(make_config(random_bundle), json_stream=reader)
    start(pipeline)
    run_to_the_limit(pipeline)

    started = time.monotonic()
    survivors = pipeline.close()

    assert survivors == ["log-json"]
    assert time.monotonic() - started < 10


def test_thresholds_are_refused_when_the_bundle_has_not_their_label(random_bundle: Path) -> None:
    with pytest.raises(UsageError, match="Whistle"):
        Pipeline(make_config(random_bundle, per_label={"Whistle": (0.5, 0.4)}))
