"""A device that a test plugs in, pulls out and lets hang, and a reader of it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import numpy as np

from realtime.clock import NS_PER_MS, NS_PER_S, ManualClock
from realtime.config import SourceConfig
from realtime.errors import SourceError
from realtime.packets import Sense, SenseState, SenseStatus
from realtime.sources.base import Inlet
from realtime.sources.reconnecting import ReconnectingReader
from source_builders import Stream, make_stream

PATIENCE_S = 10.0  # real seconds, for a thread of ours to get the processor
BLOCK = 1600


class Device:
    """Frames of a camera or blocks of a microphone, one for each `deliver`."""

    def __init__(self, sense: Sense) -> None:
        self.sense = sense
        self.plugged = True
        self.hangs = threading.Event()
        self.returns = threading.Event()
        self.returns.set()
        self.n_openings = 0
        self.n_closings = 0
        self.n_wanted = 0
        self.n_delivered = 0
        self.n_hanging = 0
        self.sample_rate = 16_000
        self.fault: Exception | None = None

    def hang(self) -> None:
        """From now on no call returns."""
        self.returns.clear()
        self.hangs.set()

    def come_to(self) -> None:
        """All calls return again."""
        self.hangs.clear()
        self.returns.set()

    def call(self) -> None:
        if self.hangs.is_set():
            self.n_hanging += 1
            self.returns.wait(60)
            self.n_hanging -= 1


class DeviceReader:
    """A reader of such a device; see `realtime.sources.base.Reader`."""

    def __init__(self, device: Device, inlet: Inlet) -> None:
        self.name = "capture-video" if device.sense is Sense.PICTURE else "capture-audio"
        self._device = device
        self._inlet = inlet
        self._video = None if device.sense is Sense.SOUND else inlet.video_intake()
        self._audio = None
        self._random = np.random.default_rng(device.n_openings)

    def open(self) -> None:
        self._device.call()
        self._device.n_openings += 1
        if not self._device.plugged:
            raise SourceError("it is not there")
        if self._video is None:
            self._audio = self._inlet.audio_intake(self._device.sample_rate, 1)

    def step(self) -> bool:
        device = self._device
        if device.fault is not None:
            raise device.fault
        if not device.plugged:
            raise SourceError("it was unplugged")
        if device.n_delivered < device.n_wanted:
            device.call()
            self._deliver()
            device.n_delivered += 1
        else:
            time.sleep(0.001)
        return True

    def close(self) -> None:
        self._device.n_closings += 1

    def describe(self) -> str:
        return f"opening {self._device.n_openings}"

    def _deliver(self) -> None:
        now_ns = self._inlet.clock.now_ns()
        if self._video is not None:
            image = self._random.integers(50, 200, (8, 8, 3), dtype=np.uint8)
            self._video.append(now_ns, image)
        if self._audio is not None:
            n = BLOCK * self._device.sample_rate // 16_000
            samples = (0.1 * self._random.normal(size=n)).astype(np.float32)
            self._audio.append(samples, now_ns - BLOCK * NS_PER_S // 16_000)


class Bench:
    """A stream with one device at a reader that comes back; the test moves the time."""

    def __init__(self, sense: Sense, camera: str = "0", **settings: float) -> None:
        self.clock = ManualClock(NS_PER_S)
        self.stream: Stream = make_stream(live=True, clock=self.clock)
        self.sense = sense
        self.device = Device(sense)
        config = SourceConfig(
            name="c",
            kind="live",
            camera=camera,
            **{"hang_s": 15.0, **settings},  # type: ignore[arg-type]
        )
        self.reader = ReconnectingReader(
            make=lambda inlet, _: DeviceReader(self.device, inlet),
            senses=[sense],
            config=config,
            inlet=self.stream.inlet,
            random_source=random.Random(1),
        )

    @property
    def status(self) -> SenseStatus:
        return self.reader.statuses()[self.sense]

    @property
    def state(self) -> SenseState | None:
        status = self.reader.statuses().get(self.sense)
        return None if status is None else status.state

    def deliver(self, seconds: float) -> None:
        """Let a tenth of a second's worth come ten times a second."""
        self.reader.tick()
        for _ in range(round(seconds * 10)):
            self.clock.advance(100 * NS_PER_MS)
            wanted = self.device.n_delivered + 1
            self.device.n_wanted = wanted
            wait_for(lambda wanted=wanted: self.device.n_delivered >= wanted)
            self.reader.tick()

    def pass_time(self, seconds: float) -> None:
        """Let time go by without anything coming."""
        for _ in range(round(seconds * 10)):
            self.clock.advance(100 * NS_PER_MS)
            self.reader.tick()

    def tick_until(self, condition: Callable[[], bool]) -> None:
        """Look after the device, at the same moment, until a thread has come so far."""

        def looked() -> bool:
            self.reader.tick()
            return condition()

        wait_for(looked)


def wait_for(condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Wait for another thread of this process."""
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not come to that")
        time.sleep(0.001)
