"""`Recognizer`: events of pictures and sound that a program captures itself.

Place in the flow: the caller in place of readers and threads; behind it the stages of a run, called
one after the other (`realtime.stream`). It starts no thread, opens no device and asks no clock: the
times that it is given are the only ones, so that the same input gives the same events.

A stream that is fed goes by the rules of a live one, on the clock of its own times. A clip waits
for a sense that is behind the other, up to two seconds of stream, then goes without; so a camera
that died does not keep the microphone from being heard.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from realtime.api.options import make_run_config
from realtime.api.wanted import Wanted
from realtime.buffers.signal import DataSignal
from realtime.build import frame_transform, load_models, make_recognizer, make_stream
from realtime.bundle_settings import event_settings, find_bundle
from realtime.clock import NS_PER_S, ManualClock, Timeline, WallClock
from realtime.config import RunConfig, SourceConfig
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
from realtime.threads.one_off import OneOffThread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from realtime.recognition.models import Models
    from weights.bundle import Bundle

logger = logging.getLogger(__name__)

PATIENCE_S = 2.0  # the most that a source may have; the rings hold four seconds


class _FedConfig(SourceConfig):
    """A stream with a live one's rules whose times say nothing of latency."""

    __slots__ = ()

    @property
    def dated(self) -> bool:
        """Whether samples are dated on the machine's clock: never."""
        return False


