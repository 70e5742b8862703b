"""Builds the parts of a run from its settings; starts nothing.

torch is imported only here and below, through `realtime.recognition`, when a run begins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from extractors.frame_transform import FrameTransform, transform_of
from realtime.bundle_settings import grid_hz_of
from realtime.clips.assembler import ClipAssembler
from realtime.clock import NS_PER_S, Clock
from realtime.config import RunConfig, SourceConfig
from realtime.errors import ModelError, UsageError
from realtime.events.label_states import LONGEST_RISE_NS
from realtime.rings import Rings
from realtime.run_context import RunContext
from realtime.sources.base import fed_senses
from realtime.sources.opened import OpenedSource
from realtime.stats import Stats
from realtime.stream import Stream
from weights.bundle import Bundle, EventSpec
from weights.store import default_home

if TYPE_CHECKING:
    from realtime.outputs.recording.feed import RecordFeed
    from realtime.outputs.recording.recorder import Recorder
    from realtime.recognition.batch import BatchRecognizer
    from realtime.recognition.models import Models


def frame_transform(bundle: Bundle) -> FrameTransform:
    """Return what makes a trunk's picture of a frame.

    Raises:
        ModelError: The program does not know the bundle's picture trunk.
    """
    try:
        return transform_of(bundle.visual.trunk)
    except ValueError as error:
        raise ModelError(f"bundle {bundle.name}: {error}") from error


def load_models(bundle: Bundle, config: RunConfig) -> Models:
    """Load the bundle's networks onto the device; takes seconds."""
    from realtime.recognition.models import load_models  # imports torch: only for a run

    return load_models(bundle, config.device, config.precision, config.backend, home=default_home())


def make_recognizer(models: Models, clock: Clock) -> BatchRecognizer:
    """Return what recognizes all streams of a run."""
    from realtime.recognition.batch import BatchRecognizer  # imports torch: only for a run

    return BatchRecognizer(models, clock)


def make_stream(
    run: RunContext,
    source: SourceConfig,
    *,
    rings: Rings,
    opened: OpenedSource,
    recognizer: BatchRecognizer,
    stats: Stats,
    catches_up: bool = False,
) -> Stream:
    """Join one source's rings and its assembler to a stream, and begin the recognizer's memory.

    One that `catches_up` may begin with its past, as `ClipAssembler` says.
    """
    assembler = ClipAssembler(
        source,
        run.config.window,
        rings.timeline,
        rings.frames if opened.senses.picture else None,
        rings.sounds if opened.senses.sound else None,
        run.clock,
        stats,
        rings.lag,
        grid_hz_of(run.bundle, run.config.window.grid_hz),
        catches_up=catches_up,
    )
    recognizer.add(
        source.name,
        n_clips=run.config.window.n_clips,
        stride_ns=assembler.stride_ns,
        stats=stats,
        dated=source.dated,
    )
    stream = Stream(
        run,
        source,
        rings=rings,
        assembler=assembler,
        stats=stats,
        device=recognizer.models.device.type,
        backend=recognizer.models.describe(),
        watched=opened.statuses,
    )
    for reader in opened.readers:
        for sense in fed_senses(reader, opened.senses):
            stream.describe(sense, reader.describe())
    for problem in opened.problems:
        stream.sense_ended(problem.sense, problem.detail)
    return stream


def make_recorder(
    run: RunContext,
    source: SourceConfig,
    *,
    rings: Rings,
    stats: Stats,
    remark: Callable[[str], None],
) -> tuple[Recorder, RecordFeed] | None:
    """Return the recorder and what feeds it, its folder open; None where nothing is recorded.

    Raises:
        UsageError: A label does not exist.
        OutputError: The folder cannot be written to.
    """
    config = run.config
    record = config.record
    if record is None:
        return None
    from realtime.outputs.recording.feed import RecordFeed
    from realtime.outputs.recording.recorder import Recorder  # imports PyAV: only to record
    from realtime.outputs.recording.store import RecordStore

    base = Path(record.directory)
    record = replace(record, labels=chosen_labels(record.labels, run.bundle))
    if config.more_sources:
        record = record.part_of(source.name, len(config.sources))
    store = RecordStore(record, base=base)
    store.open()
    feed = RecordFeed(
        live=source.live, max_fps=record.max_fps, paused=lambda: run.is_paused(source.name)
    )
    hop_s = max(config.window.hop_s, 1.0) if source.live else config.window.hop_s  # under load
    recorder = Recorder(
        config=record,
        source=source.name,
        store=store,
        feed=feed,
        timeline=rings.timeline,
        audio_clock=lambda: rings.sounds.clock,
        clock=run.clock,
        stats=stats,
        lookback_s=lookback_s(run.events, hop_s),
        update_s=run.events.update_s,
        until_t_ns=run.until_t_ns,
        remark=remark,
    )
    return recorder, feed


def lookback_s(events: EventSpec, hop_s: float) -> float:
    """Return how far, at most, an onset or an offset lies behind what was recognized last, s.

    Args:
        events: Thresholds and times.
        hop_s: The longest time between two decisions.
    """
    onset_s = events.min_duration_s + LONGEST_RISE_NS / NS_PER_S
    offset_s = events.merge_gap_s + hop_s
    return 1.0 + events.confirm[1] * hop_s + max(onset_s, offset_s)  # a clip is a second


def chosen_labels(texts: Sequence[str], bundle: Bundle) -> tuple[str, ...]:
    """Read texts with one label each, or several with commas between.

    A label may hold commas itself, so the longest of the bundle's labels that fits is taken.

    Raises:
        UsageError: A label does not exist.
    """
    by_pieces = {_pieces(label): label for label in bundle.labels}
    chosen: list[str] = []
    unknown: list[str] = []
    for text in texts:
        pieces = _pieces(text)
        while pieces:
            ends = range(len(pieces), 0, -1)
            end = next((end for end in ends if pieces[:end] in by_pieces), None)
            if end is None:
                unknown.append(pieces[0])
            else:
                chosen.append(by_pieces[pieces[:end]])
            pieces = pieces[end or 1 :]
    if unknown:
        raise UsageError(
            f"--record-labels names labels that bundle {bundle.name} has not: "
            f"{', '.join(unknown)}; it has {'; '.join(bundle.labels)}"
        )
    return tuple(chosen)


def _pieces(text: str) -> tuple[str, ...]:
    return tuple(piece.strip() for piece in text.split(","))
