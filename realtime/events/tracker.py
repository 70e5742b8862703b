"""Turns the scores of a stream into events: onset, updates, offset, with a stable number.

Scores and times in (`packets.LabelScores`), events out; where the scores come from is not its
business (`realtime.events.detector`). What each label's states and times mean stands in
`realtime.events.label_states`.

A score is the mean over the last `smooth` decisions. Labels that are hard to tell apart share one
(`confusable_labels`). A wider label (Music) scores as much as the surest that belongs to
it (Piano), and an event is told once, at the level that is sure: while an event of a narrower label
goes on, or its score reaches its `on`, none of the wider one begins; one that goes on ends where
the narrower one begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count

import numpy as np
from numpy.typing import NDArray

from realtime.events.confusable_labels import join
from realtime.events.label_scores import LabelGroups, ScoreSmoother, places_of
from realtime.events.label_states import Alone, LabelStates
from realtime.events.thresholds import on_and_off
from realtime.packets import Event, LabelScores, Phase, begins_anew
from weights.event_spec import EventSpec


class EventTracker:
    """Tracks all labels of one stream; one thread calls it.

    Args:
        events: Thresholds and times.
        labels: The bundle's labels, in the order of the scores.
        before: What it goes on for, under other settings or labels; that one is used up.
    """

    def __init__(
        self, events: EventSpec, labels: Sequence[str], before: EventTracker | None = None
    ) -> None:
        unknown = set(events.labels_named()) - {events.background, *labels}
        if unknown:
            raise ValueError(f"settings of labels that the bundle has not: {sorted(unknown)}")
        self._labels = tuple(labels)
        numbers: Iterator[int] = count(1) if before is None else before._numbers
        self._numbers: Iterator[int] = numbers
        self._groups = LabelGroups(labels, events.groups)
        self._smoother = ScoreSmoother(events.smooth)
        states = {
            index: LabelStates(label, events, numbers)
            for index, label in enumerate(labels)
            if label != events.background
        }
        self._states = dict(sorted(states.items(), key=lambda i: self._groups.n_below(i[0])))
        self._confusable = [np.array([labels.index(each) for each in g]) for g in events.confusable]
        self._on, self._off = on_and_off(events, labels)
        self._last_end_t_ns: int | None = None
        self._is_fresh = True
        if before is not None:
            self._take_over(before)

    def _take_over(self, before: EventTracker) -> None:
        self._last_end_t_ns, self._is_fresh = before._last_end_t_ns, before._is_fresh
        places = places_of(before._labels, self._labels)
        self._smoother.take_over(before._smoother, places)
        for index, states in self._states.items():
            place = places[index]
            if place is not None and place in before._states:
                states.take_over(before._states.pop(place))

    def give_up(self) -> tuple[Event, ...]:
        """End the events of labels that another tracker did not take over."""
        return tuple(event for states in self._states.values() for event in states.give_up())

    def begin(self, end_t_ns: int) -> bool:
        """Begin with the decision that ends then; return whether none came shortly before."""
        self._is_fresh = begins_anew(self._last_end_t_ns, end_t_ns)
        self._last_end_t_ns = end_t_ns
        return self._is_fresh

    def active(self) -> NDArray[np.bool_]:
        """Tell of which labels an event goes on into this decision, bool `(n_labels,)`."""
        active = np.zeros(len(self._on), np.bool_)
        if not self._is_fresh:
            active[[index for index, each in self._states.items() if each.is_active]] = True
        return active

    def update(self, heard: LabelScores) -> tuple[Event, ...]:
        """Take one decision in; begins with it, unless `begin` did.

        Args:
            heard: Its scores and its time.

        Returns:
            The event messages that follow, in order of labels, narrower before wider ones.
        """
        if heard.end_t_ns != self._last_end_t_ns:
            self.begin(heard.end_t_ns)
        fresh, active = self._is_fresh, self.active()
        rows = heard.scores[None]
        if heard.alone is not None:
            rows = np.concatenate((rows, heard.alone))
        said = self._smoother.update(rows, fresh)  # (1 or 3, n_labels)
        scores, dates_at = said[0], self._off.copy()
        for group in self._confusable:
            scores[group], dates_at[group] = join(
                scores[group],
                heard.window[group],
                self._on[group],
                self._off[group],
                bool(active[group].any()),
            )
        self._groups.widen(said)
        events: list[Event] = []
        for index, states in self._states.items():
            told = states.update(
                float(scores[index]),
                heard.end_t_ns,
                fresh,
                float(dates_at[index]),
                alone=_alone(said[1:, index], heard.senses) if len(said) > 1 else None,
                may_start=not self._is_told_finer(index, scores),
                withheld=heard.withheld is not None and bool(heard.withheld[index]),
            )
            events += self._give_way(index, told)
            events += told
        return tuple(events)

    def close(self, end_t_ns: int, why: str = "stream ended") -> tuple[Event, ...]:
        """End what is still going on, at stream time `end_t_ns`, for the reason `why`."""
        events: list[Event] = []
        for states in self._states.values():
            events += states.close(end_t_ns, why)
        return tuple(events)

    def _is_told_finer(self, index: int, scores: NDArray[np.float64]) -> bool:
        """Tell whether a label that belongs to this one is told, or may be in a moment."""
        return any(
            self._states[below].is_active or scores[below] >= self._on[below]
            for below in self._groups.below(index)
        )

    def _give_way(self, index: int, told: Iterable[Event]) -> list[Event]:
        """Have wider labels end, and begin again, where events of this one begin and end."""
        ended: list[Event] = []
        for event in told:
            for wider in self._groups.above(index):
                if event.phase is Phase.ONSET:
                    ended += self._states[wider].give_way(event.onset_t_ns)
                elif event.offset_t_ns is not None:
                    self._states[wider].begin_after(event.offset_t_ns)
        return ended


def _alone(scores: NDArray[np.float64], senses: Sequence[bool]) -> Alone:
    picture, sound = (
        float(score) if there else None for score, there in zip(scores, senses, strict=True)
    )
    return picture, sound
