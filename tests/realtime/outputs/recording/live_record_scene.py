"""A live recorder whose disk takes its time: meanwhile the camera goes on, and time with it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from record_scene import STARTED, event_message

from realtime.buffers.audio_clock import AudioClock
from realtime.clock import NS_PER_S, ManualClock, Timeline, WallClock
from realtime.config import RecordConfig
from realtime.outputs.recording.feed import RecordFeed
from realtime.outputs.recording.file import open_exclusive
from realtime.outputs.recording.recorder import Recorder
from realtime.outputs.recording.store import RecordStore
from realtime.outputs.wire import Message
from realtime.packets import SAMPLE_RATE
from realtime.stats import Stats

FPS = 30
BLOCK_S = 0.02
BLOCK = round(BLOCK_S * SAMPLE_RATE)
HOP_S = 0.25


class LiveScene:
    """Captures, recognizes and records as three threads would, one after the other.

    Args:
        folder: Where to record.
        write_s: What each write to the disk takes.
        two_threads: Whether pictures are taken in meanwhile, as the `keep` thread does.
        size: Of the picture, height and width.
    """

    def __init__(
        self,
        folder: Path,
        *,
        write_s: float = 0.0,
        two_threads: bool = False,
        size: tuple[int, int] = (48, 64),
        **settings: Any,
    ) -> None:
        self.folder = folder
        self.write_s, self.two_threads = write_s, two_threads
        config = RecordConfig(directory=str(folder), **settings)
        store = RecordStore(config, lambda path: 1 << 40)
        store.open()
        self.feed = RecordFeed(live=True, max_fps=config.max_fps)
        self.stats, self.clock = Stats(), ManualClock()
        timeline = Timeline(WallClock.fixed(STARTED), 0)
        timeline.start(0)
        audio_clock = AudioClock.exact(0)
        self.recorder = Recorder(
            config=config,
            source="x",
            store=store,
            feed=self.feed,
            timeline=timeline,
            audio_clock=lambda: audio_clock,
            clock=self.clock,
            stats=self.stats,
            lookback_s=4.0,
            open_sink=self._open_slow,
        )
        self._n_frames = self._n_blocks = self._n_hops = 0
        self._image = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)

    @property
    def now_s(self) -> float:
        return self.clock.now_ns() / NS_PER_S

    def play_to(self, t_s: float, step: Callable[[], bool] | None = None) -> None:
        """Let time pass; `step` in place of the recorder's threads, which may be held up."""
        while self.now_s < t_s:
            self.pass_s(1 / FPS)
            if step is not None:
                step()
            elif self.two_threads:
                self.recorder.take_in(0.0)
                self.recorder.write(0.0)
            else:
                self.recorder.step()

    def pass_s(self, seconds: float) -> None:
        """Let time pass for the camera, the microphone and the recognizer alone."""
        self.clock.advance(round(seconds * NS_PER_S))
        while self._n_frames / FPS <= self.now_s:
            image = np.roll(self._image, self._n_frames, axis=1)
            self.feed.take_frame(self._n_frames * NS_PER_S // FPS, lambda image=image: image)
            self._n_frames += 1
        while (self._n_blocks + 1) * BLOCK_S <= self.now_s:
            self.feed.take_sound(self._n_blocks * BLOCK, np.zeros(BLOCK, np.float32))
            self._n_blocks += 1
        while (self._n_hops + 1) * HOP_S + 1.0 <= self.now_s:
            self._n_hops += 1
            end = {"t_s": self._n_hops * HOP_S}
            self.feed.take_message(Message("prediction/x/", {"type": "prediction", "end": end}))

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
        self.recorder.finish()

    def sidecars(self) -> list[dict[str, Any]]:
        return [json.loads(file.read_text()) for file in sorted(self.folder.rglob("*_*.json"))]

    def _open_slow(self, path: Path) -> BinaryIO:
        scene, file = self, open_exclusive(path)

        class SlowFile:
            def write(self, data: bytes) -> int | None:
                scene.pass_s(scene.write_s)
                if scene.two_threads:
                    scene.recorder.take_in(0.0)
                return file.write(data)

            def close(self) -> None:
                file.close()

        slow: Any = SlowFile()
        return slow


def longest_hole_s(path: Path) -> float:
    """Return the longest time between two pictures of a recording."""
    with av.open(str(path)) as container:
        times = [float(frame.time) for frame in container.decode(video=0)]
    return max(b - a for a, b in itertools.pairwise(times))
