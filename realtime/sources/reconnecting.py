"""A source that comes back: watches a device's reader from outside and opens it again when lost.

Place in the flow: between the pipeline's capture thread and the reader of one device. The capture
thread never calls a driver; it looks ten times a second at what has arrived, and starts, ends and
gives up sessions (`realtime.sources.session`), each with the driver's calls in a thread of its own.
What is lost is looked for after 1, 5, 20 and then every 60 s, by the name that it had.

The first opening is the owner's: it fails at once, with one sentence, as without reconnecting.
"""

from __future__ import annotations

import logging
import random
import threading
from typing import TYPE_CHECKING

from realtime.addresses import is_network
from realtime.clock import NS_PER_MS, NS_PER_S
from realtime.errors import RecognizerError, SourceError
from realtime.packets import Sense, SenseState, SenseStatus
from realtime.sources.backoff import Backoff
from realtime.sources.base import SourceSenses, fed_senses, thread_name
from realtime.sources.gate import Gate, GatedInlet
from realtime.sources.session import Session
from realtime.sources.watch import SenseWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from realtime.buffers.audio_ring import AudioRing
    from realtime.buffers.frame_ring import FrameRing
    from realtime.config import SourceConfig
    from realtime.sources.base import Inlet, Reader

    MakeReader = Callable[[Inlet, SourceSenses], Reader]

logger = logging.getLogger(__name__)

TICK_NS = 100 * NS_PER_MS
PAUSE_NS = NS_PER_S  # a longer one between two ticks is this program's own, not the device's
# FFmpeg gives each step of an opening ten seconds, and RTSP has up to three tries; then it ends by
# itself. A slow source that was given up before would never be there again.
OPENING_NS = 90 * NS_PER_S
STEADY_NS = 10 * NS_PER_S  # of samples; until then the next loss begins with the second wait
MAX_GIVEN_UP = 3  # threads that hang in a driver; no further attempt before one of them returns
_JOIN_S = 0.7


