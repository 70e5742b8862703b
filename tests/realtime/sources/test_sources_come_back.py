"""Real libraries under a lost source: FFmpeg's sockets, OpenCV's locks, PortAudio's list."""

from __future__ import annotations

import io
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from device_fakes import wait_for
from PIL import Image

from realtime.clock import MonotonicClock
from realtime.config import SourceConfig
from realtime.errors import SourceError
from realtime.packets import Sense, SenseState
from realtime.sources import portaudio
from realtime.sources.factory import open_readers
from realtime.sources.opened import OpenedSource
from realtime.threads.worker import Worker
from source_builders import Stream, make_stream

pytestmark = pytest.mark.timeout(120)


class Camera(BaseHTTPRequestHandler):
    """Sends pictures until it is told to hang up."""

    hang_up = threading.Event()
    n_clients = 0

    def do_GET(self) -> None:
        type(self).n_clients += 1
        self.hang_up.clear()
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        number = 0
        try:
            while not self.hang_up.wait(0.02):
                number += 1
                picture = io.BytesIO()
                Image.new("RGB", (64, 48), (100 + number % 100, 0, 0)).save(picture, "JPEG")
                data = picture.getvalue()
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                self.wfile.write(head.encode() + data + b"\r\n")
        except OSError:  # the program hung up first
            return

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def camera() -> Iterator[str]:
    Camera.n_clients = 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.daemon_threads = True
    server.block_on_close = False
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    Camera.hang_up.set()
    server.shutdown()
    server.server_close()


def open_source(config: SourceConfig) -> tuple[Stream, OpenedSource]:
    stream = make_stream(live=True, clock=MonotonicClock())
    i = stream.inlet
    opened = open_readers(config, i.timeline, i.frames, i.sounds, i.prepare, i.clock, i.stats)
    return stream, opened


@pytest.mark.parametrize("kind", ["live", "media"])
def test_a_network_stream_comes_back_when_its_server_hung_up(camera: str, kind: str) -> None:
    place = {"camera": camera} if kind == "live" else {"media": camera}
    config = SourceConfig(name="c", kind=kind, retry_s=(0.1,), **place)  # type: ignore[arg-type]
    stream, opened = open_source(config)
    (reader,) = opened.readers
    stop = threading.Event()
    worker = Worker(reader.name, reader.step, stop)
    worker.start()
    wait_for(lambda: stream.count("grid_frames") >= 3)
    Camera.hang_up.set()
    wait_for(lambda: Camera.n_clients == 2)
    n_frames = stream.count("grid_frames")
    wait_for(lambda: stream.count("grid_frames") >= n_frames + 3)
    wait_for(lambda: opened.statuses()[Sense.PICTURE].state is SenseState.OK)
    stop.set()
    reader.close()

    assert worker.join(10)
    assert opened.senses.picture
    assert not stream.frames.ended
    assert stream.count("reconnects") == 1


def test_a_stream_runs_on_and_looks_for_the_sense_that_did_not_open(camera: str) -> None:
    config = SourceConfig(name="c", kind="live", camera="/dev/no-such", microphone="no such device")
    with pytest.raises(SourceError, match="no-such"):
        open_source(config)
    config = SourceConfig(name="c", kind="live", camera=camera, microphone="no such device")
    _, opened = open_source(config)
    for reader in opened.readers:
        reader.close()

    states = {sense: status.state for sense, status in opened.statuses().items()}
    if opened.problems:  # PortAudio is not installed here: nothing to come back to
        assert [problem.sense for problem in opened.problems] == [Sense.SOUND]
    else:
        assert states == {Sense.SOUND: SenseState.RECONNECTING}


