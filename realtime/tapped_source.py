"""A source opened for a moment, read by a tap alone: no stream, no recognition.

`--calibrate` and `--doctor` read so. It opens what a run would, and lets go of it whatever happens.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from realtime.buffers.audio_ring import AudioRing
from realtime.buffers.frame_ring import FrameRing
from realtime.buffers.signal import DataSignal
from realtime.clock import Clock, Timeline
from realtime.config import SourceConfig
from realtime.packets import CLIP_SAMPLES, CLIP_SLOTS
from realtime.sources.base import Tap
from realtime.sources.factory import open_readers
from realtime.sources.opened import OpenedSource
from realtime.stats import Stats
from realtime.threads.mailbox import Policy
from realtime.threads.worker import Worker

_JOIN_S = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class TappedSource:
    """What is open; the thread's that opened it.

    Attributes:
        opened: The readers, their senses, and what could not be opened.
        sounds: Its clock dates the samples that the tap gets. Nobody reads the ring.
        workers: One a reader; `error` is why it ended.
        stop: Set when the block ends; waited on between looks.
    """

    opened: OpenedSource
    sounds: AudioRing
    workers: list[Worker]
    stop: threading.Event

    def start(self) -> None:
        """Begin to read."""
        for worker in self.workers:
            worker.start()


@contextmanager
def tapped_source(source: SourceConfig, tap: Tap, clock: Clock) -> Iterator[TappedSource]:
    """Open a source for a block; nothing is read before `start`.

    A source that is missing or lost is not waited for: whoever looks wants to know it.

    Args:
        source: What is opened.
        tap: Gets every frame and every sample, in the readers' threads.
        clock: The run's.

    Yields:
        What is open. At the block's end its threads are stopped and its readers closed.

    Raises:
        SourceError: Nothing of it can be opened.
    """
    stats, signal = Stats(), DataSignal()
    frames = FrameRing(CLIP_SLOTS, 1, Policy.DROP_OLDEST, signal, stats)
    sounds = AudioRing(CLIP_SAMPLES, Policy.DROP_OLDEST, signal, stats)
    dot = np.zeros((1, 1, 3), np.uint8)
    source = replace(source, reconnect=False, wait=False)
    opened = open_readers(
        source, Timeline(), frames, sounds, lambda image: dot, clock, stats, tap=tap
    )
    stop = threading.Event()
    workers = [Worker(reader.name, reader.step, stop) for reader in opened.readers]
    try:
        yield TappedSource(opened, sounds, workers, stop)
    finally:
        stop.set()
        frames.close()
        sounds.close()
        for worker in workers:
            worker.join(_JOIN_S)
        for reader in opened.readers:
            reader.close()