class ReconnectingReader:
    """Reads one device through all its openings; see `realtime.sources.base.Reader`.

    Args:
        make: Makes a reader, not opened, that writes to the given inlet, of the given senses.
        senses: Which senses it may feed; a URL tells which once it was opened.
        config: Of the source: what counts as lost, and when to try again.
        inlet: The stream's.
        random_source: Where the jitter comes from.
    """

    def __init__(
        self,
        *,
        make: MakeReader,
        senses: Sequence[Sense],
        config: SourceConfig,
        inlet: Inlet,
        random_source: random.Random | None = None,
    ) -> None:
        self.name = thread_name(senses)
        self._make = make
        self._inlet = inlet
        self._clock = inlet.clock
        self._hang_ns = round(config.hang_s * NS_PER_S)
        is_url = any(is_network(place or "") for place in (config.media, config.camera))
        self._opening_ns = max(self._hang_ns, OPENING_NS if is_url else 0)
        self._backoff = Backoff(config.retry_s, random_source or random.Random())
        self._watches = {
            sense: SenseWatch(sense, config, checks_rate=list(senses) == [Sense.SOUND])
            for sense in senses
        }
        self._rings_lock = threading.Lock()
        self._closed = threading.Event()
        self._session: Session | None = None
        self._knows_senses = False  # which of those that it may feed there are
        self._is_reading = False  # the session has opened, and its samples are watched
        self._is_ending = False  # the session was told to end
        self._reason = ""  # why it was
        self._given_up: list[Session] = []
        self._due_ns = 0
        self._last_tick_ns: int | None = None
        self._description = ""
        self._was_lost = False  # since it was last well
        self._statuses: dict[Sense, SenseStatus] = {}

    def open(self) -> None:
        """Open the device for the first time, in the caller's thread.

        Raises:
            SourceError: It cannot be opened. Nothing stays open; it is retried if `retry` is
                called.
        """
        session = self._new_session(is_open=True)
        try:
            session.reader.open()
        except SourceError:
            session.reader.close()
            raise
        self._session = session
        self._learn_senses(session)
        self._describe()

    @property
    def senses(self) -> SourceSenses:
        """Which senses it feeds, as far as that is known."""
        return SourceSenses.of(self._watches)

    def retry(self, error: SourceError) -> None:
        """Say that the first opening failed and that the stream runs on: try again later."""
        self._lose(str(error), self._clock.now_ns())

    def step(self) -> bool:
        """Wait a tenth of a second and look after the device."""
        self._clock.wait(self._closed, TICK_NS)
        if not self._closed.is_set():
            self.tick()
        return not self._closed.is_set()

    def tick(self) -> None:
        """Look at what has arrived, and open, end or give up a session. Never waits."""
        now_ns = self._clock.now_ns()
        self._forgive_pause(now_ns)
        self._given_up = [session for session in self._given_up if not session.is_over]
        session = self._session
        if session is None:
            self._try_again(now_ns)
        elif not session.is_over and session.in_call_ns(now_ns) >= self._longest_call_ns(session):
            self._give_up(session, now_ns)
        elif session.is_over:
            self._lose(self._reason or _reason(session), now_ns)
        elif session.has_opened and not self._is_ending:
            if not self._is_reading:
                self._begin_watching(session, now_ns)
            self._judge(session, now_ns)

    def _longest_call_ns(self, session: Session) -> int:
        return self._hang_ns if session.has_opened else self._opening_ns

    def close(self) -> None:
        """Let go of the device; a call that hangs keeps its thread. May be called again."""
        self._closed.set()
        sessions = [s for s in (self._session, *self._given_up) if s is not None]
        for session in sessions:
            session.end()
        if self._session is not None:
            self._session.join(_JOIN_S)

    def describe(self) -> str:
        """Return what is read, or was last."""
        return self._description

    def statuses(self) -> dict[Sense, SenseStatus]:
        """Return how each sense is doing, as far as it is known here. Any thread may call it."""
        return self._statuses

    def survivors(self) -> list[str]:
        """Return the names of threads that hang in a driver; after `close`."""
        sessions = [s for s in (self._session, *self._given_up) if s is not None]
        return [session.name for session in sessions if not session.join(0)]

    def _new_session(self, *, is_open: bool) -> Session:
        gate = Gate(self._rings_lock)
        inlet = GatedInlet(
            timeline=self._inlet.timeline,
            frames=self._inlet.frames,
            sounds=self._inlet.sounds,
            prepare=self._inlet.prepare,
            live=self._inlet.live,
            clock=self._clock,
            stats=self._inlet.stats,
            tap=self._inlet.tap,
            lateness=self._inlet.lateness,
            lag=self._inlet.lag,
            name=self._inlet.name,
            said=self._inlet.said,
            gate=gate,
            watches=self._watches,
        )
        name = self.name.replace("capture-", "read-")
        return Session(name, self._make(inlet, self.senses), gate, self._clock, is_open=is_open)

    def _learn_senses(self, session: Session) -> None:
        """Watch only what the first opening that succeeds has; nobody waits for the rest."""
        if self._knows_senses:
            return
        self._knows_senses = True
        there = fed_senses(session.reader, self.senses)
        rings: dict[Sense, FrameRing | AudioRing] = {
            Sense.PICTURE: self._inlet.frames,
            Sense.SOUND: self._inlet.sounds,
        }
        for sense in Sense:
            if sense not in there and self._watches.pop(sense, None) is not None:
                rings[sense].end()
                self._set(SenseStatus(sense=sense, state=SenseState.ABSENT))

    def _forgive_pause(self, now_ns: int) -> None:
        """Blame no device for a time in which this program itself did not run."""
        pause_ns = 0 if self._last_tick_ns is None else now_ns - self._last_tick_ns
        if self._last_tick_ns is None and self._session is not None:
            self._session.start()
        self._last_tick_ns = now_ns
        if pause_ns < PAUSE_NS:
            return
        for watch in self._watches.values():
            watch.forgive(pause_ns)
        if self._session is not None:
            self._session.forgive(pause_ns)

    def _begin_watching(self, session: Session, now_ns: int) -> None:
        self._is_reading = True
        self._learn_senses(session)
        for watch in self._watches.values():
            watch.begin(now_ns)

    def _try_again(self, now_ns: int) -> None:
        if now_ns < self._due_ns or len(self._given_up) >= MAX_GIVEN_UP:
            return
        self._inlet.stats.count("reconnect_attempts")
        self._session = self._new_session(is_open=False)
        self._session.start()

    def _judge(self, session: Session, now_ns: int) -> None:
        verdicts = {
            sense: watch.judge(now_ns, self._inlet.lag.ns) for sense, watch in self._watches.items()
        }
        if all(verdict.reopen for verdict in verdicts.values()):
            self._is_ending = True
            self._reason = next(iter(verdicts.values())).detail
            session.end()
            self._tell_lost(self._reason)
            return
        if self._was_lost:
            if not any(watch.is_back for watch in self._watches.values()):
                return  # what was told stays told
            self._was_lost = False
            self._backoff.ease()
            self._inlet.stats.count("reconnects")
        if any(watch.healthy_ns() >= STEADY_NS for watch in self._watches.values()):
            self._backoff.reset()
        self._describe()
        for sense, verdict in verdicts.items():
            detail = verdict.detail or self._description
            self._set(SenseStatus(sense=sense, state=verdict.state, detail=detail))

    def _give_up(self, session: Session, now_ns: int) -> None:
        """Leave a session whose driver does not return to itself."""
        session.end()
        self._given_up.append(session)
        self._inlet.stats.count("hung_drivers")
        seconds = session.in_call_ns(now_ns) / NS_PER_S
        logger.warning("%s hangs: a driver call has lasted %.0f s", session.name, seconds)
        self._lose(self._reason or f"its driver has not answered for {seconds:.0f} s", now_ns)

    def _lose(self, reason: str, now_ns: int) -> None:
        error = None if self._session is None else self._session.error
        if error is not None and not isinstance(error, RecognizerError):
            logger.error("%s failed unforeseen: %s", self.name, error, exc_info=error)
        self._session, self._is_ending, self._is_reading, self._reason = None, False, False, ""
        self._was_lost = True
        self._tell_lost(reason)
        self._due_ns = now_ns + self._backoff.next_ns()

    def _tell_lost(self, reason: str) -> None:
        """Say why and when it is tried again; the text changes with the reason or the tier only."""
        state, when = SenseState.RECONNECTING, "in"
        if self._backoff.is_last:
            state, when = SenseState.LOST, "every"
        detail = f"{reason}; tried again {when} {self._backoff.tier_s:g} s"
        for sense in self._watches:
            self._set(SenseStatus(sense=sense, state=state, detail=detail))

    def _describe(self) -> None:
        if self._session is not None:
            self._description = self._session.reader.describe()

    def _set(self, status: SenseStatus) -> None:
        """Put one status in place of another; whoever reads has a whole dictionary."""
        self._statuses = {**self._statuses, status.sense: status}


def _reason(session: Session) -> str:
    return str(session.error) if session.error is not None else "it ended"
