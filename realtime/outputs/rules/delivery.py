"""A target with its thread and queue: tries, waits and tries again, and says once what is wrong.

Each target has its own, so that none keeps another waiting. What is too old is worth nothing any
more: nobody wants to hear in the morning of a siren of the night, ten times.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from typing import TYPE_CHECKING

from realtime.clock import NS_PER_S, Clock
from realtime.outputs.rules.target import Outcome
from realtime.threads.worker import Worker

if TYPE_CHECKING:
    from realtime.outputs.rules.job import Job
    from realtime.outputs.rules.target import Target
    from realtime.stats import Stats

logger = logging.getLogger(__name__)

CAPACITY = 50  # waiting for one target; of more the oldest go
MAX_TRIES = 6
RETRY_S = (1.0, 5.0, 20.0, 60.0)  # the last for all that follow
MAX_AGE_S = 600.0
HANGS_S = 30.0  # beyond its limit; then it is told
_IDLE_S = 0.5


class Delivery:
    """Tells one target.

    Args:
        target: Whom.
        clock: The run's.
        stats: Counts `rules_told`, `rules_failed` (tries) and `rules_lost` (never told).
    """

    def __init__(self, target: Target, clock: Clock, stats: Stats) -> None:
        self.target = target
        self._clock = clock
        self._stats = stats
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._closing = False
        self._tried_since_ns: int | None = None
        self._resume_ns = 0  # after a failure the whole target waits
        self._n_failures = 0  # one after the other
        self._is_hanging = False
        self._n_lost = 0
        self._worker = Worker(f"tell-{target.name}"[:60], self.step, threading.Event())

    def start(self) -> None:
        """Start the thread."""
        self._worker.start()

    def put(self, job: Job) -> None:
        """Take a job in; never waits. Any thread."""
        with self._changed:
            self._jobs.append(job)
            n_lost = max(0, len(self._jobs) - CAPACITY)
            for _ in range(n_lost):
                self._jobs.popleft()
            self._changed.notify()
        self._lose(n_lost)

    def step(self) -> bool:
        """Try what is due, or wait for it; return False once it is closed and empty."""
        with self._changed:
            now_ns = self._clock.now_ns()
            wait_ns = self._resume_ns - now_ns
            if not self._jobs or (wait_ns > 0 and not self._closing):
                if self._closing:
                    return False
                self._changed.wait(_IDLE_S if wait_ns <= 0 else min(_IDLE_S, wait_ns / NS_PER_S))
                return True
            job = self._jobs.popleft()
            self._tried_since_ns = now_ns
        try:
            self._try(job, now_ns)
        finally:
            with self._changed:
                self._tried_since_ns = None
                self._changed.notify_all()
        return True

    def watch(self) -> None:
        """Say once that a try does not come to an end. Any one thread."""
        with self._changed:
            since_ns = self._tried_since_ns
        limit_ns = (self.target.limit_s + HANGS_S) * NS_PER_S
        hangs = since_ns is not None and self._clock.now_ns() - since_ns > limit_ns
        if hangs and not self._is_hanging:
            logger.warning(
                "%s does not answer; what it should be told waits, the newest %d at most",
                self.target.name,
                CAPACITY,
                extra={"subject": self.target.name},
            )
        self._is_hanging = hangs

    def end(self) -> None:
        """Take nothing more in and try once more what is left. Any thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; return whether the thread ended. What is left is counted as lost."""
        ended = self._worker.join(timeout_s)
        if not ended:
            self.target.give_up()
        with self._changed:
            n_left = len(self._jobs) + (self._tried_since_ns is not None)
            self._jobs.clear()
        self._lose(n_left)
        if self._n_lost:
            logger.warning(
                "%s was never told %d of its events",
                self.target.name,
                self._n_lost,
                extra={"subject": self.target.name},
            )
        return ended

    def _try(self, job: Job, now_ns: int) -> None:
        if now_ns - job.taken_ns > MAX_AGE_S * NS_PER_S:
            self._lose(1)
            return
        job.n_tries += 1
        answer = self.target.tell(job)
        if answer.outcome is Outcome.DONE:
            self._stats.count("rules_told")
            if self._n_failures:
                logger.info(
                    "%s is told again", self.target.name, extra={"subject": self.target.name}
                )
            self._n_failures = 0
            return
        self._stats.count("rules_failed")
        self._n_failures += 1
        again = answer.outcome is Outcome.AGAIN and job.n_tries < MAX_TRIES and not self._closing
        if self._n_failures == 1:  # once until it works again
            logger.warning(
                "%s: %s; %s",
                self.target.name,
                answer.why,
                "it is tried again" if again else "it is not told this event",
                extra={"subject": self.target.name},
            )
        if not again:
            self._lose(1)
            return
        wait_s = RETRY_S[min(self._n_failures, len(RETRY_S)) - 1]
        with self._changed:
            self._resume_ns = self._clock.now_ns() + round(wait_s * NS_PER_S)
            self._jobs.appendleft(job)
            is_full = len(self._jobs) > CAPACITY
            if is_full:
                self._jobs.popleft()
        self._lose(int(is_full))

    def _lose(self, n: int) -> None:
        if n:
            with self._changed:
                self._n_lost += n
            self._stats.count("rules_lost", n)
