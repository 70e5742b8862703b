"""A recorder fed by hand: a stream of frames and sound with one flash and one click together."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from numpy.typing import NDArray

from killed import run_killed
from realtime.buffers.audio_clock import AudioClock
from realtime.clock import NS_PER_S, ManualClock, Timeline, WallClock
from realtime.config import RecordConfig
from realtime.outputs.recording.feed import RecordFeed
from realtime.outputs.recording.recorder import Recorder
from realtime.outputs.recording.store import RecordStore
from realtime.outputs.wire import Message
from realtime.packets import SAMPLE_RATE
from realtime.stats import Stats

FPS = 20
STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
BLOCK = SAMPLE_RATE // FPS


def event_message(
    phase: str, onset_s: float, offset_s: float | None = None, label: str = "Bark", n: int = 1
) -> Message:
    """As much of an event message as a recorder reads."""
    body: dict[str, object] = {
        "type": "event", "run": "abcd", "source": "x", "id": f"abcd-x-{n}", "phase": phase,
        "label": label, "onset": {"t_s": onset_s},
        "offset": None if offset_s is None else {"t_s": offset_s},
    }  # fmt: skip
    return Message("event/x/", body)


class Scene:
    """Feeds a recorder a frame and a block at a time, as a file's readers would."""

    def __init__(
        self,
        folder: Path,
        *,
        picture: bool = True,
        sound: bool = True,
        flash_s: float = 8.0,
        free: Callable[[Path], int] = lambda path: 1 << 40,
        open_sink: Callable[[Path], BinaryIO] | None = None,
        store_type: type[RecordStore] = RecordStore,
        **settings: Any,
    ) -> None:
        self.folder = folder
        config = RecordConfig(directory=str(folder), **settings)
        self.store = store_type(config, free)
        self.store.open()
        self.feed = RecordFeed(live=False, max_fps=config.max_fps)
        self.stats, self.clock = Stats(), ManualClock()
        self.remarks: list[str] = []
        timeline = Timeline(WallClock.fixed(STARTED), 0)
        timeline.start(0)
        audio_clock = AudioClock.exact(0) if sound else AudioClock()
        self.recorder = Recorder(
            config=config,
            source="x",
            store=self.store,
            feed=self.feed,
            timeline=timeline,
            audio_clock=lambda: audio_clock,
            clock=self.clock,
            stats=self.stats,
            lookback_s=2.0,
            remark=self.remarks.append,
            **({} if open_sink is None else {"open_sink": open_sink}),
        )
        self._picture, self._sound, self._flash_s = picture, sound, flash_s
        self._n = 0

    def play_to(self, t_s: float) -> None:
        while self._n < round(t_s * FPS):
            start_s = self._n / FPS
            is_flash = start_s <= self._flash_s < (self._n + 1) / FPS
            if self._picture:
                level = 255 if is_flash else 20
                image: NDArray[np.uint8] = np.full((48, 64, 3), level, np.uint8)
                self.feed.take_frame(self._n * NS_PER_S // FPS, lambda image=image: image)
            if self._sound:
                block = np.zeros(BLOCK, np.float32)
                if is_flash:
                    block[round((self._flash_s - start_s) * SAMPLE_RATE)] = 1.0
                self.feed.take_sound(self._n * BLOCK, block)
            self._n += 1
            if self._n % 5 == 0:
                end = {"t_s": self._n / FPS - 1.0}
                self.feed.take_message(Message("prediction/x/", {"type": "prediction", "end": end}))
            self.clock.advance(NS_PER_S // FPS)
            self.recorder.step()

    def tell(
        self,
        phase: str,
        onset_s: float,
        offset_s: float | None = None,
        label: str = "Bark",
        n: int = 1,
    ) -> None:
        self.feed.take_message(event_message(phase, onset_s, offset_s, label, n))

    def end(self) -> None:
        self.feed.close()
        while self.recorder.step():
            pass

    def files(self, pattern: str = "*.mp4") -> list[Path]:
        return sorted(self.folder.rglob(pattern))


class SmallDisk:
    """A disk that takes so many bytes and then is full."""

    def __init__(self, n_bytes: int) -> None:
        self.n_left = n_bytes

    def open(self, path: Path) -> Any:
        disk, file = self, path.open("xb", buffering=0)

        class Sink:
            def write(self, data: bytes) -> int:
                if len(data) > disk.n_left:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                disk.n_left -= len(data)
                return file.write(data)

            def close(self) -> None:
                file.close()

        return Sink()


def lengths_s(path: Path) -> tuple[float | None, float | None]:
    """How long picture and sound last, from their packets."""
    ends: dict[str, float] = {}
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.pts is not None and packet.duration:
                end = float((packet.pts + packet.duration) * packet.time_base)
                ends[packet.stream.type] = max(ends.get(packet.stream.type, 0.0), end)
    return ends.get("video"), ends.get("audio")


def flash_and_click_s(path: Path) -> tuple[float, float]:
    """When the flash is seen and the click is heard."""
    with av.open(str(path)) as container:
        levels = [(f.time, f.to_ndarray(format="gray").mean()) for f in container.decode(video=0)]
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    wave = np.concatenate([f.to_ndarray()[0] for f in frames])
    flash = max(levels, key=lambda pair: pair[1])[0]
    return flash, frames[0].time + int(np.abs(wave).argmax()) / SAMPLE_RATE


def kill_while_recording(folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Have a program record an event, and kill it before the event ends."""
    script = (
        "from record_scene import Scene\n"
        "scene = Scene(folder)\n"
        "scene.play_to(8.5)\n"
        "scene.tell('onset', 7.0)\n"
        "scene.play_to(20.0)\n"
    )
    return run_killed(script, folder, beside=__file__)
