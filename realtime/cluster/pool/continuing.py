"""One stream's messages, whichever actor they come from: numbers, times and events go on. Pure.

Place in the flow: what actors publish → here → the pool's own messages. An actor counts events and
stream time from when it was given the stream. Here they are the pool's: an event's number is the
stream's next, stream time counts from the stream's first message, and dates are on this machine's
clock, whatever the clock of the actor's says.

An event that goes on when its stream moves waits. If the new actor tells the same label within
`PATIENCE_NS`, it is the same event, which goes on with its number and its onset. If not, it ends
where the last decision of the old actor did, with the reason `recognizer lost`. The new actor
begins with the stream's past: what the old one had told of it is not told again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from realtime.clock import NS_PER_S, format_utc

PATIENCE_NS = 8 * NS_PER_S  # a move takes up to 3 s, an onset's confirmation a few decisions
PAST_S = 15.0  # a new actor begins no further back
RESUMED_S = 1.0  # after its end an event is told again that the new actor says goes on
REASON, OVER = "recognizer lost", "stream ended"
_TOLD = 0  # in place of a number: an event that was told before; numbers begin at 1

Body = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class _Open:
    number: int
    body: Body  # the newest of its messages, as it was told
    waits_until_ns: int | None = None  # its actor has gone
    end: Body | None = None  # that actor's last decision


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    offset: Body
    n_moves: int  # of the stream, up to whoever told it


@dataclass(slots=True)
class _Known:
    n_events: int = 0
    actor: str | None = None
    ids: dict[str, int] = field(default_factory=dict)  # its actor's name of each event that goes on
    going_on: dict[int, _Open] = field(default_factory=dict)
    began: datetime | None = None  # stream time 0
    ended: dict[str, _Ended] = field(default_factory=dict)  # by label, the newest
    n_moves: int = 0
    newest_s: float | None = None  # end of the newest decision of its actor, told or not
    ahead_s: float | None = None  # what the actor's stream time has to be put forward by
    end: Body | None = None  # of the last decision
    status: Body | None = None


class Continuing:
    """Joins what actors say of streams; one thread calls it.

    Args:
        run: The pool's run id.
        behind_ns: By how much an actor's wall clock is behind this machine's, ns.
    """

    def __init__(self, run: str, behind_ns: Callable[[str], int]) -> None:
        self._run = run
        self._behind_ns = behind_ns
        self._streams: dict[str, _Known] = {}

    def moved(self, stream: str, actor: str | None, now_ns: int) -> Body | None:
        """Say who has a stream now; None for nobody.

        Returns:
            What to tell of the stream itself: a status; None where nothing was told of it so far.
        """
        known = self._streams.setdefault(stream, _Known())
        if known.actor == actor:
            return None
        known.actor, known.ahead_s = actor, None
        known.n_moves, known.newest_s = known.n_moves + 1, None
        known.ids.clear()
        for each in known.going_on.values():
            if each.waits_until_ns is None:
                each.waits_until_ns, each.end = now_ns + PATIENCE_NS, known.end
        return None if known.status is None else _moving(known.status)

    def take(self, actor: str, body: Mapping[str, Any]) -> Body | None:
        """Return an actor's message as the pool's; None for one that is not to be told."""
        known = self._streams.get(str(body["source"]))
        if known is None or known.actor != actor:
            return None
        if body["type"] == "status":
            known.status = dict(body)
            return known.status
        told = self._dated(known, actor, dict(body))
        if body["type"] == "prediction":
            known.newest_s = told["end"]["t_s"]
            if known.end is not None and _is_past(told["end"], known.end):
                return None  # another actor decided on that second before
            known.end = told["end"]
            return told
        return self._event(known, told)

    def due(self, now_ns: int) -> list[Body]:
        """Return the ends of the events that waited long enough for another actor."""
        return [
            self._ended(known, known.going_on.pop(each.number), REASON)
            for known in self._streams.values()
            for each in list(known.going_on.values())
            if each.waits_until_ns is not None and now_ns >= each.waits_until_ns
        ]

    def finish(self) -> list[Body]:
        """Return the ends of all events: the pool ends."""
        return [
            self._ended(known, known.going_on.pop(number), OVER)
            for known in self._streams.values()
            for number in list(known.going_on)
        ]

    def farewells(self) -> list[Body]:
        """Return a status of each stream that says that it has ended."""
        return [
            {**known.status, "state": "ended", "detail": "the pool ends"}
            for known in self._streams.values()
            if known.status is not None
        ]

    def _event(self, known: _Known, body: Body) -> Body | None:
        of_actor = str(body["id"])
        number = known.ids.get(of_actor)
        if number is None:
            if body["phase"] == "offset":
                return None  # nobody was told that it had begun
            number = _TOLD if _was_told(known, body) else self._number_of(known, body)
            known.ids[of_actor] = number
        if number == _TOLD and _goes_on(known, body):
            number = known.ids[of_actor] = self._number_of(known, body)
            body["onset"] = known.ended[body["label"]].offset
        if number == _TOLD:
            return None
        going_on = known.going_on.get(number)
        body["id"] = f"{self._run}-{body['source']}-{number}"
        if going_on is None:
            body["phase"] = "onset" if body["phase"] != "offset" else "offset"
        else:
            body["onset"] = going_on.body["onset"]
            body["confidence"] = max(body["confidence"], going_on.body["confidence"])
            body["phase"] = "update" if body["phase"] == "onset" else body["phase"]
        if body["phase"] == "offset":
            body["duration_s"] = _duration_s(body)
            known.going_on.pop(number, None)
            del known.ids[of_actor]
            known.ended[body["label"]] = _Ended(offset=body["offset"], n_moves=known.n_moves)
        else:
            known.going_on[number] = _Open(number=number, body=body)
            if body["phase"] == "update" and _is_redone(known):
                return None  # its past says nothing new
        return body

    def _number_of(self, known: _Known, body: Body) -> int:
        """Return the number of the event of this label that waits; a new one where none does."""
        for each in known.going_on.values():
            if each.waits_until_ns is not None and each.body["label"] == body["label"]:
                return each.number
        known.n_events += 1
        return known.n_events

    def _ended(self, known: _Known, event: _Open, reason: str) -> Body:
        body = {**event.body, "phase": "offset", "reason": reason}
        onset, end = body["onset"], known.end if event.waits_until_ns is None else event.end
        body["offset"] = onset if end is None or end["t_s"] < onset["t_s"] else end
        n_moves = known.n_moves - (event.waits_until_ns is not None)
        known.ended[body["label"]] = _Ended(offset=body["offset"], n_moves=n_moves)
        body["duration_s"] = _duration_s(body)
        body["quality"] = {**body["quality"], "latency_ms": None}
        return body

    def _dated(self, known: _Known, actor: str, body: Body) -> Body:
        """Move all times of a message onto the pool's clock and the stream's time."""
        behind = timedelta(microseconds=self._behind_ns(actor) / 1000)
        moment = body["end"] if body["type"] == "prediction" else body["onset"]
        if known.ahead_s is None:
            zero = _read(moment["utc"]) + behind - timedelta(seconds=moment["t_s"])
            known.began = known.began or zero
            known.ahead_s = (zero - known.began).total_seconds()
        ahead_s = known.ahead_s
        for name in ("end", "onset", "offset"):
            if body.get(name) is not None:
                body[name] = {
                    "t_s": round(body[name]["t_s"] + ahead_s, 4),
                    "utc": format_utc(_read(body[name]["utc"]) + behind),
                }
        if body["evidence"] is not None:
            evidence = dict(body["evidence"])
            strongest = dict(evidence["strongest"])
            strongest["clip_end_t_s"] = round(strongest["clip_end_t_s"] + ahead_s, 4)
            ends = [round(t_s + ahead_s, 4) for t_s in evidence["clip_end_t_s"]]
            body["evidence"] = {**evidence, "clip_end_t_s": ends, "strongest": strongest}
        return body


def _moving(status: Body) -> Body:
    lost = {"state": "reconnecting", "detail": "its recognizer has gone; another one takes it"}
    senses = {
        name: sense if sense["state"] == "absent" else lost
        for name, sense in status["senses"].items()
    }
    return {**status, "senses": senses}


def _was_told(known: _Known, event: Body) -> bool:
    """Whether it is an event that was told to its end before: a new actor begins with the past."""
    ended = known.ended.get(event["label"])
    is_other = ended is not None and ended.n_moves != known.n_moves
    return ended is not None and is_other and _is_past(event["onset"], ended.offset)


def _is_redone(known: _Known) -> bool:
    """Whether the stream's actor decides on what another one decided on before."""
    told_s = None if known.end is None else known.end["t_s"]
    return told_s is not None and (known.newest_s is None or known.newest_s < told_s)


def _goes_on(known: _Known, event: Body) -> bool:
    """Whether an event that was told to its end goes on after all, as its actor decided."""
    since_s = known.ended[event["label"]].offset["t_s"] + RESUMED_S
    newest_s = known.newest_s if event["phase"] != "offset" else event["offset"]["t_s"]
    return newest_s is not None and bool(newest_s > since_s)


def _is_past(moment: Body, told: Body) -> bool:
    """Whether a moment lies before one that was told, and is no error of a clock."""
    return bool(told["t_s"] - PAST_S < moment["t_s"] <= told["t_s"])


def _duration_s(body: Body) -> float:
    return round(max(0.0, float(body["offset"]["t_s"] - body["onset"]["t_s"])), 4)


def _read(utc: str) -> datetime:
    return datetime.fromisoformat(utc)
