"""Recordings that somebody asks for by a key: an event that only the recorder is told of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from realtime.clock import NS_PER_S, Timeline, format_utc
from realtime.outputs.wire import Message

if TYPE_CHECKING:
    from collections.abc import Callable

LABEL = "By hand"
MARK = "by_hand"  # in the message: no filter of labels holds for it


class ByHand:
    """Begins and ends such recordings of one stream; main thread only.

    Args:
        source: The stream's name.
        run: The run's.
        timeline: The stream's time.
        tell: Hands a message to the recorder.
    """

    def __init__(
        self, source: str, run: str, timeline: Timeline, tell: Callable[[Message], object]
    ) -> None:
        self._source = source
        self._run = run
        self._timeline = timeline
        self._tell = tell
        self._number = 0
        self._onset_t_ns: int | None = None

    def toggle(self, t_ns: int) -> bool:
        """Begin a recording at stream time `t_ns`, or end it there; return whether one goes on."""
        if self._onset_t_ns is None:
            self._number += 1
            self._onset_t_ns = t_ns
            self._say("onset", t_ns, None)
            return True
        onset_t_ns, self._onset_t_ns = self._onset_t_ns, None
        self._say("offset", onset_t_ns, max(t_ns, onset_t_ns))
        return False

    def _say(self, phase: str, onset_t_ns: int, offset_t_ns: int | None) -> None:
        body: dict[str, object] = {
            "type": "event",
            "run": self._run,
            "source": self._source,
            "id": f"{self._run}-{self._source}-hand-{self._number}",
            "phase": phase,
            "label": LABEL,
            MARK: True,
            "onset": self._moment(onset_t_ns),
            "offset": None if offset_t_ns is None else self._moment(offset_t_ns),
        }
        self._tell(Message(f"event/{self._source}/", body))

    def _moment(self, t_ns: int) -> dict[str, object]:
        utc = format_utc(self._timeline.utc(t_ns))
        return {"t_s": round(t_ns / NS_PER_S, 4), "utc": utc}
