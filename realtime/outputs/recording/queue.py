"""The recordings that are to be written, oldest first, as the event messages ask for them. Pure."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from realtime.clock import NS_PER_S
from realtime.outputs.recording.by_hand import MARK
from realtime.outputs.recording.plan import RecordPlan, t_ns

if TYPE_CHECKING:
    from realtime.config import RecordConfig
    from realtime.outputs.wire import Message


class RecordQueue:
    """Makes plans of messages; one thread.

    Args:
        config: What to record.
        lookback_ns: An offset may lie this far behind what was recognized last.
        update_ns: A running event is told of this often, at least.

    Attributes:
        plans: The first one is written.
        progress_t_ns: How far the stream has been recognized.
    """

    def __init__(self, config: RecordConfig, lookback_ns: int, update_ns: int) -> None:
        self._config = config
        self._lookback_ns = lookback_ns
        self._silent_ns = lookback_ns + 2 * update_ns
        self.plans: deque[RecordPlan] = deque()
        self.progress_t_ns = 0

    def take(self, message: Message) -> None:
        """Take an event or a prediction."""
        body: dict[str, Any] = message.body
        if body["type"] == "prediction":
            self.progress_t_ns = max(self.progress_t_ns, t_ns(body["end"]))
            return
        is_wanted = not self._config.labels or body["label"] in self._config.labels
        if not (is_wanted or body.get(MARK)):
            return
        if body["phase"] == "onset":
            if not (self.plans and self.plans[-1].joins(t_ns(body["onset"]))):
                pre_roll_ns = round(self._config.pre_roll_s * NS_PER_S)
                post_roll_ns = round(self._config.post_roll_s * NS_PER_S)
                self.plans.append(RecordPlan(pre_roll_ns, post_roll_ns, self._lookback_ns))
            self.plans[-1].take(message, self.progress_t_ns)
            return
        for plan in self.plans:
            plan.take(message, self.progress_t_ns)

    def end_what_is_silent(self) -> None:
        """End events that are not told of any more: their offset was lost on the way."""
        for plan in self.plans:
            plan.end_silent(self.progress_t_ns - self._silent_ns)

    def end_first(self, end_t_ns: int | None = None) -> None:
        """Take the first plan out; one that reaches beyond `end_t_ns` goes on there."""
        plan = self.plans.popleft()
        rest = None if end_t_ns is None else plan.rest_after(end_t_ns)
        if rest is not None:
            self.plans.appendleft(rest)
