"""Rules as an output of a run: judges event messages and hands what holds to the targets' threads.

Nothing here waits for a target. A target that is dead, slow or hangs has a queue of its own, which
is bounded; recognition and the other targets go on.
"""

from __future__ import annotations

import io
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from realtime.clock import NS_PER_S, Clock
from realtime.errors import UsageError
from realtime.outputs.rules.clips import AwaitedClips
from realtime.outputs.rules.delivery import Delivery
from realtime.outputs.rules.engine import RuleEngine, Verdict
from realtime.outputs.rules.job import Job
from realtime.outputs.rules.targets import secrets_of, targets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from realtime.config import RuleConfig, RulesConfig
    from realtime.controls import Profiles
    from realtime.outputs.wire import Message
    from realtime.packets import GridFrame
    from realtime.stats import Stats

logger = logging.getLogger(__name__)

CLIP_S = 60.0  # beyond its post-roll a clip is waited for so long
LOOK_NS = NS_PER_S // 2
LAST_S = 1.0  # for what is under way when a live run ends
LAST_OF_FILE_S = 60.0  # a file's run waits until all is told
JPEG_QUALITY = 80


class RulesOutput:
    """Does what rules say; see `realtime.outputs.output.Output`.

    Args:
        config: The rules.
        profiles: Knows which profile holds.
        live: Whether the end of the run waits for nobody.
        labels: The bundle's; a rule for another one is refused.
        recordings: The folder that is recorded to; None where nothing is.
        post_roll_s: How long a clip goes on after an event.
        newest_frame: Returns a stream's newest picture by the stream's name; None without one.
        clock: The run's.
        stats: Counts `rules_held`, and what each `Delivery` counts.
    """

    name = "rules"
    kinds = ("event",)

    def __init__(
        self,
        config: RulesConfig,
        profiles: Profiles,
        *,
        live: bool,
        labels: Sequence[str],
        recordings: Path | None,
        post_roll_s: float,
        newest_frame: Callable[[str], GridFrame | None],
        clock: Clock,
        stats: Stats,
    ) -> None:
        check_labels(config.rules, labels)
        self._rules = config.rules
        self._profiles = profiles
        self._engine = RuleEngine(config, profiles)
        self._live = live
        self._clip_ns = round((post_roll_s + CLIP_S) * NS_PER_S)
        self._clips = AwaitedClips(recordings)
        self._looked_ns = 0
        self._newest_frame = newest_frame
        self._clock = clock
        self._stats = stats
        self._deliveries: list[Delivery] = []
        self._of_rule: dict[str, list[int]] = {}  # numbers of deliveries
        self._closed = False

    def open(self) -> None:
        """Make the targets and start their threads.

        Raises:
            OutputError: An address or a program is not there.
            LibraryMissing: Apprise is not installed.
        """
        hidden = secrets_of(self._rules)
        for rule in self._rules:
            first = len(self._deliveries)
            self._deliveries += [
                Delivery(target, self._clock, self._stats) for target in targets_of(rule, hidden)
            ]
            self._of_rule[rule.name] = list(range(first, len(self._deliveries)))
        for delivery in self._deliveries:
            delivery.start()

    def write(self, message: Message) -> None:
        """Judge an event."""
        body: dict[str, Any] = message.body
        for verdict in self._engine.take(body):
            if not verdict.why_not:
                self._stats.count("rules_held")
                self._tell(verdict, body)

    def tick(self) -> None:
        """Look for clips that are waited for, and for targets that hang."""
        now_ns = self._clock.now_ns()
        if now_ns - self._looked_ns < LOOK_NS:
            return
        self._looked_ns = now_ns
        self._profiles.look()
        for number, job in self._clips.ready(now_ns):
            self._deliveries[number].put(job)
        for delivery in self._deliveries:
            delivery.watch()

    def close(self) -> None:
        """Tell what is left, as far as there is time. May be called again."""
        if self._closed:
            return
        self._closed = True
        until_s = time.monotonic() + (LAST_S if self._live else LAST_OF_FILE_S)
        while not self._live and len(self._clips) and time.monotonic() < until_s:
            for number, job in self._clips.ready(self._clock.now_ns()):
                self._deliveries[number].put(job)
            threading.Event().wait(0.1)  # the recorder has threads of its own
        for number, job in self._clips.ready(self._clock.now_ns() + self._clip_ns):
            self._deliveries[number].put(job)  # without
        for delivery in self._deliveries:
            delivery.end()
        for delivery in self._deliveries:
            delivery.join(max(0.0, until_s - time.monotonic()))

    def _tell(self, verdict: Verdict, body: dict[str, Any]) -> None:
        rule, local = verdict.rule, self._profiles.local(verdict.fact.onset)
        now_ns = self._clock.now_ns()
        picture = self._picture(verdict.fact.source) if rule.attach == "picture" else None
        for number in self._of_rule.get(rule.name, ()):
            job = Job.of(verdict, body, local, now_ns)
            job.picture = picture
            if rule.attach == "clip":
                self._clips.put(number, job, now_ns + self._clip_ns)
            else:
                self._deliveries[number].put(job)

    def _picture(self, source: str) -> bytes | None:
        """Return a stream's newest picture as JPEG, as the network sees it."""
        frame = self._newest_frame(source)
        if frame is None:
            return None
        from PIL import Image  # only where a picture is sent

        file = io.BytesIO()
        Image.fromarray(frame.image).save(file, "JPEG", quality=JPEG_QUALITY)
        return file.getvalue()


def check_labels(rules: Sequence[RuleConfig], labels: Sequence[str]) -> None:
    """Refuse a rule for a label that there is not; it would never hold.

    Raises:
        UsageError: There is one.
    """
    known = {label.casefold() for label in labels}
    for rule in rules:
        unknown = [label for label in rule.labels if label.casefold() not in known]
        if unknown:
            raise UsageError(
                f"rule {rule.name!r} names a label that the bundle has not, {unknown[0]!r}; it has "
                f"{'; '.join(labels)}"
            )
