"""One label's four states: scores and times in, the messages of its events out.

Place in the flow: what of a decision counts (`realtime.events.tracker`) → **each label's states** →
events. It knows no other label: who gives way to whom is the tracker's business.

Confirming. A hit is a score at `on` or more. A *run* begins when N of the last M hops are hits, at
the oldest of these, and is over as soon as fewer than N of the last M are. A run that has lasted
the minimum duration becomes an event at its next hit: hits that trickle in more thinly than N of M
start no event.

Times. The score of a clip crosses a threshold when about half of its second is event, so an event
begins and ends at the centre of its first and last clip; except at the very start of a stream (or
after a pause without data), where nothing came before the first clip. Both are found by one rule:
what would hold a running event holds it backwards too. The last clip is the last at `off` or more,
once a pause was longer than the merge gap; the first is the earliest at `off` or more from which no
such pause leads to the run, of the last `LONGEST_RISE_NS` before it. Of 312 composed events that
were found (validation material, the starter), a run's first hit is dated 0.24 s off in the median
and 2.5 s in the worst twentieth, its first clip at `off` 0.16 and 1.4 s.

States, after pipecat's detector: quiet -> starting -> active -> stopping -> quiet. All settings are
in seconds and become nanoseconds once, here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from realtime.clock import NS_PER_S
from realtime.packets import Event, Phase
from weights.event_spec import EventSpec

CLIP_NS = NS_PER_S
HALF_CLIP_NS = CLIP_NS // 2
# Before a run; 10 s gave the same F1 on composed streams, 2 s less (ADR 3).
LONGEST_RISE_NS = 5 * NS_PER_S
Alone = tuple[float | None, float | None] | None  # see `Event`


class LabelStates:
    """Turns one label's scores into its events; one thread calls it.

    Args:
        label: Its name.
        events: Thresholds and times.
        numbers: Of the stream's events.
    """

    def __init__(self, label: str, events: EventSpec, numbers: Iterator[int]) -> None:
        self._label = label
        self._on, self._off = events.thresholds(label)
        self._confirm_n, confirm_m = events.confirm
        self._min_duration_ns = round(events.min_duration_s * NS_PER_S)
        self._merge_gap_ns = round(events.merge_gap_s * NS_PER_S)
        self._cool_down_ns = round(events.cool_down_s * NS_PER_S)
        self._update_ns = round(events.update_s * NS_PER_S)
        self._numbers = numbers
        # Of the last M hops: the onset that a hit stands for, None for a miss.
        self._hits: deque[_Hit | None] = deque(maxlen=confirm_m)
        self._rise: _Rise | None = None  # what would date an event
        self._newest_t_ns = 0
        self._alone: Alone = None  # what each sense says of the newest clip
        self._starting: _Hit | None = None  # where the run began that may become an event
        self._active: _Active | None = None
        self._last_offset_t_ns = 0
        self._quiet_until_t_ns = 0

    @property
    def is_active(self) -> bool:
        """Whether an event is going on, as far as the last update told."""
        return self._active is not None

    def take_over(self, before: LabelStates) -> None:
        """Go on where the same label's states stood under other settings, its event too."""
        self._hits.extend(before._hits)
        self._rise, self._starting, self._active = before._rise, before._starting, before._active
        self._newest_t_ns, self._alone = before._newest_t_ns, before._alone
        self._last_offset_t_ns = before._last_offset_t_ns
        self._quiet_until_t_ns = before._quiet_until_t_ns

    def give_up(self) -> list[Event]:
        """End the event, if one is going on: nobody decides about this label any more."""
        active = self._active
        return [] if active is None else [self._end(active, active.quiet_t_ns, "no data")]

    def update(
        self,
        score: float,
        end_t_ns: int,
        fresh: bool,
        dates_at: float,
        *,
        alone: Alone = None,
        may_start: bool = True,
        withheld: bool = False,
    ) -> list[Event]:
        """Take one score in.

        Args:
            score: Of the clip.
            end_t_ns: The clip's end.
            fresh: No prediction came shortly before this one.
            dates_at: The least score that dates an event.
            alone: What each sense alone says, see `Event`.
            may_start: Whether an event may begin with this clip.
            withheld: A sense is gone and the other has no say: the score is 0 for that alone.
        """
        events: list[Event] = []
        self._alone = alone
        if fresh and self._active is not None:
            events.append(self._end(self._active, self._active.quiet_t_ns, "no data"))
        if fresh:
            self._reset()
        if self._active is None:
            rises = score >= dates_at
            return events + self._try_to_start(score, end_t_ns, fresh, rises, may_start)
        self._active.quiet_reason = "sense gone" if withheld else "quiet"
        return events + self._go_on(self._active, score, end_t_ns)

    def close(self, end_t_ns: int, why: str) -> list[Event]:
        """End the event if one is going on; `why` is its reason unless it was ending anyway."""
        active = self._active
        if active is None:
            return []
        stopping = active.last_high_t_ns < active.newest_t_ns
        offset_t_ns = active.quiet_t_ns if stopping else max(end_t_ns, active.quiet_t_ns)
        reason = active.quiet_reason if stopping else why
        return [self._end(active, offset_t_ns, reason)]

    def give_way(self, onset_t_ns: int) -> list[Event]:
        """End the event, if one is going on, where one of a narrower label begins."""
        active = self._active
        if active is None:
            return []
        return [self._end(active, max(onset_t_ns, active.onset_t_ns), "finer")]

    def begin_after(self, offset_t_ns: int) -> None:
        """Date no event before the end of a narrower label's."""
        self._last_offset_t_ns = max(self._last_offset_t_ns, offset_t_ns)

    def _try_to_start(
        self, score: float, end_t_ns: int, fresh: bool, rises: bool, may_start: bool
    ) -> list[Event]:
        if end_t_ns < self._quiet_until_t_ns:
            return []
        onset_t_ns = end_t_ns - (CLIP_NS if fresh else HALF_CLIP_NS)
        first_t_ns = self._hold(onset_t_ns, end_t_ns) if rises else onset_t_ns
        hit = _Hit(onset_t_ns, first_t_ns) if score >= self._on else None
        self._newest_t_ns = end_t_ns
        self._hits.append(hit)
        hits = [earlier for earlier in self._hits if earlier is not None]
        if len(hits) < self._confirm_n:
            self._starting = None
            return []
        if self._starting is None:
            self._starting = hits[0]
        began_t_ns = max(self._starting.onset_t_ns, self._last_offset_t_ns)
        if hit is None or not may_start or end_t_ns - began_t_ns < self._min_duration_ns:
            return []
        active = _Active(
            number=next(self._numbers),
            onset_t_ns=max(self._starting.first_t_ns, self._last_offset_t_ns),
            confidence=score,
            alone=self._alone,
            last_high_t_ns=end_t_ns,
            newest_t_ns=end_t_ns,
            last_told_t_ns=end_t_ns,
        )
        self._reset()
        self._active = active
        return [self._tell(Phase.ONSET, active, score)]

    def _hold(self, onset_t_ns: int, end_t_ns: int) -> int:
        """Take in a clip that would have held an event; return what such clips date it to."""
        if self._rise is None or self._newest_t_ns - self._rise.last_t_ns > self._merge_gap_ns:
            self._rise = _Rise()
        onsets = self._rise.onsets
        onsets.append(onset_t_ns)
        while onset_t_ns - onsets[0] > LONGEST_RISE_NS:
            onsets.popleft()
        self._rise.last_t_ns = end_t_ns
        return onsets[0]

    def _go_on(self, active: _Active, score: float, end_t_ns: int) -> list[Event]:
        active.newest_t_ns = end_t_ns
        if score >= self._off:
            active.last_high_t_ns = end_t_ns
            if score > active.confidence:
                active.confidence, active.alone = score, self._alone
            if end_t_ns - active.last_told_t_ns < self._update_ns:
                return []
            active.last_told_t_ns = end_t_ns
            return [self._tell(Phase.UPDATE, active, score)]
        if end_t_ns - active.last_high_t_ns <= self._merge_gap_ns:
            return []
        return [self._end(active, active.quiet_t_ns, active.quiet_reason, score)]

    def _end(self, active: _Active, offset_t_ns: int, reason: str, score: float = 0.0) -> Event:
        self._reset()
        self._last_offset_t_ns = offset_t_ns
        self._quiet_until_t_ns = offset_t_ns + self._cool_down_ns
        return self._tell(Phase.OFFSET, active, score, offset_t_ns, reason)

    def _reset(self) -> None:
        self._hits.clear()
        self._rise = None
        self._starting = None
        self._active = None

    def _tell(
        self,
        phase: Phase,
        active: _Active,
        score: float,
        offset_t_ns: int | None = None,
        reason: str | None = None,
    ) -> Event:
        return Event(
            number=active.number,
            phase=phase,
            label=self._label,
            confidence=active.confidence,
            score=score,
            onset_t_ns=active.onset_t_ns,
            offset_t_ns=offset_t_ns,
            reason=reason,
            alone=active.alone,
        )


@dataclass(frozen=True, slots=True)
class _Hit:
    onset_t_ns: int  # what it stands for by itself
    first_t_ns: int  # where an event that it begins is dated


@dataclass(slots=True)
class _Rise:
    """Clips that would have held an event, without a pause that would have ended it."""

    onsets: deque[int] = field(default_factory=deque)  # what each stands for; no older than asked
    last_t_ns: int = 0  # end of the last


@dataclass(slots=True, kw_only=True)
class _Active:
    number: int
    onset_t_ns: int
    confidence: float
    alone: Alone
    last_high_t_ns: int
    newest_t_ns: int
    last_told_t_ns: int
    quiet_reason: str = "quiet"  # why nothing holds it, if nothing does

    @property
    def quiet_t_ns(self) -> int:
        """Estimated offset if nothing more is heard: never before a quarter of a second."""
        shortest = min(self.onset_t_ns + NS_PER_S // 4, self.last_high_t_ns)
        return max(self.last_high_t_ns - HALF_CLIP_NS, shortest)
