"""From a stream's predictions to its events: what counts of each, then the tracker.

Place in the flow: recognition → **what counts, then states** → messages. A score joins window and
newest clip (`Prediction.scores`): the window says what is going on, the newest clip whether it is
now. While a sense is gone it is what the other says and may say alone (`lone_senses`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from realtime.events.lone_senses import LoneSenses
from realtime.events.tracker import EventTracker
from realtime.packets import Event, Prediction, Sense
from weights.event_spec import EventSpec


class EventDetector:
    """Detects the events of one stream; one thread calls it.

    Args:
        events: Thresholds and times.
        labels: The bundle's labels, in the order of the probabilities.
        before: What it goes on for, under other settings or labels; that one is used up.
    """

    def __init__(
        self, events: EventSpec, labels: Sequence[str], before: EventDetector | None = None
    ) -> None:
        tracker: EventTracker | None = None if before is None else before._tracker
        senses: LoneSenses | None = None if before is None else before._senses
        self._tracker: EventTracker = EventTracker(events, labels, tracker)
        self._senses: LoneSenses = LoneSenses(events, labels, senses)

    def expect(self, senses: Iterable[Sense]) -> None:
        """Say which senses the stream should have: at first one that has not come is only late."""
        self._senses.expect(senses)

    def update(self, prediction: Prediction) -> tuple[Event, ...]:
        """Take one prediction in; see `EventTracker.update`."""
        fresh = self._tracker.begin(prediction.end_t_ns)
        heard = self._senses.update(prediction, self._tracker.active(), fresh=fresh)
        return self._tracker.update(heard)

    def give_up(self) -> tuple[Event, ...]:
        """End the events of labels that another detector did not take over."""
        return self._tracker.give_up()

    def close(self, end_t_ns: int, why: str = "stream ended") -> tuple[Event, ...]:
        """End what is still going on, at stream time `end_t_ns`, for the reason `why`."""
        return self._tracker.close(end_t_ns, why)
