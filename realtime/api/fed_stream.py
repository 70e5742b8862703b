"""A stream that is fed: the stages of a run, called one after the other as samples come.

Place in the flow: `realtime.api.push` hands over what its caller captured; behind it are rings,
stream and recognizer, without threads. Its clock is moved by the times that it is given.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from realtime.api.wanted import Wanted
from realtime.buffers.signal import DataSignal
from realtime.build import frame_transform, make_recognizer, make_stream
from realtime.bundle_settings import event_settings, grid_hz_of
from realtime.clock import NS_PER_S, ManualClock, Timeline, WallClock
from realtime.config import RunConfig
from realtime.event import Event
from realtime.outputs.wire import Message
from realtime.packets import SLOT_NS, Sense
from realtime.rings import Rings
from realtime.run_context import RunContext
from realtime.sources.audio_intake import AudioIntake
from realtime.sources.base import SourceSenses
from realtime.sources.opened import OpenedSource
from realtime.sources.video_intake import VideoIntake, slot_of
from realtime.stats import Stats
from realtime.stream import Stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from realtime.recognition.models import Models
    from weights.bundle import Bundle

logger = logging.getLogger(__name__)


class FedStream:
    """One stream from its first sample to its end; for one thread at a time.

    Args:
        config: The run.
        bundle: The weights.
        models: The bundle's networks.
        wanted: Which events are told.
        begin_ns: When its first sample is, on the caller's clock.
        utc: The same moment.

    Attributes:
        sound_end_ns: Where the sound ends so far; None before it begins.
    """

    def __init__(
        self,
        config: RunConfig,
        bundle: Bundle,
        models: Models,
        wanted: Wanted,
        begin_ns: int,
        utc: datetime,
    ) -> None:
        source = config.source
        transform = frame_transform(bundle)
        self._clock = ManualClock(begin_ns)
        self._wanted = wanted
        self._events: list[Event] = []
        wall = WallClock.fixed(utc, begin_ns)
        stats = Stats()
        timeline = Timeline(wall)
        grid_hz = grid_hz_of(bundle, config.window.grid_hz)
        self._rings = Rings(source, transform.size, timeline, stats, DataSignal(), grid_hz)
        self._video = VideoIntake(
            timeline, self._rings.frames, transform.resize, live=False, stats=stats
        )
        self._timeline, self._stats, self._name = timeline, stats, source.name
        self._audio: AudioIntake | None = None
        self.sound_end_ns: int | None = None
        self._recognizer = make_recognizer(models, self._clock)
        events = event_settings(bundle, config.events)
        run = RunContext.begin(
            config, bundle, events, clock=self._clock, wall=wall, emit=self._emit
        )
        senses = SourceSenses(
            picture=source.camera is not None, sound=source.microphone is not None
        )
        self._stream: Stream = make_stream(
            run,
            source,
            rings=self._rings,
            opened=OpenedSource(readers=[], senses=senses),
            recognizer=self._recognizer,
            stats=stats,
        )

    def take_frame(self, picture: NDArray[np.uint8], time_ns: int) -> list[Event]:
        """Take RGB uint8 `(H, W, 3)`; return the events that were told meanwhile."""
        self._video.append(time_ns, picture.copy())  # which of a slot is taken shows later
        return self._run_to(time_ns)

    def take_sound(
        self, samples: NDArray[np.float32], sample_rate: int, time_ns: int
    ) -> list[Event]:
        """Take float32 `(n,)` or `(n, n_channels)`; return the events that were told meanwhile."""
        n_channels = 1 if samples.ndim == 1 else samples.shape[1]
        if self._audio is None:
            self._audio = AudioIntake(
                self._timeline,
                self._rings.sounds,
                sample_rate,
                n_channels,
                live=False,
                stats=self._stats,
                say=lambda sentence: logger.warning("%s: %s", self._name, sentence),
            )
        self._audio.retune(sample_rate, n_channels)
        step = max(1, sample_rate * SLOT_NS // NS_PER_S)  # what is long passes in sixteenths
        events: list[Event] = []
        for first in range(0, len(samples), step):
            part = samples[first : first + step]
            self._audio.append(part, time_ns + first * NS_PER_S // sample_rate)
            end_ns = time_ns + (first + len(part)) * NS_PER_S // sample_rate
            self.sound_end_ns = end_ns
            events += self._run_to(end_ns)
        return events

    def finish(self, end_ns: int | None) -> list[Event]:
        """End the stream, at `end_ns` or with the longer sense; return the rest of its events."""
        self._video.end()
        if end_ns is not None and self._timeline.epoch_ns is not None:
            self._rings.frames.end(slot_of(end_ns - self._timeline.epoch_ns))
        if self._audio is not None:
            self._audio.end()
        self._rings.end(Sense.SOUND)
        self._recognize()
        self._stream.finish(None)
        return self._take_events()

    def _run_to(self, time_ns: int) -> list[Event]:
        self._clock.advance(max(0, time_ns - self._clock.now_ns()))
        self._recognize()
        return self._take_events()

    def _recognize(self) -> None:
        while not self._stream.over:
            clip, _ = self._stream.poll()
            if clip is None:
                return
            (prediction,) = self._recognizer.step([(self._stream.name, clip)])
            self._stream.take(clip, prediction)

    def _emit(self, message: Message) -> None:
        if message.body["type"] == "event":
            event = Event.from_message(message.body)
            if self._wanted.wants(event):
                self._events.append(self._on_callers_clock(event))

    def _on_callers_clock(self, event: Event) -> Event:
        epoch_ns = self._timeline.epoch_ns or 0
        if not epoch_ns:
            return event
        epoch_s, evidence = epoch_ns / NS_PER_S, event.evidence
        if evidence is not None:
            evidence = replace(
                evidence,
                clip_end_s=tuple(end_s + epoch_s for end_s in evidence.clip_end_s),
                strongest_s=evidence.strongest_s + epoch_s,
            )
        return replace(
            event,
            onset_s=event.onset_s + epoch_s,
            offset_s=None if event.offset_s is None else event.offset_s + epoch_s,
            evidence=evidence,
        )

    def _take_events(self) -> list[Event]:
        events, self._events = self._events, []
        return events
