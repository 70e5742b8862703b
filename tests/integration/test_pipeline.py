"""A run in this process, on the demo scene: where it ends, and what its outputs still get."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from realtime import pipeline as pipeline_module
from realtime.client.subscriber import KINDS, Subscriber
from realtime.config import PublisherConfig, RunConfig, SourceConfig, WindowConfig
from realtime.errors import SourceError, UsageError
from realtime.packets import Sense, SenseState
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
        backend="torch",
        precision="float32",
        events={"on": 0.05, "off": 0.01, "update_s": 0.05, **events},
        duration_s=DURATION_S,
    )


class Camera(BaseHTTPRequestHandler):
    """Sends pictures until `hang_up` is set."""

    hang_up = threading.Event()

    def do_GET(self) -> None:
        picture = io.BytesIO()
        Image.new("RGB", (64, 48)).save(picture, "JPEG")
        data = picture.getvalue()
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
        try:
            while not self.hang_up.wait(0.03):
                self.wfile.write(head.encode() + data + b"\r\n")
        except OSError:  # the program hung up first
            return

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def camera() -> Iterator[str]:
    Camera.hang_up.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    Camera.hang_up.set()
    server.shutdown()
    server.server_close()


def start(pipeline: Pipeline) -> None:
    pipeline.open()
    pipeline.start()


def run_to_the_limit(pipeline: Pipeline) -> None:
    deadline = time.monotonic() + 120
    while pipeline.view().stream.t_s < DURATION_S and time.monotonic() < deadline:
        pipeline.wait(0.05)


def test_networks_are_built_in_a_thread_that_is_gone_once_the_run_is_open(
    random_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = []

    def watched(make: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **kwargs: object) -> object:
            threads.append(threading.current_thread())
            return make(*args, **kwargs)

        return call

    for name in ("load_models", "make_stream", "make_recognizer"):
        monkeypatch.setattr(pipeline_module, name, watched(getattr(pipeline_module, name)))
    pipeline = Pipeline(make_config(random_bundle))
    try:
        pipeline.open()
        assert len(threads) == 3
        assert threading.main_thread() not in threads
        assert not any(thread.is_alive() for thread in threads)  # no pool of OpenMP's stays
    finally:
        pipeline.close()


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
    assert view.stream.t_s == DURATION_S
    assert view.stats.count("predictions") == N_DECISIONS
    assert view.stream.active == ()


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


GONE = (SenseState.RECONNECTING, SenseState.LOST)


def picture_state(pipeline: Pipeline) -> SenseState:
    (picture,) = (s.state for s in pipeline.view().stream.senses if s.sense is Sense.PICTURE)
    return picture


def make_live_config(bundle: Path, camera: str) -> RunConfig:
    source = SourceConfig(name="door", kind="live", camera=camera, reconnect=False)
    return replace(make_config(bundle), source=source, duration_s=None)


def test_live_stream_begins_at_the_start_when_its_camera_sent_pictures_before(
    random_bundle: Path, camera: str
) -> None:
    pipeline = Pipeline(make_live_config(random_bundle, camera))
    pipeline.open()
    time.sleep(1.0)  # as if the models were large
    pipeline.start()
    run_to_the_limit(pipeline)
    view = pipeline.view()
    pipeline.close()

    assert view.stream.t_s >= DURATION_S
    assert view.stream.t_s < view.elapsed_s + 0.5


def test_run_fails_when_its_only_cameras_server_hangs_up(random_bundle: Path, camera: str) -> None:
    pipeline = Pipeline(make_live_config(random_bundle, camera))
    start(pipeline)
    run_to_the_limit(pipeline)
    Camera.hang_up.set()
    while not pipeline.wait(5.0):
        pass
    pipeline.close()

    assert SenseState.LOST in {status.state for status in pipeline.view().stream.senses}
    with pytest.raises(SourceError, match="ended by its server"):
        pipeline.raise_failure()


def test_run_goes_on_when_its_only_camera_is_gone_for_a_while(
    random_bundle: Path, camera: str
) -> None:
    config = make_live_config(random_bundle, camera)
    source = replace(config.source, reconnect=True, retry_s=(0.2, 0.5), frozen_s=0.0, black_s=0.0)
    pipeline = Pipeline(replace(config, source=source))
    start(pipeline)
    run_to_the_limit(pipeline)
    Camera.hang_up.set()
    deadline = time.monotonic() + 60
    while picture_state(pipeline) not in GONE and time.monotonic() < deadline:
        pipeline.wait(0.05)
    gone_for_good = picture_state(pipeline) in GONE and pipeline.wait(1.0)
    Camera.hang_up.clear()
    while picture_state(pipeline) is not SenseState.OK and time.monotonic() < deadline:
        pipeline.wait(0.05)
    state = picture_state(pipeline)
    survivors = pipeline.close()

    assert not gone_for_good
    assert state is SenseState.OK
    assert pipeline.view().stats.count("reconnects") == 1
    assert survivors == []
    pipeline.raise_failure()  # there is none


def test_cameras_password_is_nowhere_when_it_runs_and_when_it_is_lost(
    random_bundle: Path, camera: str, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "pw-secret"
    url = camera.replace("http://", f"http://user:{secret}@") + f"live?token={secret}"
    publisher = PublisherConfig(bind="tcp://127.0.0.1:*")
    config = replace(make_live_config(random_bundle, url), publisher=publisher)
    pipeline = Pipeline(config)
    caplog.set_level("DEBUG")
    pipeline.open()
    messages = []
    with Subscriber(pipeline.view().endpoint or "", KINDS) as subscriber:
        pipeline.start()
        run_to_the_limit(pipeline)
        Camera.hang_up.set()
        while not pipeline.wait(0.1):
            pass
        pipeline.close()
        while (message := subscriber.receive(1.0)) is not None:
            messages.append(message)

    with pytest.raises(SourceError) as failure:
        pipeline.raise_failure()
    published = json.dumps([message.body for message in messages])
    shown = str(pipeline.view()) + str(failure.value) + caplog.text + published
    assert {message.body["type"] for message in messages} >= {"status", "prediction"}
    assert "127.0.0.1" in published
    assert secret not in shown
    assert "user" not in published


def test_thresholds_are_refused_when_the_bundle_has_not_their_label(random_bundle: Path) -> None:
    with pytest.raises(UsageError, match="Whistle"):
        Pipeline(make_config(random_bundle, per_label={"Whistle": {"on": 0.5, "off": 0.4}}))
