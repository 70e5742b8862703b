"""One stream's messages from several actors: numbers, times and events go on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from realtime.clock import NS_PER_S, format_utc
from realtime.cluster.pool.continuing import OVER, PATIENCE_NS, REASON, Continuing

BEGAN = datetime(2026, 12, 1, 12, tzinfo=UTC)


def moment(t_s: float, began_s: float = 0.0) -> dict[str, Any]:
    """Return a moment of an actor's stream that began so long after the pool's."""
    return {"t_s": t_s, "utc": format_utc(BEGAN + timedelta(seconds=began_s + t_s))}


def event(
    number: int, phase: str, onset_s: float, end_s: float | None = None, **more: Any
) -> dict[str, Any]:
    began_s = more.pop("began_s", 0.0)
    return {
        "type": "event",
        "source": "door",
        "id": f"actor-door-{number}",
        "phase": phase,
        "label": "Siren",
        "confidence": 0.9,
        "onset": moment(onset_s, began_s),
        "offset": None if end_s is None else moment(end_s, began_s),
        "duration_s": None if end_s is None else end_s - onset_s,
        "evidence": None,
        "quality": {"latency_ms": 50.0},
        **({} if end_s is None else {"reason": "quiet"}),
        **more,
    }


def decision(end_s: float, began_s: float = 0.0) -> dict[str, Any]:
    evidence = {"clip_end_t_s": [end_s], "strongest": {"clip_end_t_s": end_s}, "picture": 1.0}
    return {
        "type": "prediction",
        "source": "door",
        "end": moment(end_s, began_s),
        "evidence": evidence,
    }


def joined(behind_ns: int = 0) -> Continuing:
    made = Continuing("pool", lambda actor: behind_ns if actor == "b" else 0)
    made.moved("door", "a", 0)
    return made


def test_events_are_numbered_through_all_actors() -> None:
    pool = joined()
    told = [pool.take("a", event(1, "onset", 1.0)), pool.take("a", event(1, "offset", 1.0, 2.0))]
    pool.moved("door", "b", 0)
    told.append(pool.take("b", event(1, "onset", 1.0, began_s=10.0)))

    assert [body["id"] for body in told if body] == ["pool-door-1", "pool-door-1", "pool-door-2"]


def test_stream_time_goes_on() -> None:
    pool = joined()
    pool.take("a", decision(5.0))
    pool.moved("door", "b", 0)
    told = pool.take("b", decision(1.0, began_s=7.0))

    assert told is not None
    assert told["end"] == moment(8.0)
    assert told["evidence"]["clip_end_t_s"] == [8.0]
    assert told["evidence"]["strongest"]["clip_end_t_s"] == 8.0


def test_dates_of_a_node_whose_clock_is_wrong_are_put_right() -> None:
    pool = joined(behind_ns=5 * NS_PER_S)
    pool.take("a", decision(5.0))
    pool.moved("door", "b", 0)
    told = pool.take("b", decision(1.0, began_s=7.0 - 5.0))

    assert told is not None
    assert told["end"] == moment(8.0)


def test_event_is_carried_on_when_the_new_actor_tells_its_label() -> None:
    pool = joined()
    pool.take("a", event(1, "onset", 1.0))
    pool.moved("door", "b", 0)
    told = pool.take("b", event(1, "onset", 0.5, began_s=6.0))
    ended = pool.take("b", event(1, "offset", 0.5, 3.0, began_s=6.0))

    assert told is not None
    assert (told["id"], told["phase"], told["onset"]) == ("pool-door-1", "update", moment(1.0))
    assert ended is not None
    assert (ended["id"], ended["offset"]["t_s"], ended["duration_s"]) == ("pool-door-1", 9.0, 8.0)
    assert pool.due(10 * PATIENCE_NS) == []


def test_event_ends_with_the_reason_when_nobody_tells_it_any_more() -> None:
    pool = joined()
    pool.take("a", event(1, "onset", 1.0))
    pool.take("a", decision(4.0))
    pool.moved("door", "b", 0)
    assert pool.due(PATIENCE_NS - 1) == []
    (told,) = pool.due(PATIENCE_NS)

    assert (told["id"], told["phase"], told["reason"]) == ("pool-door-1", "offset", REASON)
    assert (told["offset"]["t_s"], told["duration_s"]) == (4.0, 3.0)
    assert pool.due(2 * PATIENCE_NS) == []


def test_past_that_was_decided_on_is_not_told_again() -> None:
    pool = joined()
    pool.take("a", decision(5.0))
    pool.moved("door", "b", 0)
    told = [pool.take("b", decision(end_s)) for end_s in (4.0, 5.0, 5.5)]

    assert [None if body is None else body["end"]["t_s"] for body in told] == [None, None, 5.5]


def test_event_that_had_ended_is_not_told_again_when_the_new_actor_sees_it_in_the_past() -> None:
    pool = joined()
    pool.take("a", event(1, "onset", 1.0))
    pool.take("a", event(1, "offset", 1.0, 3.0))
    pool.take("a", decision(5.5))
    pool.moved("door", "b", 0)
    pool.take("b", decision(3.0))
    again = [pool.take("b", event(1, phase, 1.1)) for phase in ("onset", "update")]
    again.append(pool.take("b", event(1, "offset", 1.1, 2.9)))
    new = pool.take("b", event(2, "onset", 4.0))
    other = pool.take("b", event(3, "onset", 2.0, label="Bark"))

    assert again == [None, None, None]
    assert new is not None
    assert other is not None
    assert (new["id"], other["id"]) == ("pool-door-2", "pool-door-3")


def test_event_that_had_ended_is_told_again_when_it_goes_on_after_all() -> None:
    pool = joined()
    pool.take("a", event(1, "onset", 1.0))
    pool.take("a", event(1, "offset", 1.0, 3.0))
    pool.take("a", event(2, "onset", 3.6))
    pool.moved("door", "b", 0)
    assert pool.take("b", event(1, "onset", 1.1)) is None
    pool.take("b", decision(5.0))
    told = pool.take("b", event(1, "update", 1.1))
    ended = pool.take("b", event(1, "offset", 1.1, 7.0))

    assert told is not None
    assert ended is not None
    assert (told["id"], told["phase"], told["onset"]) == ("pool-door-2", "update", moment(3.6))
    assert (ended["id"], ended["offset"]) == ("pool-door-2", moment(7.0))


def test_end_of_an_event_that_went_on_after_all_is_told() -> None:
    pool = joined()
    pool.take("a", event(1, "onset", 1.0))
    pool.take("a", event(1, "offset", 1.0, 3.0))
    pool.moved("door", "b", 0)
    assert pool.take("b", event(1, "onset", 1.1)) is None
    told = pool.take("b", event(1, "offset", 1.1, 4.9))

    assert told is not None
    assert (told["id"], told["phase"], told["onset"]) == ("pool-door-2", "offset", moment(3.0))
    assert told["duration_s"] == pytest.approx(1.9)


def test_event_of_a_lost_recognizer_ends_with_its_last_decision_and_goes_on_from_there() -> None:
    pool = joined()
    pool.take("a", event(1, "onset", 1.0))
    pool.take("a", decision(4.0))
    pool.moved("door", "b", 0)
    pool.take("b", decision(9.0))
    (ended,) = pool.due(PATIENCE_NS)

    assert ended["offset"] == moment(4.0)
    again = pool.take("b", event(1, "onset", 1.1))
    assert again is not None
    assert (again["id"], again["onset"]) == ("pool-door-2", moment(4.0))


def test_event_that_is_carried_on_is_not_told_anew_of_the_past() -> None:
    pool = joined()
    pool.take("a", event(1, "onset", 1.0))
    pool.take("a", decision(6.0))
    pool.moved("door", "b", 0)
    past = []
    for end_s in (4.0, 5.0, 6.0):
        past.append(pool.take("b", event(1, "onset" if end_s == 4.0 else "update", 1.1)))
        pool.take("b", decision(end_s))
    told = pool.take("b", event(1, "update", 1.1))

    assert past == [None, None, None]
    assert told is not None
    assert (told["id"], told["phase"], told["onset"]) == ("pool-door-1", "update", moment(1.0))
    assert pool.due(10 * PATIENCE_NS) == []


def test_actor_that_has_a_stream_again_tells_nothing_twice() -> None:
    pool = joined()
    pool.take("a", event(1, "onset", 1.0))
    pool.take("a", event(1, "offset", 1.0, 3.0))
    pool.take("a", decision(4.0))
    pool.moved("door", "b", 0)
    pool.moved("door", "a", 0)

    assert pool.take("a", event(1, "onset", 1.1)) is None
    assert pool.take("a", decision(3.5)) is None


def test_node_whose_clock_is_not_known_yet_is_heard_all_the_same() -> None:
    pool = joined()
    pool.take("a", decision(60.0))
    pool.moved("door", "b", 0)

    assert pool.take("b", decision(1.0, began_s=20.0)) is not None


def test_actor_that_has_a_stream_no_more_is_not_heeded() -> None:
    pool = joined()
    pool.moved("door", "b", 0)

    assert pool.take("a", event(1, "onset", 1.0)) is None


def test_event_whose_beginning_was_not_heard_begins_with_what_is() -> None:
    pool = joined()
    told = pool.take("a", event(4, "update", 1.0))
    unknown = pool.take("a", event(5, "offset", 1.0, 2.0))

    assert told is not None
    assert told["phase"] == "onset"
    assert unknown is None


def test_stream_is_said_to_be_on_its_way_when_it_moves() -> None:
    pool = joined()
    senses = {
        "picture": {"state": "ok", "detail": "edge"},
        "sound": {"state": "absent", "detail": ""},
    }
    pool.take("a", {"type": "status", "source": "door", "state": "running", "senses": senses})
    told = pool.moved("door", None, 0)

    assert told is not None
    assert told["senses"]["picture"]["state"] == "reconnecting"
    assert told["senses"]["sound"]["state"] == "absent"
    assert pool.moved("door", None, 0) is None  # once


def test_all_ends_when_the_pool_does() -> None:
    pool = joined()
    pool.take("a", event(1, "onset", 1.0))

    assert [(body["phase"], body["reason"]) for body in pool.finish()] == [("offset", OVER)]
    assert pool.finish() == []
