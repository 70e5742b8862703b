"""What is not there when a run starts is looked for, and nothing is told that nobody asked for."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import pytest
from device_fakes import wait_for
from web_server import WebServer, serving

from realtime.av_offset.calibrate import calibrate
from realtime.av_offset.offsets import Offsets
from realtime.clock import MonotonicClock
from realtime.config import RunConfig, SourceConfig
from realtime.errors import SourceError, UsageError
from realtime.packets import Sense, SenseState
from realtime.pipeline import Pipeline
from realtime.sources.factory import open_readers
from realtime.sources.opened import OpenedSource
from realtime.threads.worker import Worker
from source_builders import Stream, make_stream, write_media

pytestmark = pytest.mark.timeout(120)

NO_MICROPHONE = "no such microphone"
RETRY_S = (0.1, 0.1, 0.1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plain = write_media(tmp_path / "both.mp4", seconds=20.0, frame_rate=10, video_codec="h264")
    remux(plain, tmp_path / "live.mp4", ("video", "audio"))
    remux(plain, tmp_path / "seen.mp4", ("video",))
    return tmp_path


def remux(source: Path, to: Path, kinds: tuple[str, ...]) -> None:
    options = {"movflags": "frag_every_frame+empty_moov+default_base_moof"}
    with av.open(str(source)) as given, av.open(str(to), "w", options=options) as made:
        streams = {
            s.index: made.add_stream_from_template(s) for s in given.streams if s.type in kinds
        }
        for packet in given.demux():
            if packet.dts is not None and packet.stream.index in streams:
                packet.stream = streams[packet.stream.index]
                made.mux(packet)


@contextmanager
def live_server(folder: Path, port: int = 0) -> Iterator[WebServer]:
    with serving(folder, port) as server:
        server.live_s = 20.0
        yield server


def open_source(
    config: SourceConfig, *, wait: bool = False, fault: SourceError | None = None
) -> tuple[Stream, OpenedSource]:
    stream = make_stream(live=True, clock=MonotonicClock())
    i = stream.inlet
    return stream, open_readers(
        config, i.timeline, i.frames, i.sounds, i.prepare, i.clock, i.stats, fault=fault, wait=wait
    )


@contextmanager
def stepping(opened: OpenedSource) -> Iterator[None]:
    stop = threading.Event()
    workers = [Worker(reader.name, reader.step, stop) for reader in opened.readers]
    for worker in workers:
        worker.start()
    try:
        yield
    finally:
        stop.set()
        for worker, reader in zip(workers, opened.readers, strict=True):
            worker.join(10)
            reader.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_long(condition: Callable[[], bool]) -> None:
    wait_for(condition, patience_s=60.0)  # FFmpeg looks at a stream for seconds


def states(opened: OpenedSource) -> dict[Sense, SenseState]:
    return {sense: status.state for sense, status in opened.statuses().items()}


def test_a_camera_that_comes_later_is_found_where_the_microphone_is_there(folder: Path) -> None:
    """With the senses changed round: a URL for the camera, no microphone on this machine."""
    with live_server(folder) as server:
        config = SourceConfig(
            name="c", kind="live", camera=server.url("live", "seen.mp4"),
            microphone=NO_MICROPHONE, retry_s=RETRY_S,
        )  # fmt: skip
        stream, opened = open_source(config)
        if opened.problems:
            pytest.skip("PortAudio is not installed here: nothing to come back to")
        with stepping(opened):
            wait_long(lambda: stream.count("reconnect_attempts") >= 2)
            wait_long(lambda: stream.count("frames") > 0)


@pytest.mark.device  # real time
@pytest.mark.parametrize("asked", [False, True], ids=["first look", "was asked what it gives"])
def test_a_stream_that_was_not_there_is_found_when_it_comes(folder: Path, asked: bool) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/live/live.mp4"
    config = SourceConfig(name="c", kind="media", media=url, retry_s=RETRY_S)
    fault = SourceError("nobody is there") if asked else None
    with pytest.raises(SourceError, match="Connection refused"):
        open_source(config)
    stream, opened = open_source(config, wait=True, fault=fault)
    assert opened.fault is not None
    with stepping(opened):
        wait_long(lambda: stream.count("reconnect_attempts") >= 2)
        assert set(states(opened).values()) <= {SenseState.RECONNECTING, SenseState.LOST}
        with live_server(folder, port):
            wait_long(lambda: stream.count("frames") > 0 and stream.count("audio_blocks") > 0)


def test_a_sense_that_a_late_stream_has_not_is_absent_and_not_waited_for(folder: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/live/seen.mp4"
    config = SourceConfig(name="c", kind="media", media=url, retry_s=RETRY_S)
    stream, opened = open_source(config, wait=True)
    with stepping(opened), live_server(folder, port):
        wait_long(lambda: stream.count("frames") > 0)
        wait_long(lambda: states(opened).get(Sense.SOUND) is SenseState.ABSENT)

    assert stream.sounds.ended
    assert not stream.frames.ended


def pipeline_of(*sources: SourceConfig) -> Pipeline:
    return Pipeline(RunConfig(source=sources[0], more_sources=sources[1:], publisher=None))


def test_nothing_there_at_all_is_an_error_unless_it_is_waited_for() -> None:
    url = f"http://127.0.0.1:{free_port()}/live"
    missing = SourceConfig(name="a", kind="media", media=url)
    other = SourceConfig(name="b", kind="live", camera=url)
    for sources in ((missing,), (missing, other)):
        pipeline = pipeline_of(*sources)
        with pytest.raises(SourceError, match="Connection refused"):
            pipeline.open()
    with pytest.raises(UsageError, match="--no-reconnect does not"):
        SourceConfig(name="a", kind="media", media=url, wait=True, reconnect=False)


def test_only_senses_that_were_asked_for_are_told_to_be_lost() -> None:
    url = f"http://127.0.0.1:{free_port()}/camera"
    camera = SourceConfig(name="door", kind="live", camera=url, reconnect=False)
    demo = SourceConfig(name="demo", kind="demo")
    pipeline = pipeline_of(demo, camera)
    pipeline.open()
    try:
        door = next(view for view in pipeline.view().others if view.source == "door")
    finally:
        pipeline.close()

    told = {status.sense: status.state for status in door.stream.senses}
    assert told == {Sense.PICTURE: SenseState.LOST, Sense.SOUND: SenseState.ABSENT}


def test_calibrating_without_a_microphone_says_so_at_once(folder: Path, tmp_path: Path) -> None:
    said: list[str] = []
    say: Callable[[str], None] = said.append
    with live_server(folder) as server:
        config = SourceConfig(
            name="c", kind="live", camera=server.url("live", "seen.mp4"), microphone=NO_MICROPHONE
        )
        with pytest.raises(SourceError, match="--calibrate wants both senses"):
            calibrate(config, Offsets(tmp_path), MonotonicClock(), say, length_s=60.0)
    assert said == []
