"""A recording that somebody asks for: only the recorder is told, whatever labels it wants."""

from __future__ import annotations

from realtime.config import RecordConfig
from realtime.outputs.recording.by_hand import LABEL, ByHand
from realtime.outputs.recording.queue import RecordQueue
from realtime.outputs.wire import Message
from wire_samples import make_timeline

S = 1_000_000_000


def test_recording_begins_and_ends_by_the_same_key() -> None:
    told: list[Message] = []
    by_hand = ByHand("hall", "a1b2", make_timeline(), told.append)
    queue = RecordQueue(RecordConfig(directory="clips", labels=("Bark",)), 2 * S, S)

    assert by_hand.toggle(30 * S)
    queue.take(told[-1])
    (plan,) = queue.plans
    assert (plan.label, plan.end_t_ns) == (LABEL, None)
    assert plan.start_t_ns == 30 * S - round(RecordConfig(directory="x").pre_roll_s * S)
    assert not by_hand.toggle(42 * S)
    queue.take(told[-1])
    assert plan.end_t_ns == 42 * S + round(RecordConfig(directory="x").post_roll_s * S)
    assert by_hand.toggle(99 * S)
    assert [message.body["id"] for message in told] == ["a1b2-hall-hand-1"] * 2 + [
        "a1b2-hall-hand-2"
    ]
