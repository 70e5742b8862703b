"""A microphone and a camera made of software: PulseAudio's null sink and a picture server."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_TIMEOUT_S = 20.0
# A camera does not share the processor with who looks at it (where this user may not: it does).
APART = ("nice", "-n", "-10")


class SoundCard:
    """A PulseAudio of our own; what is played into it is what its microphone hears."""

    def __init__(self, folder: Path) -> None:
        self._socket = folder / "pulse.socket"
        self._folder = folder
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a program needs to find it."""
        return {
            "PULSE_SERVER": f"unix:{self._socket}",
            "PULSE_SOURCE": "null.monitor",
            "PULSE_SINK": "null",
            "XDG_RUNTIME_DIR": str(self._folder),
            "HOME": str(self._folder),
        }

    def start(self) -> None:
        self._server = subprocess.Popen(
            [
                "pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no",
                "--disable-shm=yes",
                "-L", f"module-native-protocol-unix auth-anonymous=1 socket={self._socket}",
                "-L", "module-null-sink sink_name=null",
            ],
            env={**os.environ, **self.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + START_TIMEOUT_S
        while self._control("info").returncode:
            if time.monotonic() > deadline or self._server.poll() is not None:
                raise RuntimeError("PulseAudio did not start")
            time.sleep(0.1)
        self._control("set-default-source", "null.monitor").check_returncode()

    def play(self, sound: Path) -> subprocess.Popen[bytes]:
        """Start to play a file in real time."""
        return subprocess.Popen(
            ["paplay", "--latency-msec=50", str(sound)], env={**os.environ, **self.environment}
        )

    def hum(self) -> None:
        """Have its microphone hear something: zeros alone are the sign of a muted one."""
        self._control("load-module", "module-sine", "sink=null", "frequency=50").check_returncode()

    def hang(self) -> None:
        """Let it answer nobody, as a driver does that blocks."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)

    def come_to(self) -> None:
        """Let it answer again."""
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._server is not None:
            self._server.send_signal(signal.SIGCONT)
            self._server.terminate()
            self._server.wait(10)

    def _control(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["pactl", *words],
            env={**os.environ, **self.environment},
            capture_output=True,
            check=False,
            timeout=10,
        )


@contextmanager
def sound_card(folder: Path) -> Iterator[SoundCard]:
    """A running sound card in `folder`, gone afterwards."""
    card = SoundCard(folder)
    try:
        card.start()
        yield card
    finally:
        card.stop()


class PictureServer:
    """Serves a file's pictures in a loop, in real time, as MJPEG, to one client at a time."""

    def __init__(self, video: Path) -> None:
        self.url = f"http://127.0.0.1:{free_port()}/camera"
        self._video = video
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._server = subprocess.Popen(
            [
                *APART, "ffmpeg", "-loglevel", "error", "-re", "-stream_loop", "-1", "-i",
                str(self._video), "-an", "-c:v", "mjpeg", "-q:v", "3", "-f", "mpjpeg",
                "-listen", "1", self.url,
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def stop(self) -> None:
        if self._server is not None:
            self._server.kill()
            self._server.wait(10)


@contextmanager
def picture_server(video: Path) -> Iterator[PictureServer]:
    """A running picture server, gone afterwards."""
    server = PictureServer(video)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def extract_sound(video: Path, to: Path) -> Path:
    """Write a file's sound as WAV."""
    subprocess.run(
        ["ffmpeg", "-loglevel", "error", "-y", "-i", str(video), "-vn", "-ac", "2", str(to)],
        stdin=subprocess.DEVNULL,
        check=True,
        timeout=60,
    )
    return to


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def missing_programs() -> list[str]:
    """Which of the programs needed here are not installed."""
    return [p for p in ("pulseaudio", "pactl", "paplay", "ffmpeg") if shutil.which(p) is None]
