"""`Recognizer`: events of pictures and sound that a program captures itself.

Place in the flow: the caller in place of readers and threads; behind it the stages of a run, called
one after the other (`realtime.stream`). It starts no thread, opens no device and asks no clock: the
times that it is given are the only ones, so that the same input gives the same events.

A stream that is fed goes by the rules of a live one, on the clock of its own times. A clip waits
for a sense that is behind the other, up to two seconds of stream, then goes without; so a camera
that died does not keep the microphone from being heard.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from realtime.api.fed_stream import FedStream
from realtime.api.options import make_run_config
from realtime.api.wanted import Wanted
from realtime.build import load_models
from realtime.bundle_settings import event_settings, find_bundle
from realtime.clock import NS_PER_S
from realtime.config import RunConfig, SourceConfig
from realtime.event import Event
from realtime.threads.one_off import OneOffThread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from realtime.recognition.models import Models

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
        self._fed: FedStream | None = None

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

    def _stream(self, time_ns: int) -> FedStream:
        if self._models is None:
            raise ValueError("this recognizer was closed")
        if self._fed is None:
            utc = self._start_utc or datetime.now(UTC)
            self._fed = FedStream(
                self._config, self._bundle, self._models, self._wanted, time_ns, utc
            )
        return self._fed


def _ns(t_s: float) -> int:
    if not math.isfinite(t_s):
        raise ValueError(f"a time must be finite, got {t_s}")
    return round(t_s * NS_PER_S)
