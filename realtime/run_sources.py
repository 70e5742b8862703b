"""All sources of a run: what each URL gives, their readers, their streams and how they end.

Each URL is asked once what it gives, before anything is built. Of several sources one may fail, or
come later; a run whose sources all fail does not begin.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace

from realtime.buffers.signal import DataSignal
from realtime.build import frame_transform
from realtime.bundle_settings import grid_hz_of
from realtime.clock import Clock, Timeline
from realtime.config import RunConfig
from realtime.errors import SourceError
from realtime.output_threads import OutputThreads
from realtime.packets import Prediction, SenseState
from realtime.rings import Rings
from realtime.run_context import RunContext
from realtime.run_source import RunSource
from realtime.sources.base import Hangable, Reader
from realtime.sources.inquiry import Answer, inquire
from realtime.sources.opened import OpenedSource
from realtime.stats import Damage, Stats, StatsSnapshot
from realtime.stream import Stream
from realtime.threads.worker import Worker

logger = logging.getLogger(__name__)

GONE = (SenseState.LOST, SenseState.ABSENT, SenseState.ENDED)


class RunSources(list[RunSource]):
    """In the order of the settings; main thread only, but for what is read of the streams."""

    def open(
        self,
        run: RunContext,
        answers: Sequence[Answer | SourceError],
        output_threads: OutputThreads,
        signal: DataSignal,
        stats: Stats,
        stop: threading.Event,
    ) -> list[OpenedSource]:
        """Open the readers of each source; its recorder goes to the outputs.

        Args:
            run: What all streams share.
            answers: Of `ask_sources`, one a source.
            output_threads: The run's outputs.
            signal: Notified when a ring has something new.
            stats: The run's figures.
            stop: Ends the readers' threads.

        Raises:
            SourceError: Nothing of any source is there, and none is waited for.
        """
        transform, started_ns = frame_transform(run.bundle), run.clock.now_ns()
        opened: list[OpenedSource] = []
        for config, answer in zip(run.config.sources, answers, strict=True):
            timeline = Timeline(run.wall, None if config.dated else started_ns)
            # One stream's figures are the run's; of several, each has its own and the run the sum.
            its_stats = Stats(stats) if run.config.more_sources else stats
            grid_hz = grid_hz_of(run.bundle, run.config.window.grid_hz)
            rings = Rings(config, transform.size, timeline, its_stats, signal, grid_hz)
            source = RunSource(config=config, rings=rings, stats=its_stats)
            self.append(source)
            opened.append(
                source.open(
                    run,
                    output_threads,
                    transform.resize,
                    stop,
                    container=answer.container if isinstance(answer, Answer) else None,
                    fault=answer if isinstance(answer, SourceError) else None,
                )
            )
        self._give_up_if_nothing_opened(opened)
        return opened

    def readers(self) -> list[tuple[Reader, Worker]]:
        """Return all readers with their threads."""
        return [pair for source in self for pair in source.readers]

    def streams(self) -> list[Stream]:
        """Return the streams, as far as they are made."""
        return [source.stream for source in self if source.stream is not None]

    def decisions(self, source: str, since_t_ns: int, until_t_ns: int) -> list[Prediction]:
        """Return what a stream decided lately, by its name; see `Stream.decisions`."""
        found = (stream for stream in self.streams() if stream.name == source)
        return next((each.decisions(since_t_ns, until_t_ns) for each in found), [])

    def shown(self) -> int:
        """Return which is shown large: the first that goes on."""
        return next((i for i, s in enumerate(self) if s.stream and not s.stream.over), 0)

    def survivors(self) -> list[str]:
        """Return the names of threads that hang in a driver, once all is closed."""
        readers = (reader for reader, _ in self.readers())
        return [name for r in readers if isinstance(r, Hangable) for name in r.survivors()]

    def sense_states(self) -> dict[str, dict[str, str]]:
        """Return the state of each sense by the stream's name, for heartbeats."""
        return {
            stream.name: {s.sense.value: s.state.value for s in stream.senses()}
            for stream in self.streams()
        }

    def figures(self) -> dict[str, StatsSnapshot]:
        """Return each stream's figures by its name; none of a lone stream, whose are the run's."""
        if len(self) < 2:
            return {}
        return {source.config.name: source.stats.snapshot() for source in self}

    def sound_levels(self) -> dict[str, float | None]:
        """Return each source's newest sound level, dB of full scale, by its name."""
        return {source.config.name: source.stats.sound_level_db for source in self}

    def is_every_sense_gone(self) -> bool:
        """Whether no stream has a sense left."""
        return all(s.state in GONE for stream in self.streams() for s in stream.senses())

    def raise_fault(self) -> None:
        """Raise the first fault that cost a source a sense, if there was one."""
        for source in self:
            if source.error is not None:
                raise source.error

    def raise_damage(self) -> None:
        """Raise what of a file came broken or not at all, if anything did."""
        for source in self:
            damage = Damage.counted(source.stats.counts())
            if damage and not source.config.live:
                raise SourceError(
                    f"{source.config.name} is damaged ({damage.describe()}); all that could be "
                    "read of it was recognized, so check the copy against its origin"
                )

    def _give_up_if_nothing_opened(self, opened: Sequence[OpenedSource]) -> None:
        """Raise the first source's fault if nothing of any is there, unless one is waited for."""
        pairs = list(zip(self, opened, strict=True))
        faults = [fault for s, o in pairs if (fault := s.error or o.fault) is not None]
        is_awaited = any(source.config.wait and o.fault is not None for source, o in pairs)
        if len(faults) == len(pairs) and not is_awaited:
            raise faults[0]
        for source in self:
            if source.error is not None:
                logger.warning("%s: running on without it: %s", source.config.name, source.error)


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
