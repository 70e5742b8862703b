"""`--calibrate`: somebody claps in front of the camera, and the pair's constant offset is kept.

It opens camera and microphone as a run would, takes every frame and block by their tap, and
recognizes nothing. `claps` finds and measures, `offsets` keeps; a run of the same pair then dates
its late sense so much earlier. Sound needs 3 ms a metre: clap near by.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from realtime.av_offset.claps import MIN_CLAPS, Measurement, heard, measure, seen
from realtime.clock import NS_PER_MS, NS_PER_S, Clock
from realtime.config import SourceConfig
from realtime.errors import SourceError, UsageError
from realtime.packets import Sense
from realtime.sources.base import fed_senses
from realtime.sources.opened import OpenedSource
from realtime.tapped_source import TappedSource, tapped_source

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from realtime.av_offset.offsets import Offsets

LENGTH_S = 30.0
ENOUGH_CLAPS = 6
LOOK_NS = NS_PER_S // 2
ROWS = 48  # of the shrunk picture in which movement is looked for


class ClapTap:
    """Notes what is captured; see `realtime.sources.base.Tap`. Each method has its own thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: NDArray[np.float32] | None = None
        self._frames: list[tuple[int, float]] = []  # time, movement since the frame before
        self._blocks: list[tuple[int, NDArray[np.float32]]] = []

    def take_frame(
        self, time_ns: int, render: Callable[[], NDArray[np.uint8]]
    ) -> Callable[[], NDArray[np.uint8]]:
        """Note how much moved since the frame before."""
        image = render()
        step = max(1, image.shape[0] // ROWS)
        small = image[::step, ::step].mean(axis=2, dtype=np.float32)
        last, self._last = self._last, small
        moved = 0.0
        if last is not None and last.shape == small.shape:
            moved = float(np.abs(small - last).mean())
        with self._lock:
            self._frames.append((time_ns, moved))
        return lambda: image

    def take_sound(self, first_index: int, samples: NDArray[np.float32]) -> None:
        """Note samples and where they belong."""
        with self._lock:
            self._blocks.append((first_index, samples))

    def measure(self, time_at: Callable[[int], int]) -> tuple[int, int, Measurement | None]:
        """Return how many claps were heard and seen so far, and what they say.

        Args:
            time_at: When a sample of the ring was heard, on the run's clock.
        """
        with self._lock:
            frames, blocks = list(self._frames), list(self._blocks)
        if not frames or not blocks:
            return 0, 0, None
        first = blocks[0][0]
        sound = np.zeros(blocks[-1][0] + len(blocks[-1][1]) - first, np.float32)
        for index, samples in blocks:
            sound[index - first : index - first + len(samples)] = samples
        heard_ns = [time_at(first + index) for index in heard(sound)]
        times = np.array([time_ns for time_ns, _ in frames], np.int64)
        seen_ns = seen(times, np.array([moved for _, moved in frames]))
        return len(heard_ns), len(seen_ns), measure(heard_ns, seen_ns)


def calibrate(
    source: SourceConfig,
    offsets: Offsets,
    clock: Clock,
    say: Callable[[str], None],
    length_s: float = LENGTH_S,
) -> Measurement:
    """Listen and look until enough claps agree, and keep what they say. Main thread.

    Args:
        source: A live one with camera and microphone.
        offsets: Where the result is kept.
        clock: The run's clock.
        say: Prints a sentence for whoever claps.
        length_s: It gives up after so long.

    Raises:
        UsageError: A sense is missing in the settings.
        SourceError: A device cannot be opened or was lost, or the claps say nothing.
        OutputError: The result cannot be kept.
    """
    if source.kind != "live" or source.camera is None or source.microphone is None:
        raise UsageError("--calibrate wants a camera and a microphone: give --camera and --mic")
    tap = ClapTap()
    with tapped_source(source, tap, clock) as tapped:
        for problem in tapped.opened.problems:
            raise SourceError(f"--calibrate wants both senses: {problem.detail}")
        say(
            f"clap {ENOUGH_CLAPS} times near the camera, a second apart, the hands well in the "
            f"picture; this ends by itself within {length_s:g} s"
        )
        tapped.start()
        measurement = _watch(tap, tapped, clock, say, length_s)
    camera, microphone = pair_of(tapped.opened)
    offsets.keep(camera, microphone, measurement.offset_ns)
    return measurement


def pair_of(opened: OpenedSource) -> tuple[str, str]:
    """Return what camera and microphone say of themselves, in this order."""
    told = {
        sense: reader.describe()
        for reader in opened.readers
        for sense in fed_senses(reader, opened.senses)
    }
    return told.get(Sense.PICTURE, ""), told.get(Sense.SOUND, "")


def _watch(
    tap: ClapTap,
    tapped: TappedSource,
    clock: Clock,
    say: Callable[[str], None],
    length_s: float,
) -> Measurement:
    end_ns = clock.now_ns() + round(length_s * NS_PER_S)
    n_told = 0
    n_heard = n_seen = 0
    measurement: Measurement | None = None
    while clock.now_ns() < end_ns:
        clock.wait(tapped.stop, LOOK_NS)
        for worker in tapped.workers:
            if worker.error is not None:
                raise worker.error
        if tapped.sounds.clock.ready:
            n_heard, n_seen, measurement = tap.measure(tapped.sounds.clock.time_at)
        if measurement is not None and measurement.n_claps > n_told:
            n_told = measurement.n_claps
            say(f"{n_told} of {ENOUGH_CLAPS}")
        if measurement is not None and measurement.is_sure and n_told >= ENOUGH_CLAPS:
            return measurement
    if measurement is not None and measurement.is_sure:
        return measurement
    spread_ms = 0.0 if measurement is None else measurement.spread_ns / NS_PER_MS
    raise SourceError(
        f"the claps say nothing: {n_heard} heard, {n_seen} seen, {n_told} of them together, half "
        f"of these within {spread_ms:.0f} ms; wanted are {MIN_CLAPS} that agree, so clap louder, "
        "nearer, in more light, and keep still between"
    )