def test_opencv_holds_no_other_thread_up_when_a_camera_does_not_answer() -> None:
    cv2 = pytest.importorskip("cv2", exc_type=ImportError)
    with socket.socket() as silent:  # takes the call and says nothing, as a dead camera does
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        silent.settimeout(30)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        captures = []
        blocked = threading.Thread(
            target=lambda: captures.append(cv2.VideoCapture(url, cv2.CAP_FFMPEG)), daemon=True
        )
        blocked.start()
        client, _ = silent.accept()  # OpenCV is inside its call from here on
        n_rounds, until = 0, time.monotonic() + 0.5
        while time.monotonic() < until:
            n_rounds += 1
        was_blocked = blocked.is_alive()
        client.close()
    blocked.join(60)

    assert was_blocked
    assert n_rounds > 1000  # Python ran all the while
    assert not captures[0].isOpened()


def fake_sounddevice(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "sounddevice.py").write_text(body)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_sound_devices_are_looked_for_in_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = [{"index": 0, "name": "USB", "max_input_channels": 1, "default_samplerate": 16e3}]
    body = (
        "import sys; from types import SimpleNamespace\n"
        "print('ALSA lib: no such card', file=sys.stderr)\n"
        f"def query_devices(): return {devices!r}\n"
        "default = SimpleNamespace(device=(0, 1))\n"
    )
    fake_sounddevice(tmp_path, body, monkeypatch)

    assert portaudio.look_from_outside() == (devices, 0)


@pytest.mark.parametrize(
    ("body", "words"),
    [("import time; time.sleep(60)", "has not answered"), ("1 / 0", "cannot be asked")],
)
def test_a_sound_server_that_hangs_or_fails_is_one_sentence(
    body: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_sounddevice(tmp_path, body, monkeypatch)

    with pytest.raises(SourceError, match=words):
        portaudio.look_from_outside(timeout_s=1.0)


def test_portaudio_that_hangs_in_one_call_is_not_called_again() -> None:
    inside, done = threading.Event(), threading.Event()

    def hang() -> None:
        with portaudio.portaudio_calls():
            inside.set()
            done.wait(60)

    thread = threading.Thread(target=hang)
    thread.start()
    inside.wait(10)
    with pytest.raises(SourceError, match="hangs in an earlier call"), portaudio.portaudio_calls():
        pass
    done.set()
    thread.join(10)
    with portaudio.portaudio_calls():
        pass


class Library:
    """Enough of sounddevice to be started anew."""

    PortAudioError = RuntimeError

    def __init__(self) -> None:
        self._initialized = 1
        self.n_starts = 0

    def _terminate(self) -> None:
        self._initialized -= 1

    def _initialize(self) -> None:
        self._initialized += 1
        self.n_starts += 1


def test_portaudio_is_not_started_anew_while_another_stream_is_open() -> None:
    library, other = Library(), object()
    portaudio.note_open(other)
    portaudio.start_anew(library)
    assert library.n_starts == 0

    portaudio.note_closed(other)
    portaudio.start_anew(library)

    assert (library.n_starts, library._initialized) == (1, 1)


def test_chatter_of_libraries_is_taken_out_and_log_lines_are_kept(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with portaudio.without_chatter():
        os.write(
            2, b"ALSA lib pcm.c:2664: unknown PCM\nwarning: camera lost\nExpression 'x' failed\n"
        )

    assert capfd.readouterr().err == "warning: camera lost\n"


def test_a_network_address_is_asked_for_with_its_password_and_never_told(camera: str) -> None:
    url = camera.replace("http://", "http://user:pw-secret@")
    _, opened = open_source(SourceConfig(name="c", kind="live", camera=url, retry_s=(0.1,)))
    (reader,) = opened.readers
    stop = threading.Event()
    worker = Worker(reader.name, reader.step, stop)
    worker.start()
    wait_for(lambda: Sense.PICTURE in opened.statuses())
    told = [opened.statuses()]
    Camera.hang_up.set()
    wait_for(lambda: opened.statuses()[Sense.PICTURE].state is SenseState.LOST)
    told.append(opened.statuses())
    stop.set()
    reader.close()
    worker.join(10)

    assert "secret" not in json.dumps([repr(statuses) for statuses in told])
