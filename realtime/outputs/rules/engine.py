"""Which rule holds for which event, and why another does not. Pure: no clock, no thread.

Each rule judges each event once. A rule of onsets does so at the first message in which the event
is sure enough, be it the onset's or a later one; labels, times and limits go by the event's onset.
All is judged by the events' own times, so that a history gives the answers that the run gave.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from realtime.outputs.rules.fact import SENSES, Fact
from realtime.outputs.rules.limits import Limits

if TYPE_CHECKING:
    from realtime.config import RuleConfig, RulesConfig
    from realtime.controls import Profiles

MAX_RUNNING = 10_000  # events whose end has not been told


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule says of an event.

    Attributes:
        rule: The rule.
        fact: The event as it was then.
        profile: Which profile held.
        why_not: Why the rule does not hold; "" if it does.
    """

    rule: RuleConfig
    fact: Fact
    profile: str
    why_not: str


class _Asked:
    """One rule with what it remembers."""

    def __init__(self, rule: RuleConfig) -> None:
        self.rule = rule
        self.labels = frozenset(label.casefold() for label in rule.labels)
        self.when = rule.when
        self.limits = Limits(rule.cooldown_s, rule.per_hour)


class RuleEngine:
    """Judges events by rules; one thread.

    Args:
        config: The rules.
        profiles: Knows which profile holds.
        max_running: So many running events are remembered; of more the oldest go.
    """

    def __init__(
        self, config: RulesConfig, profiles: Profiles, max_running: int = MAX_RUNNING
    ) -> None:
        self._max_running = max_running
        self._asked = [_Asked(rule) for rule in config.rules]
        self._profiles = profiles
        # Running events, each with the rules that may still come to hold, and why they do not yet.
        self._open: OrderedDict[str, dict[int, Verdict]] = OrderedDict()

    def take(self, body: Mapping[str, Any]) -> Iterator[Verdict]:
        """Yield what is decided with an event message: each rule's verdict comes once an event."""
        yield from self.judge(Fact.of(body))

    def judge(self, fact: Fact) -> Iterator[Verdict]:
        """Yield the same of what was taken out of a message."""
        if fact.phase == "onset":
            self._open[fact.id] = {}
            if len(self._open) > self._max_running:
                self._open.popitem(last=False)
        waiting = self._open.get(fact.id)
        for number, asked in enumerate(self._asked):
            if asked.rule.phase == "offset":
                if fact.phase == "offset":
                    yield self._judge(asked, fact)
            elif waiting is not None and (fact.phase == "onset" or number in waiting):
                verdict = self._judge(asked, fact)
                if verdict.why_not and fact.phase != "offset" and self._may_change(asked, fact):
                    waiting[number] = verdict
                    continue
                waiting.pop(number, None)
                yield verdict
        if fact.phase == "offset":
            self._open.pop(fact.id, None)

    def finish(self) -> Iterator[Verdict]:
        """Yield what is left of events whose end was never told."""
        while self._open:
            _, waiting = self._open.popitem(last=False)
            yield from waiting.values()

    def _judge(self, asked: _Asked, fact: Fact) -> Verdict:
        profile = self._profiles.at(fact.onset)
        why_not = (
            self._why_never(asked, fact)
            or self._why_not_yet(asked, fact)
            or self._why_not_then(asked, fact, profile)
            or asked.limits.why_not(fact.onset)
        )
        if not why_not:
            asked.limits.count(fact.onset)
        return Verdict(asked.rule, fact, profile, why_not)

    def _may_change(self, asked: _Asked, fact: Fact) -> bool:
        """Whether a later message may make the rule hold: the event may grow surer."""
        return not self._why_never(asked, fact) and bool(self._why_not_yet(asked, fact))

    def _why_never(self, asked: _Asked, fact: Fact) -> str:
        rule = asked.rule
        if asked.labels and fact.label.casefold() not in asked.labels:
            return f"it is for {', '.join(rule.labels)}"
        if rule.sources and fact.source not in rule.sources:
            return f"it is for {', '.join(rule.sources)}"
        return ""

    def _why_not_yet(self, asked: _Asked, fact: Fact) -> str:
        rule = asked.rule
        if fact.confidence < rule.confidence:
            return f"confidence {fact.confidence:.2f}, it wants {rule.confidence:.2f}"
        if rule.senses == "any":
            return ""
        for sense in SENSES if rule.senses == "both" else (rule.senses,):
            if fact.alone is None:
                if sense not in fact.took_part:
                    return f"{sense} took no part"
                continue
            score = fact.alone.get(sense)
            if score is None:
                return f"{sense} took no part"
            if score < rule.sense_score:
                return f"{sense} alone said {score:.2f}, it wants {rule.sense_score:.2f}"
        return ""

    def _why_not_then(self, asked: _Asked, fact: Fact, profile: str) -> str:
        rule = asked.rule
        if rule.profiles and profile not in rule.profiles:
            return f"profile {profile}, it is for {', '.join(rule.profiles)}"
        local = self._profiles.local(fact.onset)
        if not asked.when.cover(local):
            wanted = " ".join((*rule.weekdays, *rule.times))
            return f"it was {local:%a %H:%M}, it is for {wanted}"
        return ""
