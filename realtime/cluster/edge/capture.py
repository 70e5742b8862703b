"""An edge's own half of a stream: sources and rings, as in a run, and no networks.

What `realtime.run_source` does for a stream that is recognized here, without recorder and stream.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import replace

from extractors.frame_transform import FrameTransform
from realtime.av_offset.offsets import Offsets
from realtime.buffers.signal import DataSignal
from realtime.clock import Clock
from realtime.cluster.edge.grid_timeline import GridTimeline
from realtime.cluster.wire.protocol import Welcome
from realtime.config import SourceConfig
from realtime.errors import SourceError
from realtime.packets import Sense
from realtime.rings import Rings
from realtime.sources.base import Reader, SourceSenses, fed_senses
from realtime.sources.factory import open_readers
from realtime.sources.inquiry import inquire
from realtime.stats import Stats
from realtime.threads.worker import Worker
from weights.store import default_home

logger = logging.getLogger(__name__)

_JOIN_S = 1.0
_NO_SCALE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)  # the pool normalizes


class Capture:
    """Captures one source; the main thread's.

    Args:
        config: The source; a file is played as it plays.
        welcome: The pictures that are wanted.
        news: Notified when a ring has something new.
        clock: This machine's.

    Raises:
        SourceError: Nothing of it can be opened.
    """

    def __init__(
        self, config: SourceConfig, welcome: Welcome, news: DataSignal, clock: Clock
    ) -> None:
        stats = Stats()
        answer = inquire(config, clock, stats)
        config = answer.config
        if not config.live:
            config = replace(config, pace=True)
        self.timeline = GridTimeline()
        self.rings = Rings(
            config, welcome.size, self.timeline, stats, all_streams=news, grid_hz=welcome.grid_hz
        )
        self.error: Exception | None = None
        self._stop = threading.Event()
        transform = FrameTransform(
            resize_to=welcome.resize_to,
            size=welcome.size,
            crop=welcome.crop,
            interpolation=welcome.interpolation,
            mean=_NO_SCALE[0],
            std=_NO_SCALE[1],
        )
        opened = open_readers(
            config,
            self.timeline,
            self.rings.frames,
            self.rings.sounds,
            transform.resize_without_torch,
            clock,
            stats,
            offset_of=Offsets(default_home()).of,
            container=answer.container,
            lag=self.rings.lag,
        )
        self.senses = opened.senses
        for sense in Sense:
            if sense not in self.senses.there():
                self.rings.end(sense)
        self._readers = [(r, self._worker(r, opened.senses)) for r in opened.readers]

    def start(self) -> None:
        """Begin; the stream's first sample is the next one."""
        for reader, worker in self._readers:
            logger.info("captures %s", reader.describe())
            worker.start()

    def close(self) -> None:
        """Stop the readers and let go of the devices."""
        self._stop.set()
        self.rings.close()
        for reader, worker in self._readers:
            if worker.join(_JOIN_S):
                reader.close()

    def raise_fault(self) -> None:
        """Raise what cost the source a sense, if anything did."""
        if isinstance(self.error, SourceError):
            raise self.error
        if self.error is not None:
            raise SourceError(f"the source failed: {self.error}") from self.error

    def _worker(self, reader: Reader, senses: SourceSenses) -> Worker:
        def ended(error: Exception | None) -> None:
            self.error = self.error or error
            for sense in fed_senses(reader, senses):
                self.rings.end(sense)
            reader.close()

        return Worker(reader.name, reader.step, self._stop, ended)
