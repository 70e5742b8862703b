"""The `recognize` thread's work: which stream's clip is due when, round by round.

A round takes at most one due clip of each stream, beginning with another stream each time, and
hands them to the recognizer as one batch, which gives their predictions. Where no clip is due,
frames that came meanwhile are computed in small batches, so that at a hop little is left to do;
where there are none either, it waits. How late a stream's decision can be is therefore bounded by
one round of the others.

It also watches the lag of live streams and has less of them computed where the machine cannot
keep up (`realtime.load_governor`). Files are computed in full, however long that takes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from realtime.buffers.signal import DataSignal
from realtime.clock import NS_PER_S, Clock
from realtime.load_governor import LoadGovernor, LoadLevel
from realtime.packets import GRID_HZ, Clip, GridFrame, Prediction
from realtime.stats import Stats
from realtime.stream import Stream

logger = logging.getLogger(__name__)
_LOAD = {"subject": "load"}  # of log records: the newest of a subject is how it stands

STEP_TIMEOUT_S = 0.2
_LOOK_NS = NS_PER_S // 5  # a stream without news is looked at this often
MAX_CLIPS = 16  # of a round: a batch gains nothing beyond, and the others wait for it
MAX_EARLY_FRAMES = 4  # at once; a clip that becomes due meanwhile waits for them


class Recognizing(Protocol):
    """What is asked of recognition, by streams' names; see `recognition.batch.BatchRecognizer`."""

    def encode(self, work: Sequence[tuple[str, Sequence[GridFrame]]]) -> None:
        """Compute frames before their clips are complete."""
        ...

    def step(self, work: Sequence[tuple[str, Clip]]) -> list[Prediction | None]:
        """Take one clip each of some streams in; return each one's prediction, if one is due."""
        ...


