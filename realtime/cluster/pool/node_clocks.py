"""How far the wall clocks of a pool's nodes are from this machine's: asked, as edges' clocks are.

Of an actor's last exchanges the one with the shortest way counts. What is no more than that way
explains is taken for nothing.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable

from realtime.clock import NS_PER_S

logger = logging.getLogger(__name__)

N_KEPT = 16
TOLD_NS = NS_PER_S  # a clock that is so far off is worth a line


class NodeClocks:
    """Asks actors for the time; one thread calls it.

    Args:
        ask: Returns an actor's wall clock, ns since 1970; None where it does not answer.
        tell: Takes by how much it is behind this machine's, ns.
        read_ns: This machine's.
    """

    def __init__(
        self,
        ask: Callable[[str], int | None],
        tell: Callable[[str, int], None],
        read_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._ask = ask
        self._tell = tell
        self._read_ns = read_ns
        self._kept: dict[str, deque[tuple[int, int]]] = {}  # way and how far behind, ns

    def ask(self, actors: Iterable[str]) -> None:
        """Ask each once, and pass on what is known of it."""
        names = set(actors)
        self._kept = {name: kept for name, kept in self._kept.items() if name in names}
        for name in sorted(names):
            asked_ns = self._read_ns()
            theirs_ns = self._ask(name)
            answered_ns = self._read_ns()
            if theirs_ns is None or answered_ns < asked_ns:
                continue
            if name not in self._kept:
                self._kept[name] = deque(maxlen=N_KEPT)
            kept = self._kept[name]
            is_first = not kept
            kept.append((answered_ns - asked_ns, (asked_ns + answered_ns) // 2 - theirs_ns))
            way_ns, behind_ns = min(kept)
            if abs(behind_ns) <= way_ns:
                behind_ns = 0
            if is_first and abs(behind_ns) >= TOLD_NS:
                logger.warning(
                    "actor %s: its node's clock is %+.1f s off; its dates are put right",
                    name,
                    -behind_ns / NS_PER_S,
                )
            self._tell(name, behind_ns)
