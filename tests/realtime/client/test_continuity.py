from hypothesis import given
from hypothesis import strategies as st

from realtime.client.continuity import MAX_SPANS, Continuity, Verdict


def message(topic_seq: int, run: str = "r1", **more: object) -> dict[str, object]:
    return {"run": run, "type": "event", "seq": 1, "topic_seq": topic_seq, **more}


def heartbeat(topic_seq: int, **topics: int) -> dict[str, object]:
    sent = {f"event/{name}/": n for name, n in topics.items()}
    return message(topic_seq, type="heartbeat", topics=sent)


def follow(*messages: dict[str, object], topic: str = "event/door/") -> list[Verdict]:
    continuity = Continuity(["event/", "heartbeat/"])
    return [
        continuity.check("heartbeat/" if body["type"] == "heartbeat" else topic, body)
        for body in messages
    ]


def told(verdicts: list[Verdict]) -> list[list[str]]:
    return [[str(notice) for notice in verdict.notices] for verdict in verdicts]


def test_messages_in_a_row_are_no_news() -> None:
    assert told(follow(message(4), message(5), message(6))) == [[], [], []]


def test_a_hole_is_a_loss() -> None:
    assert told(follow(message(4), message(7)))[1] == ["2 messages of event/door/ lost"]


def test_topics_are_counted_apart() -> None:
    continuity = Continuity(["event/"])
    continuity.check("event/a/", message(4))
    assert not continuity.check("event/b/", message(9)).notices


def test_a_heartbeat_shows_that_the_end_of_a_topic_was_lost() -> None:
    verdicts = follow(message(4), heartbeat(1, door=6), message(7))
    assert told(verdicts) == [[], ["2 messages of event/door/ lost"], []]


def test_a_heartbeat_about_topics_that_nobody_asked_for_is_no_news() -> None:
    continuity = Continuity(["event/door/", "heartbeat/"])
    continuity.check("event/door/", message(1))
    verdict = continuity.check("heartbeat/", heartbeat(1, door=1, yard=9))
    assert not verdict.notices


def test_what_was_sent_before_we_came_is_not_lost() -> None:
    assert told(follow(heartbeat(5, door=40), message(41))) == [[], []]


def test_a_loss_right_after_we_came_is_noticed() -> None:
    assert told(follow(heartbeat(5, door=40), message(42)))[1] == ["1 message of event/door/ lost"]


def test_the_state_at_subscribing_is_handed_out_and_no_loss() -> None:
    verdicts = follow(message(3, replay=True), message(9, replay=True), message(10))
    assert told(verdicts) == [[], [], []]
    assert not any(verdict.is_repeat for verdict in verdicts)


def test_the_state_that_comes_after_a_heartbeat_is_handed_out_too() -> None:
    verdicts = follow(heartbeat(1, door=9), message(9, replay=True), message(10))
    assert told(verdicts) == [[], [], []]
    assert not any(verdict.is_repeat for verdict in verdicts)


def test_a_replay_for_somebody_else_is_a_repeat_and_no_news() -> None:
    verdicts = follow(message(8), message(9), message(8, replay=True), message(9, replay=True))
    assert [verdict.is_repeat for verdict in verdicts] == [False, False, True, True]
    assert told([*follow(message(9), message(9, replay=True), message(10))]) == [[], [], []]


def test_losses_while_the_connection_was_broken_are_counted() -> None:
    verdicts = follow(message(10), message(12, replay=True), message(15, replay=True), message(16))
    assert told(verdicts) == [
        [],
        ["1 message of event/door/ lost"],
        ["2 messages of event/door/ lost"],
        [],
    ]


def test_a_restart_is_said_and_numbers_start_anew() -> None:
    verdicts = follow(message(50), message(1, run="r2"), message(2, run="r2"))
    assert told(verdicts) == [[], ["the publisher started anew (run r2, before r1)"], []]


def test_replay_of_what_came_before_we_did_is_no_repeat() -> None:
    """A live message may overtake the state at subscribing."""
    verdicts = follow(message(10), message(7, replay=True), message(10, replay=True), message(11))

    assert [verdict.is_repeat for verdict in verdicts] == [False, False, True, False]
    assert told(verdicts) == [[], [], [], []]


def test_replay_of_what_was_lost_is_no_repeat_and_no_second_loss() -> None:
    verdicts = follow(
        message(1), message(5), message(3, replay=True), message(3, replay=True), message(6)
    )

    assert [verdict.is_repeat for verdict in verdicts] == [False, False, False, True, False]
    assert told(verdicts) == [[], ["3 messages of event/door/ lost"], [], [], []]


@given(numbers=st.lists(st.integers(1, 60), max_size=80))
def test_number_is_new_once(numbers: list[int]) -> None:
    verdicts = follow(*(message(number, replay=True) for number in numbers))

    seen: set[int] = set()
    for number, verdict in zip(numbers, verdicts, strict=True):
        assert verdict.is_repeat == (number in seen)
        seen.add(number)


def test_numbers_with_holes_without_end_take_bounded_memory() -> None:
    continuity = Continuity(["event/"])
    for number in range(0, 20 * MAX_SPANS, 2):
        continuity.check("event/door/", message(number))

    numbers = continuity._received["event/door/"]
    assert len(numbers._spans) <= MAX_SPANS
    assert continuity.check("event/door/", message(20 * MAX_SPANS - 2, replay=True)).is_repeat
    assert not continuity.check("event/door/", message(20 * MAX_SPANS - 3, replay=True)).is_repeat
