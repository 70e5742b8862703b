"""One source of a run while it is opened and read: its rings, readers and threads, its stream.

Each URL is asked once what it gives, before anything is built. Of several sources one may fail, or
come later; a run whose sources all fail does not begin.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from realtime.av_offset.offsets import Offsets
from realtime.build import make_recorder
from realtime.clock import Clock
from realtime.config import RunConfig, SourceConfig
from realtime.errors import SourceError
from realtime.output_threads import OutputThreads
from realtime.packets import SenseState, SenseStatus
from realtime.rings import Rings
from realtime.run_context import RunContext
from realtime.sources.base import Reader, SourceSenses, fed_senses
from realtime.sources.factory import open_readers
from realtime.sources.inquiry import Answer, inquire
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


def ask_sources(
    config: RunConfig, clock: Clock, stats: Stats
) -> tuple[RunConfig, list[Answer | SourceError]]:
    """Find out what each URL gives: a recording changes how its stream is built.

    Returns:
        The run with its sources as they turned out to be, and each one's answer.

    Raises:
        SourceError: The only source cannot be opened, and is not waited for.
    """
    answers: list[Answer | SourceError] = []
    try:
        for source in config.sources:
            try:
                answers.append(inquire(source, clock, stats))
            except SourceError as error:
                if not (config.more_sources or source.wait):
                    raise
                answers.append(error)
    except BaseException:
        close_containers(answers)
        raise
    told = [
        answer.config if isinstance(answer, Answer) else source
        for answer, source in zip(answers, config.sources, strict=True)
    ]
    return replace(config, source=told[0], more_sources=tuple(told[1:])), answers


def close_containers(answers: Sequence[Answer | SourceError]) -> None:
    """Close the streams that were opened to ask; closing twice does no harm."""
    for answer in answers:
        if isinstance(answer, Answer) and answer.container is not None:
            answer.container.close()


def give_up_if_nothing_opened(sources: Sequence[RunSource], opened: Sequence[OpenedSource]) -> None:
    """Raise the first source's fault if nothing of any is there, unless one is waited for."""
    pairs = list(zip(sources, opened, strict=True))
    faults = [fault for s, o in pairs if (fault := s.error or o.fault) is not None]
    is_awaited = any(source.config.wait and o.fault is not None for source, o in pairs)
    if len(faults) == len(pairs) and not is_awaited:
        raise faults[0]
    for source in sources:
        if source.error is not None:
            logger.warning("%s: running on without it: %s", source.config.name, source.error)
