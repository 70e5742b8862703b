"""Cameras, microphones, files and streams: each is opened and read for a moment.

They are opened as a run would, each in a thread that is given up when a driver hangs. What comes is
counted by the tap that a recorder has; nothing is recognized.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from realtime.clock import NS_PER_S, Clock
from realtime.config import SourceConfig
from realtime.doctor.finding import Finding, State, failure, good, warning
from realtime.errors import SourceError
from realtime.packets import CLIP_SAMPLES
from realtime.redaction import redacted_location
from realtime.tapped_source import TappedSource, tapped_source
from realtime.threads.worker import Worker
from weights.printable import first_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOOK_S = 2.0  # of pictures, after the first
LISTEN_S = 1.0
_FIRST_S = 10.0  # until the first picture or sound comes
_STEP_NS = NS_PER_S // 10
_JOIN_S = 1.0
_SILENT_DBFS = -80.0  # the noise of any open microphone lies above


@dataclass(slots=True)
class _Counter:
    """Counts what is captured; see `realtime.sources.base.Tap`. Each method has its own thread."""

    times_ns: list[int] = field(default_factory=list)
    size: tuple[int, int] = (0, 0)
    n_samples: int = 0
    energy: float = 0.0

    def take_frame(
        self, time_ns: int, render: Callable[[], NDArray[np.uint8]]
    ) -> Callable[[], NDArray[np.uint8]]:
        if not self.times_ns:
            image = render()
            self.size = (image.shape[1], image.shape[0])
        self.times_ns.append(time_ns)
        return render

    def take_sound(self, first_index: int, samples: NDArray[np.float32]) -> None:
        del first_index
        self.energy += float(np.square(samples, dtype=np.float64).sum())
        self.n_samples += len(samples)

    @property
    def seen_s(self) -> float:
        return (self.times_ns[-1] - self.times_ns[0]) / NS_PER_S if self.times_ns else 0.0

    @property
    def level_dbfs(self) -> float:
        """Root mean square over full scale, dB."""
        power = self.energy / max(1, self.n_samples)
        return 10 * math.log10(power) if power > 0 else -math.inf


def check_source(source: SourceConfig, clock: Clock) -> Iterator[Finding]:
    """Open what a source asks for and read it; a camera and a microphone one after the other."""
    if source.kind == "demo":
        yield good("demo", "built in")
        return
    if source.kind == "media":
        name = f"source {source.name}"
        yield _look(name, source, clock, picture=True, sound=True)
        return
    if source.camera is not None:
        name = f"camera {redacted_location(source.camera)}"
        yield _look(name, replace(source, microphone=None), clock, picture=True, sound=False)
    if source.microphone is not None:
        name = f"microphone {source.microphone}"
        yield _look(name, replace(source, camera=None), clock, picture=False, sound=True)


def check_all_devices(clock: Clock) -> Iterator[Finding]:
    """Open the first camera and the default microphone, where no source was named."""
    from realtime.sources.devices import camera_numbers

    cameras = camera_numbers()
    if cameras:
        yield from check_source(SourceConfig(name="a", kind="live", camera=cameras[0]), clock)
    else:
        yield warning("camera", "none found; plug one in, or give --camera URL")
    microphone = SourceConfig(name="a", kind="live", microphone="default")
    for finding in check_source(microphone, clock):
        yield replace(finding, state=State.WARNING) if finding.state != State.OK else finding


def _look(name: str, source: SourceConfig, clock: Clock, *, picture: bool, sound: bool) -> Finding:
    """Read a source in a thread of its own, which is given up when it hangs."""
    found: list[Finding] = []

    def read() -> bool:
        found.append(_read(name, source, clock, picture=picture, sound=sound))
        return False

    worker = Worker("doctor", read, threading.Event())
    worker.start()
    if not worker.join(source.hang_s + _FIRST_S + LOOK_S + _JOIN_S):
        return failure(name, "it hangs; unplug it, or start the machine anew")
    if isinstance(worker.error, SourceError):
        return failure(name, str(worker.error))
    if worker.error is not None:
        told = f"{type(worker.error).__name__}: {first_line(worker.error)}"
        return failure(name, f"reading it failed ({told}); give another, and report this one")
    return found[0]


def _read(name: str, source: SourceConfig, clock: Clock, *, picture: bool, sound: bool) -> Finding:
    counter = _Counter()
    with tapped_source(replace(source, pace=True), counter, clock) as tapped:
        for problem in tapped.opened.problems:
            raise SourceError(problem.detail)
        tapped.start()
        senses = tapped.opened.senses
        picture, sound = picture and senses.picture, sound and senses.sound
        _wait(counter, tapped, clock, picture=picture, sound=sound)
    for worker in tapped.workers:
        if worker.error is not None:
            raise worker.error
    about = ", ".join(reader.describe() for reader in tapped.opened.readers)
    return _judge(name, about, counter, picture=picture, sound=sound)


def _wait(
    counter: _Counter, tapped: TappedSource, clock: Clock, *, picture: bool, sound: bool
) -> None:
    """Wait until enough was seen and heard, the source ends, or nothing comes."""
    end_ns = clock.now_ns() + round((_FIRST_S + LOOK_S) * NS_PER_S)
    while clock.now_ns() < end_ns and any(worker.alive for worker in tapped.workers):
        clock.wait(tapped.stop, _STEP_NS)
        seen = not picture or counter.seen_s >= LOOK_S
        heard = not sound or counter.n_samples >= LISTEN_S * CLIP_SAMPLES
        if seen and heard:
            return


def _judge(name: str, about: str, counter: _Counter, *, picture: bool, sound: bool) -> Finding:
    parts = []
    missing = []
    if picture and counter.times_ns:
        width, height = counter.size
        rate = (len(counter.times_ns) - 1) / counter.seen_s if counter.seen_s else 0.0
        parts.append(
            f"pictures of {width}x{height} at {rate:.1f} a second" if rate else "a picture"
        )
    elif picture:
        missing.append("no picture")
    if sound and counter.n_samples:
        parts.append(f"sound at {counter.level_dbfs:.0f} dBFS")
    elif sound:
        missing.append("no sound")
    said = ", ".join([about, *parts])
    if missing:
        return failure(name, f"{said}: {' and '.join(missing)} came; is another program using it?")
    if sound and not picture and counter.level_dbfs < _SILENT_DBFS:
        return warning(name, f"{said}, which is silence; unmute it, or turn its level up")
    return good(name, said)
