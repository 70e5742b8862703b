"""What a stream says of itself: how its senses are, what is given up, what came broken.

Each change is said once, in a status message and in the log.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

from realtime.buffers.lag import Lag
from realtime.clips.assembler import ClipAssembler
from realtime.clock import NS_PER_S
from realtime.outputs.wire import StreamState, StreamStatus
from realtime.packets import Sense, SenseState, SenseStatus
from realtime.redaction import redacted
from realtime.run_context import RunContext
from realtime.stats import Damage, Stats

logger = logging.getLogger(__name__)

UNTROUBLED = {SenseState.WAITING, SenseState.OK, SenseState.ENDED, SenseState.ABSENT}


class StreamReport:
    """One stream's; `describe`, `lose`, `remark`, `announce`, `senses`: any thread.

    Args:
        run: What all streams share.
        name: The stream's.
        assembler: Knows what the last clip saw of each sense.
        lag: By how much the source lags.
        stats: The stream's figures.
        device: Where the trunks run.
        backend: What runs them there.
        watched: Returns what is known of the senses that come back when lost.
    """

    def __init__(
        self,
        run: RunContext,
        name: str,
        *,
        assembler: ClipAssembler,
        lag: Lag,
        stats: Stats,
        device: str,
        backend: str,
        watched: Callable[[], Mapping[Sense, SenseStatus]],
    ) -> None:
        self._run = run
        self._name = name
        self._assembler = assembler
        self._lag = lag
        self._stats = stats
        self._device, self._backend = device, backend
        self._watched = watched
        self._lock = threading.Lock()
        self._details: dict[Sense, str] = {}
        self._lost: set[Sense] = set()
        self._told: tuple[SenseStatus, ...] = ()
        self._remark = self._news = ""
        self._told_rest: tuple[str, ...] = ("", "", "", "")
        self._told_lag_s = 0.0
        self._told_damage = Damage()

    def describe(self, sense: Sense, detail: str) -> None:
        """Say what a sense is read from."""
        with self._lock:
            self._details[sense] = redacted(detail)

    def lose(self, sense: Sense, fault: str) -> None:
        """Say that a sense is lost, and why."""
        with self._lock:
            self._lost.add(sense)
            self._details[sense] = redacted(fault)

    def remark(self, sentence: str) -> None:
        """Have the next step say a sentence in a status message; "" takes it back."""
        with self._lock:
            self._remark = sentence

    def adopt(self, run: RunContext) -> None:
        """Say what is told of the bundle from now on, in the next status; recognize thread."""
        self._run = run
        self.announce(f"the bundle {run.bundle.name} {run.bundle.version} is in use now")

    def announce(self, sentence: str) -> None:
        """Have the next step say a sentence in one status message."""
        with self._lock:
            self._news = sentence

    def senses(self) -> tuple[SenseStatus, ...]:
        """Return how each sense is doing, with what it is read from or why it is lost."""
        states, watched = self._assembler.states(), self._watched()
        with self._lock:
            lost, details = set(self._lost), dict(self._details)
        return tuple(
            _status_of(sense, state, watched.get(sense), sense in lost, details.get(sense, ""))
            for sense, state in states.items()
        )

    def expected(self) -> set[Sense]:
        """Return the senses that the stream has or is about to have."""
        with self._lock:
            lost = set(self._lost)
        states = self._assembler.states()
        return {s for s, state in states.items() if state is not SenseState.ABSENT} - lost

    def changes(self) -> StreamStatus | None:
        """Return what is new since the last call, and log it; None for nothing."""
        senses = self.senses()
        with self._lock:
            remark, news, self._news = self._remark, self._news, ""
        rest = (remark, self.load(), self._delivery(), self._damage())
        if senses == self._told and rest == self._told_rest and not news:
            return None
        for before, after in zip(self._told or (None,) * len(senses), senses, strict=True):
            if before is not None and before.state is after.state:
                continue
            level = logging.INFO if after.state in UNTROUBLED else logging.WARNING
            detail = f": {after.detail}" if after.detail else ""
            subject = {"subject": f"{self._name} {after.sense}"}
            text = "%s %s %s%s"
            logger.log(level, text, self._name, after.sense, after.state, detail, extra=subject)
        self._told, self._told_rest = senses, rest
        waits = any(status.state is SenseState.WAITING for status in senses)  # for its first clip
        state = StreamState.STARTING if waits else StreamState.RUNNING
        return self._status(state, "; ".join(filter(None, (news, *rest))))

    def end(self, error: Exception | None) -> StreamStatus:
        """Return how the stream ended; its senses as `changes` last told them."""
        if error is not None:
            return self._status(StreamState.FAILED, redacted(str(error)))
        return self._status(StreamState.ENDED, Damage.counted(self._stats.counts()).describe())

    def load(self) -> str:
        """Say what is given up to keep up."""
        grid_hz, hop_s = self._assembler.grid_hz, self._assembler.hop_s
        full_hz = self._assembler.asked_grid_hz
        parts = [f"{grid_hz} of {full_hz} pictures a second"] if grid_hz < full_hz else []
        if hop_s > self._run.config.window.hop_s:
            parts.append(f"a decision every {hop_s:g} s")
        return f"to keep up: {', '.join(parts)}" if parts else ""

    def _delivery(self) -> str:
        """Say how the source delivers, in steps, so that it is said seldom."""
        lag_s = self._lag.ns / NS_PER_S
        if not lag_s:
            return ""
        if abs(lag_s - self._told_lag_s) > max(0.25, 0.25 * self._told_lag_s):
            self._told_lag_s = lag_s
        return f"its source delivers in lumps: decisions lag by {self._told_lag_s:.1f} s"

    def _damage(self) -> str:
        """Say what came broken or not at all, in steps, so that it is said seldom."""
        damage = Damage.counted(self._stats.counts())
        if damage.is_news_after(self._told_damage):
            self._told_damage = damage
            logger.warning("%s: damaged: %s", self._name, damage.describe())
        return f"damaged: {self._told_damage.describe()}" if self._told_damage else ""

    def _status(self, state: StreamState, detail: str) -> StreamStatus:
        bundle = self._run.bundle
        return StreamStatus(
            state=state,
            senses=self._told,
            bundle=bundle.name,
            bundle_version=bundle.version,
            labels=bundle.labels,
            background=bundle.background,
            hop_s=self._assembler.hop_s,
            grid_hz=self._assembler.grid_hz,
            window_clips=self._run.config.window.n_clips,
            device=self._device,
            backend=self._backend,
            lag_s=round(self._lag.ns / NS_PER_S, 3),
            damage=Damage.counted(self._stats.counts()),
            detail=detail,
        )


def _status_of(
    sense: Sense, state: SenseState, watched: SenseStatus | None, is_lost: bool, detail: str
) -> SenseStatus:
    """Join what the last clip saw of a sense with what is known of its device."""
    if is_lost:
        return SenseStatus(sense=sense, state=SenseState.LOST, detail=detail)
    if watched is None:
        return SenseStatus(sense=sense, state=state, detail=detail)
    if watched.state is not SenseState.OK:
        return replace(watched, detail=redacted(watched.detail))
    return SenseStatus(sense=sense, state=state, detail=redacted(watched.detail))
