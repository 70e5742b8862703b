"""Which events a recorder hears of: by the source's switch, and by rules where they say it.

It stands in front of the recorders and judges where messages are made, so that a recording begins
while its onset is still in memory, and a file's recordings do not depend on a thread's luck.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from realtime.outputs.rules.engine import MAX_RUNNING, RuleEngine

if TYPE_CHECKING:
    from realtime.config import RulesConfig
    from realtime.controls import Controls
    from realtime.outputs.wire import Message


class RecordGate:
    """Lets through what is to be recorded; the recognize thread's.

    Args:
        config: All rules, of which those that record are asked; without one all is recorded.
        controls: Knows which sources are recorded, and which profile holds.
    """

    def __init__(self, config: RulesConfig | None, controls: Controls) -> None:
        self._controls = controls
        self._engine: RuleEngine | None = None
        if config is not None and config.records:
            rules = tuple(rule for rule in config.rules if rule.record)
            self._engine = RuleEngine(replace(config, rules=rules), controls.profiles)
        # Running events: the onset's message while no rule wants it, None once one does.
        self._running: OrderedDict[str, Message | None] = OrderedDict()

    def pass_on(self, message: Message) -> Iterator[Message]:
        """Yield what a recorder is to get of a message: nothing, it, or its onset and it."""
        body: dict[str, Any] = message.body
        if body["type"] != "event":
            yield message
            return
        key, phase = str(body["id"]), body["phase"]
        is_wanted = self._is_wanted(body) and self._controls.records(str(body["source"]))
        if phase == "onset":
            self._running[key] = None if is_wanted else message
            if len(self._running) > MAX_RUNNING:
                self._running.popitem(last=False)
            if is_wanted:
                yield message
            return
        onset = self._running.get(key)
        is_passed = key in self._running and onset is None
        if onset is not None and is_wanted and self._engine is not None:
            self._running[key] = None
            yield onset
            is_passed = True
        if is_passed:
            yield message
        if phase == "offset":
            self._running.pop(key, None)

    def _is_wanted(self, body: dict[str, Any]) -> bool:
        if self._engine is None:
            return True
        verdicts = list(self._engine.take(body))  # all of them: each rule counts its own times
        return any(not verdict.why_not for verdict in verdicts)
