"""One source of a run while it is opened and read: its rings, readers and threads, its stream.

Of several sources one may fail, or come later (`realtime.run_sources`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from realtime.av_offset.offsets import Offsets
from realtime.build import make_recorder
from realtime.config import SourceConfig
from realtime.errors import SourceError
from realtime.output_threads import OutputThreads
from realtime.packets import SenseState, SenseStatus
from realtime.rings import Rings
from realtime.run_context import RunContext
from realtime.sources.base import Reader, SourceSenses, fed_senses
from realtime.sources.factory import open_readers
from realtime.sources.opened import OpenedSource, asked_senses
from realtime.stats import Stats
from realtime.stream import Stream
from realtime.threads.worker import Worker
from weights.store import default_home

if TYPE_CHECKING:
    from realtime.sources.container import MediaContainer

logger = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class RunSource:
    """What the pipeline holds of a source; main thread only, but for what its readers end."""

    config: SourceConfig
    rings: Rings
    stats: Stats
    readers: list[tuple[Reader, Worker]] = field(default_factory=list)
    error: Exception | None = None  # the first that cost it a sense
    stream: Stream | None = None

    def open(
        self,
        run: RunContext,
        output_threads: OutputThreads,
        resize: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
        stop: threading.Event,
        *,
        container: MediaContainer | None,
        fault: SourceError | None,
    ) -> OpenedSource:
        """Open the readers, the recorder first; one of several may fail, or come later.

        Args:
            run: What all streams share.
            output_threads: Where a recorder goes.
            resize: Makes the trunk's picture of a frame.
            stop: Ends the readers' threads.
            container: The open stream, where it was opened to find out what it is.
            fault: Why it could not be opened for that.

        Raises:
            SourceError: It is the run's only source, and nothing of it can be opened.
        """
        recording = make_recorder(
            run, self.config, rings=self.rings, stats=self.stats, remark=self._remark
        )
        if recording is not None:
            output_threads.add_recorder(self.config.name, *recording)
        rings = self.rings
        is_one_of_several = bool(run.config.more_sources)
        try:
            opened = open_readers(
                self.config,
                rings.timeline,
                rings.frames,
                rings.sounds,
                resize,
                run.clock,
                self.stats,
                tap=None if recording is None else recording[1],
                offset_of=Offsets(default_home()).of,
                container=container,
                fault=fault,
                wait=is_one_of_several,
                lag=rings.lag,
            )
        except SourceError as error:
            if not is_one_of_several:
                raise
            self.error = error
            asked = asked_senses(self.config)
            lost = [
                SenseStatus(sense=sense, state=SenseState.LOST, detail=str(error))
                for sense in asked.there()
            ]
            return OpenedSource(readers=[], senses=asked, problems=lost)
        for reader in opened.readers:
            self.readers.append((reader, self._worker(reader, opened.senses, stop)))
        return opened

    def _remark(self, sentence: str) -> None:
        if self.stream is not None:
            self.stream.remark(sentence)

    def _worker(self, reader: Reader, senses: SourceSenses, stop: threading.Event) -> Worker:
        def ended(error: Exception | None) -> None:
            if error is not None:
                self.error = self.error or error
            for sense in fed_senses(reader, senses):
                if self.stream is not None:
                    self.stream.sense_ended(sense, None if error is None else str(error))
            reader.close()

        return Worker(reader.name, reader.step, stop, ended)
