"""Streams on loopback as cameras and broadcasters send them, which hang up and come back."""

from __future__ import annotations

import shutil
import subprocess
import threading
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Protocol

import av
import numpy as np

from integration.live_devices import free_port
from realtime.packets import SAMPLE_RATE
from realtime.sources.demo_pictures import HEIGHT, WIDTH, ScenePainter
from realtime.sources.demo_scene import SCRIPT, render_sound

LABEL = SCRIPT[0].label
QUIET_S, LOOP_S = 4.0, 30.0
VIDEO_HZ = 10
PIECE = 1316  # seven packets of MPEG-TS


def write_loop(folder: Path, *, key_frames_s: float = 2.0) -> tuple[Path, Path]:
    """Write half a minute with two sirens, as MP4 and as WAV; it is played again and again."""
    siren, sound = SCRIPT[0], render_sound()
    n_quiet = round(QUIET_S * SAMPLE_RATE)
    quiet = sound[:n_quiet]  # the scene's own room
    event = sound[round(siren.onset_s * SAMPLE_RATE) : round(siren.offset_s * SAMPLE_RATE)]
    part = np.concatenate([quiet, event, quiet])
    loop = np.tile(part, 2)[: round(LOOP_S * SAMPLE_RATE)]
    wav = folder / "loop.wav"
    with wave.open(str(wav), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((loop * 32767).astype("<i2").tobytes())
    pictures = folder / "pictures.mp4"
    painter = ScenePainter()
    with av.open(str(pictures), "w") as container:
        stream = container.add_stream("mpeg4", rate=VIDEO_HZ)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.bit_rate = 2_000_000
        for number in range(round(len(loop) / SAMPLE_RATE * VIDEO_HZ)):
            at_s = number / VIDEO_HZ % (len(part) / SAMPLE_RATE)
            picture = painter.paint(at_s - QUIET_S + siren.onset_s)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    video = folder / "loop.mp4"
    n_gop = str(round(key_frames_s * VIDEO_HZ))
    ffmpeg(
        "-y", "-i", str(pictures), "-i", str(wav), "-c:v", "libx264", "-preset", "ultrafast",
        "-pix_fmt", "yuv420p", "-g", n_gop, "-keyint_min", n_gop, "-sc_threshold", "0",
        "-c:a", "aac", "-b:a", "64k", "-shortest", str(video),
    ).wait(120)  # fmt: skip
    return video, wav


def ffmpeg(*words: str, stdout: int | None = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["ffmpeg", "-loglevel", "error", *words], stdin=subprocess.DEVNULL, stdout=stdout
    )


def played(video: Path) -> tuple[str, ...]:
    """What has ffmpeg read a file in a loop, in its own time, and hand it on as it is."""
    return "-re", "-stream_loop", "-1", "-i", str(video), "-c", "copy"


class Sender(Protocol):
    """A stream's server; after `stop` nothing of it is left, after `start` it is there again."""

    url: str

    def start(self) -> None: ...

    def stop(self) -> None: ...


class PlaylistSender:
    """HLS with parts of 4 s."""

    def __init__(self, video: Path, folder: Path) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/live.m3u8"
        self._video, self._folder = video, folder / "hls"
        self._ffmpeg: subprocess.Popen[bytes] | None = None
        self._http: ThreadingHTTPServer | None = None

    def start(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        self._ffmpeg = ffmpeg(
            *played(self._video), "-f", "hls", "-hls_time", "4", "-hls_list_size", "4",
            "-hls_flags", "delete_segments", str(self._folder / "live.m3u8"),
        )  # fmt: skip
        handler = partial(_QuietFiles, directory=str(self._folder))
        self._http = _listen(self._port, handler)

    def stop(self) -> None:
        _kill(self._ffmpeg)
        _close(self._http)
        self._http = None


class DatagramSender:
    """MPEG-TS over UDP, to whoever listens."""

    def __init__(self, video: Path, folder: Path) -> None:
        self.url = f"udp://127.0.0.1:{free_port()}"
        self._video = video
        self._ffmpeg: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._ffmpeg = ffmpeg(*played(self._video), "-f", "mpegts", f"{self.url}?pkt_size={PIECE}")

    def stop(self) -> None:
        _kill(self._ffmpeg)


class RelaySender:
    """MPEG-TS over HTTP without a length; who comes gets what is sent from then on."""

    def __init__(self, video: Path, folder: Path) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/camera"
        self._video = video
        self._ffmpeg: subprocess.Popen[bytes] | None = None
        self._http: ThreadingHTTPServer | None = None
        self._clients: list[IO[bytes]] = []

    def start(self) -> None:
        self._ffmpeg = ffmpeg(*played(self._video), "-f", "mpegts", "-", stdout=subprocess.PIPE)
        threading.Thread(target=self._relay, args=(self._ffmpeg.stdout,), daemon=True).start()
        clients, gone = self._clients, threading.Event()

        class Handler(_Quiet):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                clients.append(self.wfile)
                gone.wait()

        self._gone = gone
        self._http = _listen(self._port, Handler)

    def stop(self) -> None:
        _kill(self._ffmpeg)
        self._gone.set()
        self._clients.clear()
        _close(self._http)
        self._http = None

    def _relay(self, source: IO[bytes]) -> None:
        with source:  # until its sender was killed
            while piece := source.read(PIECE):
                for client in list(self._clients):
                    try:
                        client.write(piece)
                    except (OSError, ValueError):  # hung up, or closed by its handler
                        if client in self._clients:
                            self._clients.remove(client)


class FragmentSender:
    """Fragmented MP4 over HTTP without a length, from its beginning for each who comes."""

    def __init__(self, video: Path, folder: Path) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/live.mp4"
        self._video = video
        self._running: list[subprocess.Popen[bytes]] = []
        self._http: ThreadingHTTPServer | None = None

    def start(self) -> None:
        video, running = self._video, self._running

        class Handler(_Quiet):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "video/mp4")
                self.end_headers()
                process = ffmpeg(
                    *played(video), "-f", "mp4", "-movflags",
                    "frag_keyframe+empty_moov+default_base_moof", "-", stdout=subprocess.PIPE,
                )  # fmt: skip
                running.append(process)
                assert process.stdout is not None
                try:
                    with process.stdout as source:
                        while piece := source.read(PIECE):
                            self.wfile.write(piece)
                except OSError:
                    pass
                finally:
                    _kill(process)

        self._http = _listen(self._port, Handler)

    def stop(self) -> None:
        for process in self._running:
            _kill(process)
        self._running.clear()
        _close(self._http)
        self._http = None


class _Quiet(BaseHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


class _QuietFiles(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def handle_error(self, *args: object) -> None:
        pass


def _listen(port: int, handler: object) -> ThreadingHTTPServer:
    server = _Server(("127.0.0.1", port), handler)  # type: ignore[arg-type]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def _close(server: ThreadingHTTPServer | None) -> None:
    if server is not None:
        server.shutdown()
        server.server_close()


def _kill(process: subprocess.Popen[bytes] | None) -> None:
    if process is not None:
        process.kill()
        process.wait(10)


@contextmanager
def sending(sender: Sender) -> Iterator[None]:
    """Have a server send, gone afterwards."""
    sender.start()
    try:
        yield
    finally:
        sender.stop()