class Scheduler:
    """Has all streams of a run recognized; the recognize thread calls it.

    Args:
        streams: In no particular order.
        recognizer: Runs the networks; it knows the streams by their names.
        signal: What all streams' rings notify.
        clock: The run's clock.
        stats: The run's figures.
        grid_hz: Pictures a second where all is computed.
    """

    def __init__(
        self,
        streams: Sequence[Stream],
        recognizer: Recognizing,
        signal: DataSignal,
        clock: Clock,
        stats: Stats,
        grid_hz: int = GRID_HZ,
    ) -> None:
        self._open = list(streams)
        self._recognizer = recognizer
        self._signal = signal
        self._clock = clock
        self._stats = stats
        self._governor = LoadGovernor(grid_hz=grid_hz)
        self._level = self._full = self._governor.level
        self._lock = threading.Lock()
        self._between: list[Callable[[], None]] = []  # to be done before the next round
        self._first = 0  # who is asked first in the next round
        self._asked: dict[str, tuple[int, int]] = {}  # notices seen, and when to look anyway
        self._caught_up_ns = clock.now_ns()  # when no live clip was due last
        self._first_t_ns: dict[str, int] = {}  # end of each live stream's first clip since then

    def step(self, timeout_s: float = STEP_TIMEOUT_S) -> bool:
        """Do one round, or wait for something to do; return False once all streams are over."""
        with self._lock:
            between, self._between = self._between, []
        for each in between:
            each()
        seen = self._signal.count
        work, wait_ns = self._collect()
        if not any(stream.live and not clip.is_past for stream, clip in work):
            self._catch_up()
        if work:
            self._recognize(work)
        self._close_those_over()
        if not work and self._open and not self._encode_early():
            self._signal.wait(seen, min(wait_ns / NS_PER_S, timeout_s))
            self._catch_up()  # to have waited, for a slow camera say, is no load
        return bool(self._open)

    def between_rounds(self, work: Callable[[], None]) -> None:
        """Have something done before the next round, in its thread; any thread may ask.

        Args:
            work: Takes no time worth mentioning, and raises nothing.
        """
        with self._lock:
            self._between.append(work)
        self._signal.notify()

    @property
    def load_level(self) -> int:
        """What is given up to keep up, 0 for nothing; any thread."""
        return self._governor.index

    def admit(self, stream: Stream) -> None:
        """Recognize one stream more; the recognize thread, between two rounds."""
        if stream.live:
            stream.set_level(self._level)
        self._open.append(stream)

    def dismiss(self, stream: Stream) -> None:
        """Recognize a stream no more, which is not ended; likewise."""
        if stream in self._open:
            self._open.remove(stream)
        self._asked.pop(stream.name, None)
        self._first_t_ns.pop(stream.name, None)
        self._first %= max(1, len(self._open))

    def finish(self, error: Exception | None) -> None:
        """End the streams that go on; the recognize thread's last act."""
        for stream in self._open:
            stream.finish(error)

    def _close_those_over(self) -> None:
        for stream in [stream for stream in self._open if stream.over]:
            self._open.remove(stream)
            stream.finish(None)
        self._first %= max(1, len(self._open))

    def _collect(self) -> tuple[list[tuple[Stream, Clip]], int]:
        """Return the clips that are due, and how long to wait where none is, ns."""
        work: list[tuple[Stream, Clip]] = []
        now_ns = self._clock.now_ns()
        wait_ns = _LOOK_NS
        order = self._open[self._first :] + self._open[: self._first]
        for n_asked, stream in enumerate(order, 1):
            n_notices = stream.n_notices
            before, look_ns = self._asked.get(stream.name, (-1, 0))
            if n_notices == before and now_ns < look_ns:  # nothing new there
                wait_ns = min(wait_ns, look_ns - now_ns)
                continue
            clip, stream_wait_ns = stream.poll()
            if clip is not None:
                self._asked.pop(stream.name, None)
                work.append((stream, clip))
                if len(work) == MAX_CLIPS:
                    self._first = (self._first + n_asked) % len(order)
                    break
                continue
            stream_wait_ns = min(stream_wait_ns, _LOOK_NS)
            wait_ns = min(wait_ns, stream_wait_ns)
            self._asked[stream.name] = (n_notices, now_ns + stream_wait_ns)
        return work, wait_ns

    def _recognize(self, work: list[tuple[Stream, Clip]]) -> None:
        predictions = self._recognizer.step([(stream.name, clip) for stream, clip in work])
        now_ns = self._clock.now_ns()
        lag_ns = None
        for (stream, clip), prediction in zip(work, predictions, strict=True):
            stream.take(clip, prediction)
            if stream.live and prediction is not None and not clip.is_past:
                lag_ns = max(lag_ns or 0, self._lag_ns(stream, clip, now_ns))
        if lag_ns is not None:
            self._govern(self._governor.observe(lag_ns, now_ns))

    def _catch_up(self) -> None:
        """Note that no live clip is due."""
        self._caught_up_ns = self._clock.now_ns()
        self._first_t_ns.clear()

    def _lag_ns(self, stream: Stream, clip: Clip, now_ns: int) -> int:
        """Return how far a decision is behind what a machine without load would have told.

        Clips may become due together, because a sense comes in lumps. Such a machine would tell
        the first when it has come and the others, at the latest, as far apart as they end.
        """
        first_t_ns = self._first_t_ns.setdefault(stream.name, clip.end_t_ns)
        due_ns = self._caught_up_ns + clip.end_t_ns - first_t_ns
        age_ns = now_ns - stream.time_ns(clip.end_t_ns) - stream.lag_ns
        return min(age_ns, max(0, now_ns - due_ns))

    def _encode_early(self) -> bool:
        left = MAX_EARLY_FRAMES
        work = []
        for stream in self._open[self._first :] + self._open[: self._first]:
            frames = stream.take_frames(left)
            if frames:
                work.append((stream.name, frames))
                left -= len(frames)
            if not left:
                break
        if work:
            self._first = (self._first + 1) % len(self._open)
            self._recognizer.encode(work)
        return bool(work)

    def _govern(self, level: LoadLevel) -> None:
        if level == self._level:
            return
        is_less = level.grid_hz < self._level.grid_hz or level.hop_factor > self._level.hop_factor
        self._level = level
        self._stats.observe_load(self._governor.index)
        for stream in self._open:
            stream.set_level(level)
        text = f"{level.grid_hz} pictures a second" + (
            f", hop {level.hop_factor} times as long" if level.hop_factor > 1 else ""
        )
        if level == self._full:
            logger.info("keeping up again: all is computed", extra=_LOAD)
        elif is_less:
            said = "this machine does not keep up: live streams go on with %s"
            logger.warning(said, text, extra=_LOAD)
        else:
            said = "load has fallen, not yet to what is kept up with: live streams go on with %s"
            logger.warning(said, text, extra=_LOAD)
