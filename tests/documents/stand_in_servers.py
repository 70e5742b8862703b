"""What stands in for devices, hosts and another program; each starts when it is asked for."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path

from documents.command_process import Command
from integration.live_devices import PictureServer, SoundCard, free_port, sound_card
from integration.live_streams import PlaylistSender, sending, write_loop

START_S = 60.0


class Servers:
    """Cameras, streams and brokers on loopback; who asks for one holds `lock`.

    Args:
        folder: For what they write.
        environ: Variables for the publisher.
    """

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._folder = folder
        self._environ = environ
        self._stack = ExitStack()
        self.lock = threading.RLock()

    def close(self) -> None:
        """End them all."""
        self._stack.close()

    @cached_property
    def loop(self) -> tuple[Path, Path]:
        """Half a minute with two sirens, as MP4 and as WAV."""
        return write_loop(self._folder)

    @cached_property
    def card(self) -> SoundCard:
        """A sound card whose microphone hears a hum."""
        folder = self._folder / "card"
        folder.mkdir()
        card = self._stack.enter_context(sound_card(folder))
        card.hum()
        return card

    def camera(self) -> PictureServer:
        """A camera that one program may watch once."""
        server = PictureServer(self.loop[0])
        server.start()
        return server

    @cached_property
    def rtsp(self) -> str:
        """A camera over RTSP."""
        from integration.test_rtsp_camera import PYTHON, SERVER, listens

        port = free_port()
        process = subprocess.Popen([PYTHON, str(SERVER), str(port), "", ""])
        self._stack.callback(process.wait, 10)
        self._stack.callback(process.kill)
        _wait_for(lambda: listens(port))
        return f"rtsp://127.0.0.1:{port}/camera"

    @cached_property
    def hls(self) -> str:
        """A live playlist."""
        sender = PlaylistSender(self.loop[0], self._folder)
        self._stack.enter_context(sending(sender))
        playlist = self._folder / "hls" / "live.m3u8"
        _wait_for(lambda: playlist.is_file() and playlist.read_text().count(".ts") > 1)
        return sender.url

    @cached_property
    def broker(self) -> str:
        """An MQTT broker."""
        from integration.test_mqtt import Broker

        folder = self._folder / "broker"
        folder.mkdir()
        broker = Broker(folder)
        self._stack.callback(broker.stop)
        return f"127.0.0.1:{broker.port}"

    @cached_property
    def publisher(self) -> str:
        """The event socket of a program that recognizes the demo again and again."""
        endpoint = f"tcp://127.0.0.1:{free_port()}"
        words = ["mafnet-live", "--source", "demo", "--loop", "--pace", "--bind", endpoint]
        command = Command(words, self._folder, self._environ)
        self._stack.callback(command.end)
        command.wait_until("Siren", START_S)
        return endpoint


def _wait_for(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + START_S
    while not holds():
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
