"""Which stretch of the stream is wanted, from event messages alone. Pure: no file, no thread.

A plan is one recording to be: the events that share it, where it begins and where it ends. It
begins `pre_roll` before its first onset and ends `post_roll` after its last offset. An event's
offset is known only after it lies in the past, so a plan also says how far it is sure of: nothing
is written that a later message could cut off again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from realtime.clock import NS_PER_S

if TYPE_CHECKING:
    from realtime.outputs.wire import Message


@dataclass(slots=True, kw_only=True)
class RecordedEvent:
    """One event of a recording; times are stream time."""

    label: str
    onset_t_ns: int
    offset_t_ns: int | None
    onset: dict[str, object]  # its messages, as on the wire
    offset: dict[str, object] | None
    told_t_ns: int  # how far the stream was when it was heard of last


class RecordPlan:
    """The events of one recording; see the module.

    Args:
        pre_roll_ns: Wanted before the first onset.
        post_roll_ns: Wanted after the last offset.
        lookback_ns: An offset may lie this far behind what was recognized last.

    Attributes:
        events: By id, in the order of their onsets' messages.
        begin_t_ns: Where it begins if it goes on with another recording; else None.
    """

    def __init__(self, pre_roll_ns: int, post_roll_ns: int, lookback_ns: int) -> None:
        self._pre_roll_ns = pre_roll_ns
        self._post_roll_ns = post_roll_ns
        self._lookback_ns = lookback_ns
        self.events: dict[str, RecordedEvent] = {}
        self.begin_t_ns: int | None = None

    @property
    def start_t_ns(self) -> int:
        """Where it should begin; before 0 if an onset lies close to the stream's start."""
        if self.begin_t_ns is not None:
            return self.begin_t_ns
        return min(e.onset_t_ns for e in self.events.values()) - self._pre_roll_ns

    @property
    def end_t_ns(self) -> int | None:
        """Where it should end, exclusive; None while an event goes on."""
        ends = [e.offset_t_ns for e in self.events.values()]
        known = [end for end in ends if end is not None]
        return max(known) + self._post_roll_ns if len(known) == len(ends) else None

    @property
    def label(self) -> str:
        """The first event's, for a file's name."""
        return next(iter(self.events.values())).label

    def sure_t_ns(self, progress_t_ns: int) -> int:
        """Return up to where it reaches whatever comes, `progress_t_ns` having been recognized."""
        end_t_ns = self.end_t_ns
        if end_t_ns is not None:
            return end_t_ns
        known = [e.offset_t_ns for e in self.events.values() if e.offset_t_ns is not None]
        sure = progress_t_ns - self._lookback_ns
        return max([sure, self.start_t_ns - self._post_roll_ns, *known]) + self._post_roll_ns

    def joins(self, onset_t_ns: int) -> bool:
        """Return whether an event from `onset_t_ns` on belongs into it."""
        end_t_ns = self.end_t_ns
        return end_t_ns is None or onset_t_ns - self._pre_roll_ns <= end_t_ns

    def take(self, message: Message, progress_t_ns: int = 0) -> None:
        """Note an event message; of an event whose onset it does not know only an onset.

        Args:
            message: What was said.
            progress_t_ns: How far the stream had been recognized by then.
        """
        body: dict[str, Any] = message.body
        if body["phase"] == "onset":
            self.events[body["id"]] = RecordedEvent(
                label=body["label"],
                onset_t_ns=t_ns(body["onset"]),
                offset_t_ns=None,
                onset=message.body,
                offset=None,
                told_t_ns=max(progress_t_ns, t_ns(body["onset"])),
            )
            return
        event = self.events.get(body["id"])
        if event is None:
            return
        event.told_t_ns = max(event.told_t_ns, progress_t_ns)
        if body["phase"] == "offset":
            event.offset_t_ns, event.offset = t_ns(body["offset"]), message.body

    def rest_after(self, t_ns: int) -> RecordPlan | None:
        """Return the plan that goes on at `t_ns`, with the events that reach beyond; or None."""
        rest = RecordPlan(self._pre_roll_ns, self._post_roll_ns, self._lookback_ns)
        rest.begin_t_ns = t_ns
        rest.events = {
            key: event
            for key, event in self.events.items()
            if event.offset_t_ns is None or event.offset_t_ns + self._post_roll_ns > t_ns
        }
        return rest if rest.events else None

    def end_all(self, t_ns: int) -> None:
        """End what goes on: the stream broke off at `t_ns` and said nothing."""
        for event in self.events.values():
            if event.offset_t_ns is None:
                event.offset_t_ns = max(t_ns, event.onset_t_ns)

    def end_silent(self, before_t_ns: int) -> None:
        """End what was not heard of since `before_t_ns`: its offset was lost on the way."""
        for event in self.events.values():
            if event.offset_t_ns is None and event.told_t_ns < before_t_ns:
                event.offset_t_ns = event.told_t_ns


def t_ns(moment: dict[str, Any]) -> int:
    """Return a message's moment as stream time."""
    return round(float(moment["t_s"]) * NS_PER_S)


def describe_events(plan: RecordPlan, start_t_ns: int, end_t_ns: int) -> list[dict[str, object]]:
    """Return the events of a recording from `start_t_ns` to `end_t_ns`, for its sidecar."""
    return [
        {
            "id": key,
            "label": event.label,
            "pre_roll_s": round((event.onset_t_ns - start_t_ns) / NS_PER_S, 4),
            "post_roll_s": (
                None
                if event.offset_t_ns is None
                else round((end_t_ns - event.offset_t_ns) / NS_PER_S, 4)
            ),
            "onset": event.onset,
            "offset": event.offset,
        }
        for key, event in plan.events.items()
    ]
