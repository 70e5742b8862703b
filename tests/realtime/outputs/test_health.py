"""What heartbeats say about a run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.outputs.health import Health


def beat(n_predictions: object, run: str = "r", **body: object) -> dict[str, object]:
    sources = {"door": {"picture": "ok", "sound": "lost"}}
    return {"run": run, "counters": {"predictions": n_predictions}, "sources": sources, **body}


def test_one_heartbeat_alone_does_not_prove_recognition() -> None:
    assert not Health().observe(beat(100))


def test_recognition_goes_on_when_predictions_grow() -> None:
    health = Health()
    health.observe(beat(100))

    assert health.observe(beat(101))
    assert health.describe() == "recognition goes on: door picture ok, sound lost"


def test_recognition_stands_still_when_predictions_do_not_grow() -> None:
    health = Health()

    assert not any(health.observe(beat(100)) for _ in range(5))
    assert health.describe() == "recognition stands still: door picture ok, sound lost"


@pytest.mark.parametrize("gone", ["lost", "reconnecting", "stale", "absent"])
def test_a_stream_whose_senses_are_all_gone_is_not_well_though_it_decides(gone: str) -> None:
    health = Health()
    sources = {"door": {"picture": "lost", "sound": gone}, "hall": {"picture": "ok"}}
    health.observe({**beat(100), "sources": sources})

    assert not health.observe({**beat(105), "sources": sources})
    assert health.describe().startswith("nothing is seen or heard of door: door picture lost")


@pytest.mark.parametrize("state", ["ok", "black", "silent", "frozen", "waiting"])
def test_a_sense_that_is_there_is_enough(state: str) -> None:
    health = Health()
    sources = {"door": {"picture": "reconnecting", "sound": state}}
    health.observe({**beat(100), "sources": sources})

    assert health.observe({**beat(105), "sources": sources})


def test_growth_over_a_restart_proves_nothing() -> None:
    health = Health()
    health.observe(beat(1, "a"))

    assert not health.observe(beat(2, "b"))
    assert health.observe(beat(3, "b"))


def test_nothing_heard_is_said() -> None:
    assert Health().describe() == "no heartbeat came"


@pytest.mark.parametrize("counters", [None, [], {"predictions": "9"}, {}])
def test_heartbeat_without_the_counter_is_not_well(counters: object) -> None:
    health = Health()
    health.observe(beat(1))

    assert not health.observe({"run": "r", "counters": counters})


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.lists(st.fixed_dictionaries({"run": values, "counters": values, "sources": values})))
def test_any_heartbeat_is_judged_in_one_printable_line(bodies: list[dict[str, object]]) -> None:
    health = Health()
    for body in bodies:
        health.observe(body)

    assert health.describe().isprintable()
