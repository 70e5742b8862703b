"""Faults of a whole run with all its threads: it goes on, or it ends and says why."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from extractors.decoding.file_packets import FilePackets
from quick_recognition import QuickRecognizer, use_quick_recognition
from realtime.config import PublisherConfig, RecordConfig, RunConfig, SourceConfig, WindowConfig
from realtime.errors import OutputError, SourceError
from realtime.outputs.recording.store import RecordStore
from realtime.packets import SenseState
from realtime.pipeline import Pipeline
from realtime.sources.demo import DemoReader

pytestmark = pytest.mark.timeout(300)

DURATION_S = 20.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    use_quick_recognition(monkeypatch, on=0.2, off=0.1)


def make_config(**changes: Any) -> RunConfig:
    return RunConfig(
        source=SourceConfig(name="demo", kind="demo"),
        window=WindowConfig(hop_s=0.25, n_clips=3),
        **{"publisher": None, "duration_s": DURATION_S, **changes},
    )


def run(config: RunConfig) -> tuple[Pipeline, list[dict[str, Any]]]:
    """Run to the end; return the pipeline, closed, and its event messages."""
    told = io.StringIO()
    pipeline = Pipeline(config, json_stream=told)
    pipeline.open()
    pipeline.start()
    while not pipeline.wait(5.0):
        pass
    assert pipeline.close(timeout_s=30.0) == []  # no thread stays
    names = {thread.name for thread in threading.enumerate()}
    assert not names & {"capture-video", "capture-audio", "recognize", "publish"}
    assert not any(name.startswith("record-") for name in names)
    events = [json.loads(line) for line in told.getvalue().splitlines()]
    assert [event["topic_seq"] for event in events] == list(range(1, len(events) + 1))
    return pipeline, events


def spans(events: list[dict[str, Any]]) -> list[tuple[str, float, float]]:
    return [
        (e["label"], e["onset"]["t_s"], e["offset"]["t_s"])
        for e in events
        if e["phase"] == "offset"
    ]


def test_run_ends_with_the_reason_when_a_step_of_the_model_raises(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = QuickRecognizer.step

    def failing(self: QuickRecognizer, clip: Any) -> Any:
        if clip.end_t_ns >= 9_000_000_000:
            raise RuntimeError("out of memory")
        return whole(self, clip)

    monkeypatch.setattr(QuickRecognizer, "step", failing)
    pipeline, events = run(make_config())

    with pytest.raises(RuntimeError, match="out of memory"):
        pipeline.raise_failure()
    phases = [event["phase"] for event in events if event["phase"] != "update"]
    assert phases.count("onset") == phases.count("offset") > 0  # none is left open


@pytest.mark.parametrize("error", [SourceError("unplugged"), ZeroDivisionError("a bug")])
@pytest.mark.parametrize("step", ["_step_sound", "_step_picture"])
def test_the_other_sense_goes_on_when_a_reader_fails(
    monkeypatch: pytest.MonkeyPatch, step: str, error: Exception
) -> None:
    whole: Callable[[DemoReader], bool] = getattr(DemoReader, step)

    def failing(self: DemoReader) -> bool:
        if self._count >= 100:
            raise error
        return whole(self)

    monkeypatch.setattr(DemoReader, step, failing)
    pipeline, _ = run(make_config())

    pipeline.raise_failure()  # no failure: one sense is left
    view = pipeline.view()
    lost = {s.sense.value: s.detail for s in view.stream.senses if s.state is SenseState.LOST}
    assert lost == {"sound" if step == "_step_sound" else "picture": str(error)}
    assert view.stream.t_s == DURATION_S


def test_run_ends_with_the_reason_when_both_readers_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    for step in ("_step_sound", "_step_picture"):
        whole: Callable[[DemoReader], bool] = getattr(DemoReader, step)

        def failing(self: DemoReader, whole: Callable[[DemoReader], bool] = whole) -> bool:
            if self._count >= 100:
                raise SourceError("the power is gone")
            return whole(self)

        monkeypatch.setattr(DemoReader, step, failing)
    pipeline, _ = run(make_config())

    with pytest.raises(SourceError, match="the power is gone"):
        pipeline.raise_failure()


def test_taken_port_ends_a_live_run_before_it_begins_and_names_the_port() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        config = make_config(publisher=PublisherConfig(bind=f"tcp://127.0.0.1:{port}"))
        pipeline = Pipeline(config)
        with pytest.raises(OutputError, match=f"{port} is taken"):
            pipeline.open()
    assert not [t for t in threading.enumerate() if t.name.startswith("capture")]


def test_no_event_is_lost_when_the_disk_fills_up_while_recording(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _, without = run(make_config())
    record = RecordConfig(directory=str(tmp_path / "a"), pre_roll_s=1.0, post_roll_s=1.0)
    roomy, with_room = run(make_config(record=record))
    n_asked = 0

    def fills_up(self: RecordStore, n_bytes: int = 0) -> bool:
        nonlocal n_asked
        n_asked += 1
        return not 40 <= n_asked < 400

    monkeypatch.setattr(RecordStore, "has_room", fills_up)
    record = replace(record, directory=str(tmp_path / "b"))
    full, with_a_full_disk = run(make_config(record=record))

    assert spans(without) == spans(with_room) == spans(with_a_full_disk) != []
    assert n_asked >= 40
    for pipeline in (roomy, full):
        pipeline.raise_failure()
    for folder in ("a", "b"):
        log = (tmp_path / folder / "events.jsonl").read_text().splitlines()
        assert spans([json.loads(line) for line in log]) == spans(without)
        for sidecar in (tmp_path / folder).rglob("*_*.json"):
            told = json.loads(sidecar.read_text())
            assert told["state"] in ("complete", "broken"), told["state"]
            if told["state"] == "complete":
                with av.open(str(sidecar.with_suffix(".mp4"))) as container:
                    assert sum(1 for _ in container.decode(audio=0)) > 0
    assert roomy.view().stats.count("lost_recordings") == 0
    n_whole = roomy.view().stats.count("recordings")
    stats = full.view().stats
    assert 0 < stats.count("recordings") + stats.count("lost_recordings") <= n_whole + 2


def write_film(path: Path) -> None:
    """Write 20 s: loud at 3 to 5 s and at 15 to 17 s; each packet stands for itself."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("mjpeg", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuvj420p"
        audio = container.add_stream("flac", rate=16_000, layout="mono")
        rng = np.random.default_rng(0)
        for k in range(200):
            frame = av.VideoFrame.from_ndarray(
                rng.integers(0, 60, (48, 64, 3), np.uint8), format="rgb24"
            )
            frame.pts = k
            container.mux(video.encode(frame))
            loud = 3 <= k / 10 < 5 or 15 <= k / 10 < 17
            samples = rng.normal(0, 9_000 if loud else 10, (1, 1600)).astype(np.int16)
            block = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            block.sample_rate, block.pts = 16_000, 1600 * k
            container.mux(audio.encode(block))
        for stream in (video, audio):
            container.mux(stream.encode(None))


def test_corrupt_packets_cost_their_own_span_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    film = tmp_path / "film.mkv"
    write_film(film)
    source = SourceConfig(name="film", kind="media", media=str(film))
    config = replace(make_config(duration_s=None), source=source)
    _, whole = run(config)
    n_corrupt = 0
    read = FilePackets.read

    def corrupting(self: FilePackets) -> Any:
        nonlocal n_corrupt
        found = read(self)
        if found is None:
            return None
        sense, packet = found
        seconds = 0.0 if packet.pts is None else float(packet.pts * packet.time_base)
        if not (8.0 <= seconds < 10.0 and packet.size):
            return found
        n_corrupt += 1
        broken = av.Packet(b"\xff" * packet.size)
        broken.stream, broken.pts, broken.dts = packet.stream, packet.pts, packet.dts
        broken.time_base = packet.time_base
        return sense, broken

    monkeypatch.setattr(FilePackets, "read", corrupting)
    pipeline, damaged = run(config)

    assert n_corrupt >= 20
    assert pipeline.view().stats.count("broken_packets") >= 0.9 * n_corrupt
    assert spans(damaged) == spans(whole) != []