class Recognizer:
    """Recognizes one stream that the caller feeds; for one thread at a time.

        with Recognizer() as recognizer:
            for picture, sound, t_s in my_capture():
                events = recognizer.feed_frame(picture, t_s)
                events += recognizer.feed_sound(sound, 48_000, t_s)

    Both methods return what was told meanwhile, oldest first, and take as long as the networks do.
    Times are the caller's: seconds on any clock that does not go back, the same for both senses.
    Events are on it too. Feed the senses in turn: what is more than two seconds behind the other
    counts as missing.

    Args:
        name: The stream's name in events.
        picture: Whether pictures will come; without them nobody waits for any.
        sound: Likewise.
        labels: As of `recognize`, and so are all that follow.
        phases: Which messages of an event.
        config: A settings file or a `RunConfig`; its source, its outputs and its duration have no
            meaning here.
        bundle: The weights.
        device: Where the networks run.
        backend: What runs them.
        precision: How precisely.
        hop_s: Time between decisions.
        n_clips: Seconds in the window.
        on: Score at which an event starts.
        off: Score under which it ends.
        per_label: `{label: (on, off)}`.
        start_utc: UTC of the first picture or sound; by default, when it is fed.

    Raises:
        UsageError: The arguments cannot work.
        ModelError: The bundle cannot be used.
    """

    def __init__(
        self,
        *,
        name: str = "fed",
        picture: bool = True,
        sound: bool = True,
        labels: Iterable[str] = (),
        phases: str | Iterable[str] = ("onset",),
        config: str | os.PathLike[str] | RunConfig | None = None,
        bundle: str | os.PathLike[str] | None = None,
        device: str | None = None,
        backend: str | None = None,
        precision: str | None = None,
        hop_s: float | None = None,
        n_clips: int | None = None,
        on: float | None = None,
        off: float | None = None,
        per_label: Mapping[str, tuple[float, float]] | None = None,
        start_utc: datetime | None = None,
    ) -> None:
        fed = _FedConfig(
            name=name,
            kind="live",
            camera="fed" if picture else None,
            microphone="fed" if sound else None,
            patience_s=PATIENCE_S,
        )
        run = make_run_config(
            None if isinstance(config, RunConfig) else fed,
            config,
            bundle=None if bundle is None else os.fspath(bundle),
            device=device,
            backend=backend,
            precision=precision,
            hop=hop_s,
            window=n_clips,
            on=on,
            off=off,
            per_label=per_label,
        )
        if start_utc is not None and start_utc.tzinfo is None:
            raise ValueError("start_utc wants a time zone, such as datetime.now(UTC)")
        self._source = fed
        self._config = replace(run, source=fed, more_sources=(), duration_s=None)
        self._bundle = find_bundle(self._config.bundle)
        self._wanted = Wanted(labels, phases, self._bundle)
        event_settings(self._bundle, self._config.events)  # refused before seconds of loading
        self._models: Models | None = OneOffThread("load").run(
            lambda: load_models(self._bundle, self._config)
        )
        self._start_utc = start_utc
        self._fed: _FedStream | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """What the bundle can name."""
        return self._bundle.labels

    def feed_frame(self, picture: NDArray[Any], t_s: float) -> list[Event]:
        """Take one picture; sixteen a second are enough, more do no harm.

        Args:
            picture: RGB uint8 `(H, W, 3)`, upright; it is copied, so that a driver may reuse it.
            t_s: When it was taken, seconds. One before the stream's beginning, or before its
                predecessor, is passed over.

        Returns:
            The events that were told meanwhile.

        Raises:
            ValueError: It is no such array or time, or the recognizer has no picture.
        """
        if self._source.camera is None:
            raise ValueError("this recognizer was made with picture=False")
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise ValueError(
                f"a picture must be RGB uint8 (H, W, 3), got {picture.dtype} {picture.shape}"
            )
        if not picture.size:
            raise ValueError(f"a picture must have pixels, got {picture.shape}")
        time_ns = _ns(t_s)
        return self._stream(time_ns).take_frame(picture, time_ns)

    def feed_sound(
        self, samples: NDArray[Any], sample_rate: int, t_s: float | None = None
    ) -> list[Event]:
        """Take one block of sound, of any length.

        Args:
            samples: Float32 `(n,)` or `(n, n_channels)` in [-1, 1].
            sample_rate: Of the block, Hz.
            t_s: When its first sample was heard, seconds; None for right after the last block. A
                hole of more than 0.1 s counts as lost sound, never as silence.

        Returns:
            The events that were told meanwhile.

        Raises:
            ValueError: It is no such array, rate or time, or the recognizer has no sound.
        """
        if self._source.microphone is None:
            raise ValueError("this recognizer was made with sound=False")
        if samples.dtype != np.float32 or samples.ndim not in (1, 2):
            raise ValueError(
                "sound must be float32 (n,) or (n, n_channels), got "
                f"{samples.dtype} {samples.shape}"
            )
        if samples.ndim == 2 and not samples.shape[1]:
            raise ValueError(f"sound must have a channel, got {samples.shape}")
        if t_s is None:
            time_ns = None if self._fed is None else self._fed.sound_end_ns
            if time_ns is None:
                raise ValueError("the first block of sound wants its time, t_s")
        else:
            time_ns = _ns(t_s)
        return self._stream(time_ns).take_sound(samples, sample_rate, time_ns)

    def finish(self, t_s: float | None = None) -> list[Event]:
        """End the stream; what is fed next begins another one.

        Args:
            t_s: Where it ends, seconds: until when the last picture shows. None for where the
                longer sense ends.

        Returns:
            The rest of its events, with the offsets of those that went on.
        """
        fed, self._fed = self._fed, None
        return [] if fed is None else fed.finish(None if t_s is None else _ns(t_s))

    def close(self) -> None:
        """Forget the networks; nothing can be fed any more. May be called again."""
        self._fed = self._models = None

    def __enter__(self) -> Recognizer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _stream(self, time_ns: int) -> _FedStream:
        if self._models is None:
            raise ValueError("this recognizer was closed")
        if self._fed is None:
            utc = self._start_utc or datetime.now(UTC)
            self._fed = _FedStream(
                self._config, self._bundle, self._models, self._wanted, time_ns, utc
            )
        return self._fed


class _FedStream:
    """One stream from its first sample to its end."""

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
        self._rings = Rings(
            source, transform.size, timeline, stats, DataSignal(), bundle.visual.grid_hz
        )
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
        self._video.append(time_ns, picture.copy())  # which of a slot is taken shows later
        return self._run_to(time_ns)

    def take_sound(
        self, samples: NDArray[np.float32], sample_rate: int, time_ns: int
    ) -> list[Event]:
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


def _ns(t_s: float) -> int:
    if not math.isfinite(t_s):
        raise ValueError(f"a time must be finite, got {t_s}")
    return round(t_s * NS_PER_S)
